//! Draft -> [`Tool`], or a [`Rejection`] with its reason. Every source's records pass here, so every tool keeps the same
//! limits.
//!
//! Prose is repaired: characters that cannot be seen go, and what is too long is cut, because a tool with half a
//! description is better than no tool. What identity, permission or dispatch rest on (names, tags, scopes, the foreign id)
//! is never cut: a tool whose tags were shortened could slip past a policy that denies by tag. There the record is
//! rejected.

use std::ops::Deref;

use semver::Version;
use serde_json::Value;
use shortlist_index::{
    Execution, Provenance, Rejection, Schema, ScopeRequirement, Tool, ToolRef, is_forbidden_character,
};

use crate::draft::Draft;

/// The longest title, in characters; real ones have fewer than 100.
pub const TITLE_CHARS_MAX: usize = 300;
/// The longest description, in bytes; models read far less, and 200,000 of them still fit a machine.
pub const DESCRIPTION_BYTES_MAX: usize = 16 * 1024;
/// The longest deprecation note, in bytes.
pub const DEPRECATION_BYTES_MAX: usize = 1_024;
/// The longest name, in characters; a ref of the same name would not be longer.
pub const NAME_CHARS_MAX: usize = 400;
/// The most tags of one tool; real catalogs have fewer than 30.
pub const TAGS_MAX: usize = 64;
/// The longest tag, in characters; OpenAPI documents use whole sentences of up to 141.
pub const TAG_CHARS_MAX: usize = 200;
/// The most scopes that a tool's requirement may name, over all its alternatives.
pub const SCOPES_MAX: usize = 256;
/// The longest scope, in bytes; Google's are addresses of about 60.
pub const SCOPE_BYTES_MAX: usize = 512;
/// The longest foreign id, in bytes; OpenAPI's are a host, a verb and a path.
pub const FOREIGN_ID_BYTES_MAX: usize = 2_048;
/// The longest execution mode or auth type, in characters.
pub const WORD_CHARS_MAX: usize = 100;
/// How much of a record's identity is kept in a rejection, in characters.
const RECORD_CHARS_MAX: usize = 200;
/// How much of a reason is kept, in characters: reasons quote foreign text.
const REASON_CHARS_MAX: usize = 500;

/// A tool, and what was taken out of its prose to make it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Normalized {
    /// The tool.
    pub tool: Tool,
    /// Characters that cannot be seen (control and bidirectional ones, and the like) and were taken out. Carriage returns
    /// of line ends are not counted.
    pub n_stripped: u64,
}

impl Deref for Normalized {
    type Target = Tool;

    fn deref(&self) -> &Tool {
        &self.tool
    }
}

/// Checks and repairs a draft.
///
/// `source_name` is the operator's name of the source and the first part of the ref; `source_type` its kind.
///
/// # Errors
/// A [`Rejection`] that names the record by its foreign id and says in a sentence what is wrong with it.
pub fn normalize(draft: Draft, source_name: &str, source_type: &str) -> Result<Normalized, Rejection> {
    // The id is kept for the rejection before the draft is taken apart.
    let record = if draft.foreign_id.is_empty() { draft.name.clone() } else { draft.foreign_id.clone() };
    let mut strip = Strip::default();
    match checked(draft, source_name, source_type, &mut strip) {
        Ok(tool) => Ok(Normalized { tool, n_stripped: strip.n_stripped }),
        Err(reason) => Err(rejection(&record, reason)),
    }
}

/// A rejection within its limits: `record` names the record (an id, or a position such as `line 7`), `reason` is a sentence.
/// Both may quote foreign text.
pub fn rejection(record: &str, reason: impl AsRef<str>) -> Rejection {
    let bounded = |text: &str, max| one_line(text).chars().take(max).collect();
    Rejection { record: bounded(record, RECORD_CHARS_MAX), reason: bounded(reason.as_ref(), REASON_CHARS_MAX) }
}

