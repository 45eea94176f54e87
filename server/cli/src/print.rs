//! Tools and hits on a terminal, and as JSON.

use std::io::Write;

use serde_json::{Value, json};
use shortlist_index::{
    Alternatives, Answer, Confidence, Degraded, Explanation, Hit, LegScore, Schema, Snapshot, Tool,
    is_forbidden_character,
};

/// Writes a text to standard output, with `�` for what a terminal would obey or not show: catalogs are other people's words.
/// Line ends and tabs stay.
///
/// # Errors
/// When nobody reads it any more.
pub fn line(text: impl AsRef<str>) -> std::io::Result<()> {
    writeln!(std::io::stdout(), "{}", printable(text.as_ref()))
}

/// Writes a text to standard error, as [`line()`] does to standard output. Where nobody reads it any more, what is done goes on.
pub fn say(text: impl AsRef<str>) {
    let _ = writeln!(std::io::stderr(), "{}", printable(text.as_ref()));
}

/// Says what went wrong, and why.
pub fn error(error: &anyhow::Error) {
    say(format!("error: {}", with_causes(error)));
}

/// An error and its causes, but for those whose words are there already: many an error holds what its cause says.
fn with_causes(error: &anyhow::Error) -> String {
    let mut told = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        if !told.contains(&cause) {
            told += &format!(": {cause}");
        }
    }
    told
}

/// Writes a value as indented JSON.
///
/// # Errors
/// When nobody reads it any more.
pub fn json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    Ok(line(escaped(&serde_json::to_string_pretty(value)?))?)
}

/// The same JSON, where what a terminal would obey or not show is written as `\u…`. Between values there are only spaces
/// and line ends, so all else stands in texts.
pub fn escaped(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if is_forbidden_character(c) && c != '\n' {
            c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| out += &format!("\\u{unit:04x}"));
        } else {
            out.push(c);
        }
    }
    out
}

/// A name or another text that has no lines, so that it cannot look like the next one.
pub fn on_one_line(text: &str) -> String {
    text.split(['\n', '\t']).collect::<Vec<_>>().join("\u{FFFD}")
}

/// With `�` for what is not shown. The joiners stay inside words of other scripts than ASCII, which need them.
fn printable(text: &str) -> String {
    let mut before = ' ';
    let shown = |c: char| {
        let joins = matches!(c, '\u{200C}' | '\u{200D}') && !before.is_ascii() && !is_forbidden_character(before);
        before = c;
        if !is_forbidden_character(c) || joins || matches!(c, '\n' | '\t') { c } else { '\u{FFFD}' }
    };
    text.chars().map(shown).collect()
}

/// The hits as a numbered list.
pub fn hits(answer: &Answer) -> std::io::Result<()> {
    if answer.hits.is_empty() {
        line("no tool found")?;
    }
    for (place, hit) in answer.hits.iter().enumerate() {
        line(format!("{:>3}. {}", place + 1, hit.tool.reference))?;
        line(format!("     {}", on_one_line(&hit.tool.summary())))?;
        if let Some(part) = hit.part.and_then(|part| answer.parts.get(part)) {
            line(format!("     for: {}", part.split_whitespace().collect::<Vec<_>>().join(" ")))?;
        }
        if !hit.alternatives.refs.is_empty() {
            line(format!("     {}", the_same(&hit.alternatives)))?;
        }
        if let Some(explanation) = &hit.explanation {
            line(format!("     {}", explained(explanation)))?;
        }
    }
    match answer.confidence {
        Some(Confidence::Weak) => line("these may not be what you mean; say it in other words, or look closer")?,
        Some(Confidence::None) if !answer.hits.is_empty() => {
            line("none of these seems to do it; say it in other words")?
        }
        _ => {}
    }
    for Degraded { stage, reason } in &answer.degraded {
        say(format!("warning: the stage {stage:?} could not run ({reason}); these hits are what the others found"));
    }
    Ok(())
}

fn the_same(alternatives: &Alternatives) -> String {
    let Alternatives { refs, n_more } = alternatives;
    let refs: Vec<String> = refs.iter().map(ToString::to_string).collect();
    let more = if *n_more > 0 { format!(" and {n_more} more") } else { String::new() };
    format!("the same: {}{more}", refs.join(", "))
}

fn explained(explanation: &Explanation) -> String {
    let leg = |name: &str, place: Option<LegScore>| match place {
        Some(LegScore { rank, score }) => format!("{name} #{rank} ({score:.3})"),
        None => format!("{name} -"),
    };
    let Explanation { lexical, dense, class, fused, rerank, part_rank, suspicion, .. } = explanation;
    let rerank = rerank.map_or(String::new(), |score| format!("  reranker {score:.3}"));
    let part = part_rank.map_or(String::new(), |rank| format!("  in its part #{rank}"));
    let suspected = suspicion.map_or(String::new(), |why| format!("  put behind ten more, for its text {why}"));
    let legs = [leg("BM25", *lexical), leg("vectors", *dense)].join("  ");
    format!("{legs}  fused as {} {fused:.3}{rerank}{part}{suspected}", class.name())
}

