//! Answers of a search in the shapes that the models' vendors take from a search of one's own.
//!
//! Anthropic's custom tool search is a tool result of `tool_reference` blocks, each naming a definition among the request's
//! `tools`. OpenAI's client-executed `tool_search` is answered by a `tool_search_output` with the definitions in it.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::wire::{
    AnthropicAnswer, AnthropicTool, HitBody, OpenAiAnswer, OpenAiFunction, OpenAiOutput, SearchToolsAnswer, Shape,
    ShapedAnswer, ToolReference,
};

/// The most characters of a tool's name at both vendors, who take letters, digits, `_` and `-`. Of an argument's key, Anthropic
/// takes as many, and `.` too.
const NAME_CHARS_MAX: usize = 64;
/// Bytes of the digest in a name: 72 bits, which no two tools of any catalog share by chance, and nobody finds for a given ref.
const DIGEST_BYTES: usize = 9;
/// What neither vendor takes at the top of a function's schema. A hub checks the arguments by the whole schema anyway.
const NOT_AT_THE_TOP: [&str; 5] = ["oneOf", "anyOf", "allOf", "enum", "not"];

/// The answer in this shape.
pub(crate) fn shaped(answer: SearchToolsAnswer, shape: Option<Shape>) -> ShapedAnswer {
    let Some(shape) = shape else { return ShapedAnswer::Own(answer) };
    let SearchToolsAnswer { hits, next_cursor, generation, degraded, .. } = answer;
    let refs = hits.iter().map(|hit| (name(&hit.reference), hit.reference.clone())).collect::<BTreeMap<_, _>>();
    match shape {
        Shape::Anthropic => {
            let mut arguments = BTreeMap::new();
            let tool = |hit: HitBody| {
                let mut input_schema = parameters(hit.input_schema);
                let own_keys = rename_arguments(&mut input_schema);
                if !own_keys.is_empty() {
                    arguments.insert(name(&hit.reference), own_keys);
                }
                AnthropicTool {
                    name: name(&hit.reference),
                    description: hit.description.unwrap_or_default(),
                    input_schema,
                    defer_loading: true,
                }
            };
            let tools: Vec<AnthropicTool> = hits.into_iter().map(tool).collect();
            let content =
                tools.iter().map(|tool| ToolReference { kind: "tool_reference", tool_name: tool.name.clone() });
            let content = content.collect();
            ShapedAnswer::Anthropic(AnthropicAnswer {
                content,
                tools,
                refs,
                arguments,
                next_cursor,
                generation,
                degraded,
            })
        }
        Shape::Openai => {
            let tool = |hit: HitBody| OpenAiFunction {
                kind: "function",
                name: name(&hit.reference),
                description: hit.description.unwrap_or_default(),
                parameters: parameters(hit.input_schema),
                strict: false,
                defer_loading: true,
            };
            let tools = hits.into_iter().map(tool).collect();
            let output = OpenAiOutput { kind: "tool_search_output", execution: "client", status: "completed", tools };
            ShapedAnswer::OpenAi(OpenAiAnswer { output, refs, next_cursor, generation, degraded })
        }
    }
}

/// A tool's name at a vendor: what can be read of its ref, and a digest of all of it. The same ref has the same name for
/// everybody and at all times, so a name in an agent's history stays good.
fn name(reference: &str) -> String {
    let path = reference.split_once("://").map_or(reference, |(_, path)| path);
    name_of(reference, path.split('@').next().unwrap_or(path))
}

/// A name of what can be read and a digest of all of it.
fn name_of(all: &str, readable: &str) -> String {
    let digest = Sha256::digest(all.as_bytes());
    let digest = URL_SAFE_NO_PAD.encode(digest.get(..DIGEST_BYTES).unwrap_or(&digest));
    let is_taken = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let readable: String = readable.chars().map(|c| if is_taken(c) { c } else { '_' }).collect();
    // All of it is ASCII by now. The end says more of what a tool does than the beginning.
    let start = readable.len().saturating_sub(NAME_CHARS_MAX - 1 - digest.len());
    format!("{}_{digest}", readable.get(start..).unwrap_or_default())
}