fn checked(draft: Draft, source_name: &str, source_type: &str, strip: &mut Strip) -> Result<Tool, String> {
    let name = identifier("name", &draft.name)?;
    let namespace = identifier("namespace", &draft.namespace)?;
    let ref_name = match &draft.ref_name {
        Some(ref_name) => identifier("identity", ref_name)?,
        None => name.clone(),
    };
    let version = match &draft.version {
        Some(text) => Some(
            Version::parse(text.trim())
                .map_err(|error| format!("the version {text:?} is not a semantic version such as 1.4.0: {error}"))?,
        ),
        None => None,
    };
    let reference = ToolRef::new(source_name, &namespace, &ref_name, version)
        .map_err(|error| format!("no ref can be made of it: {error}"))?;
    check_foreign_id(&draft.foreign_id)?;
    Ok(Tool {
        reference,
        name,
        title: draft
            .title
            .map(|title| cut_chars(strip.one_line(&title), TITLE_CHARS_MAX))
            .filter(|title| !title.is_empty()),
        description: cut_bytes(strip.clean(&draft.description), DESCRIPTION_BYTES_MAX),
        input_schema: schema("input", draft.input_schema, strip)?,
        output_schema: schema("output", draft.output_schema, strip)?,
        annotations: draft.annotations,
        tags: tags(&draft.tags, strip)?,
        execution: execution(draft.execution, strip)?,
        required_scopes: scopes(draft.required_scopes)?,
        deprecation: draft.deprecation.map(|note| deprecation(&note, strip)),
        provenance: Provenance { source_type: source_type.to_owned(), foreign_id: draft.foreign_id },
    })
}

/// A name without the white space around it; ToolRef refuses forbidden characters, but a name need not be in the ref.
fn identifier(what: &str, text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err(format!("the {what} is empty"));
    }
    match text.chars().count() {
        n_chars if n_chars > NAME_CHARS_MAX => {
            return Err(format!("the {what} has {n_chars} characters, more than the {NAME_CHARS_MAX} allowed"));
        }
        _ => {}
    }
    refuse_hidden(what, text)?;
    Ok(text.to_owned())
}

fn check_foreign_id(id: &str) -> Result<(), String> {
    if id.trim().is_empty() {
        return Err("the id is empty".to_owned());
    }
    if id.len() > FOREIGN_ID_BYTES_MAX {
        return Err(format!("the id has {} bytes, more than the {FOREIGN_ID_BYTES_MAX} allowed", id.len()));
    }
    refuse_hidden("id", id)
}

fn refuse_hidden(what: &str, text: &str) -> Result<(), String> {
    match text.chars().find(|&c| is_forbidden_character(c)) {
        Some(c) => Err(format!("the {what} holds the invisible character U+{:04X}", u32::from(c))),
        None => Ok(()),
    }
}

fn schema(side: &str, value: Option<Value>, strip: &mut Strip) -> Result<Option<Schema>, String> {
    let Some(mut value) = value else { return Ok(None) };
    clean_schema(&mut value, strip);
    Schema::from_value(&value).map(Some).map_err(|error| format!("the {side} schema cannot be taken: {error}"))
}