/// The answer as a program reads it.
pub fn answer_value(snapshot: &Snapshot, answer: &Answer) -> Value {
    let leg = |place: Option<LegScore>| place.map(|LegScore { rank, score }| json!({ "rank": rank, "score": score }));
    let hit = |hit: &Hit| {
        let mut value = json!({
            "ref": hit.tool.reference.to_string(),
            "namespace": hit.tool.reference.namespace(),
            "name": hit.tool.name,
            "title": hit.tool.title,
            "summary": hit.tool.summary(),
            "part": hit.part,
            "score": hit.score,
            "alternatives": hit.alternatives.refs.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "more_alternatives": hit.alternatives.n_more,
        });
        if let Some(Explanation { lexical, dense, class, signals, fused, rerank, part_rank, suspicion }) =
            &hit.explanation
        {
            value["explanation"] = json!({ "lexical": leg(*lexical), "dense": leg(*dense), "class": class, "signals": signals, "fused": fused, "rerank": rerank, "part_rank": part_rank, "suspicion": suspicion });
        }
        value
    };
    json!({
        "generation": snapshot.number(),
        "hits": answer.hits.iter().map(hit).collect::<Vec<_>>(),
        "parts": answer.parts,
        "confidence": answer.confidence,
        "more": answer.more,
        "degraded": answer.degraded.iter().map(|degraded| degraded.stage).collect::<Vec<_>>(),
    })
}

/// The whole tool as a program reads it.
pub fn tool_value(tool: &Tool) -> Value {
    let schema = |schema: &Option<Schema>| schema.as_ref().map(Schema::to_value);
    json!({
        "ref": tool.reference.to_string(),
        "namespace": tool.reference.namespace(),
        "name": tool.name,
        "title": tool.title,
        "description": tool.description,
        "input_schema": schema(&tool.input_schema),
        "output_schema": schema(&tool.output_schema),
        "annotations": {
            "read_only": tool.annotations.read_only,
            "destructive": tool.annotations.destructive,
            "idempotent": tool.annotations.idempotent,
            "open_world": tool.annotations.open_world,
        },
        "tags": tool.tags,
        "execution": {
            "mode": tool.execution.mode,
            "auth_type": tool.execution.auth_type,
            "requires_obo": tool.execution.requires_obo,
        },
        "required_scopes": tool.required_scopes,
        "deprecation": tool.deprecation,
        "source_type": tool.provenance.source_type,
        "foreign_id": tool.provenance.foreign_id,
    })
}

/// The whole tool for a reader.
pub fn tool(tool: &Tool) -> std::io::Result<()> {
    line(tool.reference.to_string())?;
    if let Some(title) = &tool.title {
        line(on_one_line(title))?;
    }
    if let Some(deprecation) = &tool.deprecation {
        line(format!("DEPRECATED: {}", on_one_line(deprecation)))?;
    }
    line(format!("\n{}\n", tool.description))?;
    let parameters = tool.input_schema.as_ref().map(Schema::parameters).unwrap_or_default();
    for parameter in parameters {
        let (name, kind) = (on_one_line(&parameter.name), on_one_line(parameter.kind.as_deref().unwrap_or("any")));
        let required = if parameter.required { ", required" } else { "" };
        let description = parameter.description.lines().next().unwrap_or_default();
        let indent = "  ".repeat(parameter.depth + 1);
        line(format!("{indent}{name} ({kind}{required})  {description}"))?;
    }
    if !tool.required_scopes.is_none() {
        line("\nneeds, in any one of these lines, all scopes:")?;
        for alternative in tool.required_scopes.iter() {
            line(format!("  {}", alternative.iter().map(|scope| on_one_line(scope)).collect::<Vec<_>>().join(" ")))?;
        }
    }
    line("\n(--json shows the full schemas)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_printed_is_obeyed_or_hidden() {
        assert_eq!(printable("a\u{1b}[2J\u{9b}b\u{202E}\u{E0041}c\r"), "a�[2J�b��c�");
        assert_eq!(printable("two\n\tlines, می\u{200C}خواهم, a\u{200D}b"), "two\n\tlines, می\u{200C}خواهم, a�b");
        assert_eq!(on_one_line("a\n\ngoogle://fake.tool"), "a��google://fake.tool");
    }

    #[test]
    fn a_cause_is_told_once() {
        let cause = std::io::Error::other("no such file");
        let held = anyhow::Error::new(cause).context("cannot read it: no such file; try again");
        assert_eq!(with_causes(&held), "cannot read it: no such file; try again");
        assert_eq!(with_causes(&held.context("no policy")), "no policy: cannot read it: no such file; try again");
    }

    #[test]
    fn escaped_json_is_the_same_json_without_what_is_hidden() {
        let value = json!({ "a\u{9b}": ["\u{202E}\u{E0041}x\n\t", { "\u{2028}": 1 }] });
        let text = escaped(&serde_json::to_string_pretty(&value).expect("JSON"));
        assert!(!text.chars().any(|c| is_forbidden_character(c) && c != '\n'), "{text}");
        assert_eq!(serde_json::from_str::<Value>(&text).ok(), Some(value));
    }
}