/// Gives each argument a key that Anthropic takes, which refuses a whole request for one of one tool, and tells the own key of
/// each that has another. Keys below the top are not looked at there either.
fn rename_arguments(schema: &mut Value) -> BTreeMap<String, String> {
    let mut own_keys = BTreeMap::new();
    let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) else { return own_keys };
    let refused: Vec<String> = properties.keys().filter(|key| !is_key(key)).cloned().collect();
    let mut renamed = BTreeMap::new();
    for own in refused {
        let mut key = name_of(&own, &own);
        // A source can call an argument as another is called here.
        while properties.contains_key(&key) {
            key = name_of(&key, &own);
        }
        if let Some(argument) = properties.remove(&own) {
            properties.insert(key.clone(), argument);
        }
        own_keys.insert(key.clone(), own.clone());
        renamed.insert(own, key);
    }
    for required in schema.get_mut("required").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(key) = required.as_str().and_then(|own| renamed.get(own)) {
            *required = Value::from(key.as_str());
        }
    }
    own_keys
}

/// Whether Anthropic takes it as an argument's key.
fn is_key(key: &str) -> bool {
    let is_taken = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
    (1..=NAME_CHARS_MAX).contains(&key.len()) && key.bytes().all(is_taken)
}

/// A schema as vendors take it: an object of properties.
fn parameters(schema: Option<Value>) -> Value {
    let mut schema = match schema {
        Some(Value::Object(schema)) => schema,
        _ => Map::new(),
    };
    schema.retain(|key, _| !NOT_AT_THE_TOP.contains(&key.as_str()));
    schema.insert("type".to_owned(), "object".into());
    schema.entry("properties").or_insert_with(|| json!({}));
    Value::Object(schema)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_vendors_take_and_never_the_same_for_two_refs() {
        let long = format!("m://{}.delete", "a".repeat(400));
        let refs = [
            "google://drive.files.list@3.0.0",
            "google://drive.files.list@2.0.0",
            "m://a.b",
            "m://a_b",
            "m://ж.a%20b",
            &long,
        ];
        let names: Vec<String> = refs.iter().map(|reference| name(reference)).collect();
        for name in &names {
            assert!(name.len() <= NAME_CHARS_MAX, "{name}");
            assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-'), "{name}");
        }
        let distinct: std::collections::BTreeSet<&String> = names.iter().collect();
        assert_eq!(distinct.len(), refs.len());
        assert!(names[0].starts_with("drive_files_list_") && names[5].contains("a_delete_"));
        assert_eq!(names[2], name("m://a.b"));
    }

    #[test]
    fn a_schema_becomes_one_that_vendors_take() {
        let check = |schema: Option<Value>, expected: Value| assert_eq!(parameters(schema), expected);
        check(None, json!({ "type": "object", "properties": {} }));
        check(Some(json!(true)), json!({ "type": "object", "properties": {} }));
        let odd = json!({ "type": ["object", "null"], "anyOf": [], "properties": { "a": { "anyOf": [] } }, "required": ["a"] });
        let good = json!({ "type": "object", "properties": { "a": { "anyOf": [] } }, "required": ["a"] });
        check(Some(odd), good);
    }

    #[test]
    fn arguments_get_keys_that_anthropic_takes_and_the_way_back_is_told() {
        let long = format!("searchCriteria[{}][field]", "a".repeat(60));
        let (dollar, at) = (name_of("a$b", "a$b"), name_of("a@b", "a@b"));
        // One argument is called as another would be.
        let own = ["$top", "page[size]", "a$b", "a@b", &long, "", "user.id-1", &dollar];
        let titled = own.iter().map(|own| ((*own).to_owned(), json!({ "title": own })));
        let properties: Map<String, Value> = titled.collect();
        let schema = json!({ "properties": properties, "required": ["$top", "user.id-1", "b", 1] });
        let mut schema = parameters(Some(schema));
        let own_keys = rename_arguments(&mut schema);
        let renamed = schema["properties"].as_object().expect("an object");
        assert_eq!(renamed.len(), own.len(), "none is lost");
        for (key, argument) in renamed {
            assert!(is_key(key), "{key}");
            assert_eq!(own_keys.get(key).unwrap_or(key), argument["title"].as_str().expect("a text"));
        }
        assert_eq!(own_keys.len(), own.len() - 2, "those that can stay do");
        assert!(own_keys.contains_key(&at) && !own_keys.contains_key(&dollar));
        assert_eq!(schema["required"], json!([name_of("$top", "$top"), "user.id-1", "b", 1]));
        assert!(name_of(&long, &long).contains("a__field__"), "the readable end");

        for odd in [json!({ "properties": [], "required": 1 }), json!({ "required": ["$top"] })] {
            assert_eq!(rename_arguments(&mut parameters(Some(odd))), BTreeMap::new());
        }
    }
}