/// Cleans the prose of a schema, which agents read like a description. Values (`enum`, `const`, `default`, examples) and
/// patterns stay as they are: they are data. What stands below `properties` and the like is named by its author, and a name
/// is no keyword. The depth of the recursion is that of a parsed JSON text, which serde_json bounds at 128.
fn clean_schema(value: &mut Value, strip: &mut Strip) {
    match value {
        Value::Object(map) => {
            for (key, child) in map {
                match (key.as_str(), child) {
                    ("enum" | "const" | "default" | "example" | "examples", _) => {}
                    (
                        "properties" | "patternProperties" | "dependentSchemas" | "$defs" | "definitions",
                        Value::Object(named),
                    ) => {
                        named.values_mut().for_each(|schema| clean_schema(schema, strip));
                    }
                    ("description" | "title" | "$comment", Value::String(text)) => {
                        if text.chars().any(|c| is_forbidden_character(c) && c != '\n' && c != '\t') {
                            *text = strip.clean(text);
                        }
                    }
                    (_, child) => clean_schema(child, strip),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| clean_schema(item, strip)),
        _ => {}
    }
}

fn tags(given: &[String], strip: &mut Strip) -> Result<Vec<String>, String> {
    let mut tags: Vec<String> = given.iter().map(|tag| strip.one_line(tag)).filter(|tag| !tag.is_empty()).collect();
    tags.sort();
    tags.dedup();
    if tags.len() > TAGS_MAX {
        return Err(format!("it has {} tags, more than the {TAGS_MAX} allowed", tags.len()));
    }
    match tags.iter().find(|tag| tag.chars().count() > TAG_CHARS_MAX) {
        Some(long) => Err(format!("the tag {long:?} has more than the {TAG_CHARS_MAX} characters allowed")),
        None => Ok(tags),
    }
}

fn execution(given: Execution, strip: &mut Strip) -> Result<Execution, String> {
    let mut word = |what: &str, text: Option<String>| match text.map(|text| strip.one_line(&text)) {
        Some(text) if text.chars().count() > WORD_CHARS_MAX => {
            Err(format!("the {what} has more than the {WORD_CHARS_MAX} characters allowed"))
        }
        Some(text) if text.is_empty() => Ok(None),
        text => Ok(text),
    };
    Ok(Execution {
        mode: word("execution mode", given.mode)?,
        auth_type: word("auth type", given.auth_type)?,
        requires_obo: given.requires_obo,
    })
}

/// A requirement that cannot be kept exactly would change who may see the tool, so it is taken whole or not at all.
fn scopes(given: ScopeRequirement) -> Result<ScopeRequirement, String> {
    let mut n_scopes = 0;
    for scope in given.scopes() {
        n_scopes += 1;
        if scope.trim().is_empty() {
            return Err("a required scope is empty".to_owned());
        }
        if scope.len() > SCOPE_BYTES_MAX {
            return Err(format!("a required scope has {} bytes, more than the {SCOPE_BYTES_MAX} allowed", scope.len()));
        }
        refuse_hidden("required scope", scope)?;
    }
    if n_scopes > SCOPES_MAX {
        return Err(format!("it names {n_scopes} required scopes, more than the {SCOPES_MAX} allowed"));
    }
    Ok(given)
}

fn deprecation(note: &str, strip: &mut Strip) -> String {
    match cut_bytes(strip.clean(note), DEPRECATION_BYTES_MAX) {
        note if note.is_empty() => "Deprecated by its source.".to_owned(),
        note => note,
    }
}

/// Prose without the characters that cannot be seen (hidden text is how a catalog would give orders to an agent behind its
/// reader's back) and without white space around it; line ends become `\n`.
///
/// The two joiners stay inside words of other scripts than ASCII, where Persian, Hindi and composed emoji need them.
pub fn clean(text: &str) -> String {
    Strip::default().clean(text)
}

/// Prose on one line: [`clean`], and every run of white space becomes one space.
pub fn one_line(text: &str) -> String {
    Strip::default().one_line(text)
}

/// [`clean`] and [`one_line`], counting what they take out.
#[derive(Default)]
struct Strip {
    n_stripped: u64,
}

impl Strip {
    fn clean(&mut self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        for c in text.chars() {
            match c {
                '\n' | '\t' => out.push(c),
                '\u{2028}' | '\u{2029}' => out.push('\n'),
                '\u{200C}' | '\u{200D}'
                    if out.chars().next_back().is_some_and(|p| !p.is_ascii() && !is_forbidden_character(p)) =>
                {
                    out.push(c)
                }
                '\r' => {}
                c if is_forbidden_character(c) => self.n_stripped += 1,
                c => out.push(c),
            }
        }
        let trimmed = out.trim();
        if trimmed.len() == out.len() { out } else { trimmed.to_owned() }
    }

    fn one_line(&mut self, text: &str) -> String {
        self.clean(text).split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

fn cut_chars(text: String, max: usize) -> String {
    match text.char_indices().nth(max) {
        Some((end, _)) => text[..end].trim_end().to_owned(),
        None => text,
    }
}

fn cut_bytes(mut text: String, max: usize) -> String {
    if text.len() > max {
        text.truncate(text.floor_char_boundary(max));
        text.truncate(text.trim_end().len());
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;

    fn draft() -> Draft {
        Draft { foreign_id: "id".into(), namespace: "space".into(), name: "name".into(), ..Draft::default() }
    }

    #[test]
    fn prose_loses_what_cannot_be_seen_and_keeps_the_rest() {
        let check = |text: &str, expected: &str| assert_eq!(clean(text), expected, "{text:?}");
        check("  two\r\nlines\t\u{7}. ", "two\nlines\t.");
        check("send\u{202E}money\u{200B}\u{E0041}", "sendmoney");
        check("a\u{200D}b", "ab");
        check("می\u{200C}خواهم", "می\u{200C}خواهم");
        check("👩\u{200D}🚀", "👩\u{200D}🚀");
        check("Привет, 世界", "Привет, 世界");
        assert_eq!(one_line("a\n\n  b\tc\u{2028}d"), "a b c d");
    }

    #[test]
    fn what_is_taken_out_is_counted_wherever_it_stood() {
        let count = |draft: Draft| normalize(draft, "src", "kind").map(|normalized| normalized.n_stripped);
        assert_eq!(count(Draft { description: "two\r\nlines\tof\u{2028}text".into(), ..draft() }), Ok(0));
        let schema =
            json!({ "properties": { "to": { "description": "whom\u{202E}\u{200B}", "default": "\u{200B}" } } });
        let hidden = Draft {
            title: Some("a\u{7}".into()),
            description: "b\u{E0041}\u{E0042}".into(),
            tags: vec!["c\u{200B}".into()],
            deprecation: Some("d\u{FEFF}".into()),
            input_schema: Some(schema.clone()),
            output_schema: Some(schema),
            ..draft()
        };
        assert_eq!(count(hidden), Ok(1 + 2 + 1 + 1 + 2 + 2));
    }

    #[test]
    fn long_prose_is_cut_between_characters() {
        let tool = normalize(
            Draft {
                description: "ж".repeat(DESCRIPTION_BYTES_MAX),
                title: Some("ж".repeat(TITLE_CHARS_MAX + 1)),
                deprecation: Some(" ".into()),
                ..draft()
            },
            "src",
            "kind",
        )
        .expect("kept");
        assert_eq!(tool.description.len(), DESCRIPTION_BYTES_MAX);
        assert_eq!(tool.title.as_ref().map(|title| title.chars().count()), Some(TITLE_CHARS_MAX));
        assert_eq!(tool.deprecation.as_deref(), Some("Deprecated by its source."));
        assert_eq!(tool.provenance.source_type, "kind");
    }

    #[test]
    fn what_identity_and_permission_rest_on_is_refused_rather_than_cut() {
        let check = |change: &dyn Fn(&mut Draft), expected: &str| {
            let mut draft = draft();
            change(&mut draft);
            let rejection = normalize(draft, "src", "kind").expect_err(expected);
            assert!(rejection.reason.contains(expected), "{rejection:?} should say {expected:?}");
        };
        check(&|d| d.name = " ".into(), "the name is empty");
        check(&|d| d.namespace.clear(), "the namespace is empty");
        check(&|d| d.foreign_id.clear(), "the id is empty");
        check(&|d| d.name = "x".repeat(NAME_CHARS_MAX + 1), "401 characters");
        check(&|d| d.name = "/".repeat(NAME_CHARS_MAX), "no ref can be made of it: a tool ref has at most");
        check(&|d| d.ref_name = Some("a\nb".into()), "U+000A");
        check(&|d| d.version = Some("v2".into()), "not a semantic version");
        check(&|d| d.tags = (0..=TAGS_MAX).map(|i| i.to_string()).collect(), "65 tags");
        check(&|d| d.tags = vec!["x".repeat(TAG_CHARS_MAX + 1)], "200 characters");
        check(&|d| d.required_scopes = ScopeRequirement::any_of(["x".repeat(SCOPE_BYTES_MAX + 1)]), "513 bytes");
        check(&|d| d.required_scopes = ScopeRequirement::any_of((0..=SCOPES_MAX).map(|i| i.to_string())), "257");
        check(&|d| d.required_scopes = ScopeRequirement::all_of(["a\u{200B}"]), "U+200B");
        check(&|d| d.execution.mode = Some("x".repeat(WORD_CHARS_MAX + 1)), "execution mode");
        check(&|d| d.input_schema = Some(json!("text")), "the input schema cannot be taken");
        check(&|d| d.output_schema = Some(json!({ "d": "x".repeat(300_000) })), "the output schema cannot be taken");
    }

    #[test]
    fn a_schemas_prose_is_cleaned_and_its_values_are_not() {
        let hidden = "a\u{200B}b";
        let schema = json!({ "description": hidden, "properties": {
            "description": { "title": hidden, "enum": [hidden], "default": { "title": hidden }, "pattern": hidden },
        } });
        let tool = normalize(Draft { input_schema: Some(schema), ..draft() }, "src", "kind").expect("kept");
        let expected = json!({ "description": "ab", "properties": {
            "description": { "title": "ab", "enum": [hidden], "default": { "title": hidden }, "pattern": hidden },
        } });
        assert_eq!(tool.tool.input_schema.map(|schema| schema.to_value()), Some(expected));
    }

    #[test]
    fn a_property_may_be_called_like_a_keyword_and_is_cleaned_as_any_other() {
        let hidden = "a\u{E0041}\u{202E}b";
        let names = ["enum", "const", "default", "example", "examples", "properties", "$defs", "title"];
        let below = |text: &str| -> Value {
            names.into_iter().map(|name| (name.to_owned(), json!({ "description": text }))).collect()
        };
        for key in ["properties", "patternProperties", "dependentSchemas", "$defs", "definitions"] {
            let nested = |text: &str| json!({ key: { "default": { key: below(text) } } });
            let draft = Draft { input_schema: Some(nested(hidden)), ..draft() };
            let normalized = normalize(draft, "src", "kind").expect("kept");
            assert_eq!(normalized.n_stripped, 2 * names.len() as u64, "{key}");
            assert_eq!(normalized.tool.input_schema.map(|schema| schema.to_value()), Some(nested("ab")));
        }
    }

    #[test]
    fn a_rejection_is_bounded_and_on_one_line() {
        let rejection = rejection(&"x\n".repeat(1_000), "y\u{1B}[2J ".repeat(1_000));
        assert_eq!((rejection.record.chars().count(), rejection.reason.chars().count()), (200, 500));
        assert!(!rejection.record.contains('\n') && !rejection.reason.contains('\u{1B}'));
    }

    #[test]
    fn random_drafts_give_a_tool_or_a_reason_and_never_a_hidden_character() {
        let alphabet: Vec<char> = "aZ0 ._-@%/\n\u{202E}\u{200D}\u{0}жΩ👩{}\"".chars().collect();
        let mut rng = fastrand::Rng::with_seed(11);
        let (mut n_tools, mut n_rejected) = (0, 0);
        for _ in 0..5_000 {
            let mut text = |max: usize| -> String {
                (0..rng.usize(..max)).map(|_| alphabet[rng.usize(..alphabet.len())]).collect()
            };
            let draft = Draft {
                foreign_id: text(5),
                namespace: text(4),
                name: text(4),
                title: Some(text(40)),
                description: text(400),
                tags: vec![text(10), text(10)],
                required_scopes: ScopeRequirement::alternatives([BTreeSet::from([text(3) + "s"])]),
                ..Draft::default()
            };
            match normalize(draft, "src", "kind") {
                Ok(tool) => {
                    n_tools += 1;
                    assert_eq!(tool.reference.to_string().parse().as_ref(), Ok(&tool.reference));
                    let joiner = |c: char| matches!(c, '\n' | '\u{200D}');
                    assert!(!tool.description.chars().any(|c| is_forbidden_character(c) && !joiner(c)));
                }
                Err(rejection) => {
                    n_rejected += 1;
                    assert!(!rejection.reason.is_empty());
                }
            }
        }
        assert!(n_tools > 300 && n_rejected > 300, "{n_tools} {n_rejected}");
    }
}
