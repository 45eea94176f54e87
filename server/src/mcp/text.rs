//! The short form of an answer in plain text.
//!
//! The payload goes once, in `structuredContent`. A second copy of it as JSON text, which the specification suggests for old
//! clients, would double what a search costs a model's context. A bare pointer would leave those with nothing who read texts
//! only. So the text has what a model needs for its next step: refs, one line each, and the names of arguments.

use std::collections::HashSet;
use std::fmt::Write as _;

use serde_json::Value;

use crate::doors::wire::{HitBody, NamespacesAnswer, ParameterBody, SearchToolsAnswer, ToolBody, ToolDetailsAnswer};

/// The most characters of a tool's description.
const DESCRIPTION_CHARS_MAX: usize = 600;
/// The most arguments of a tool.
const ARGUMENTS_MAX: usize = 40;

pub(super) fn search(answer: &SearchToolsAnswer) -> String {
    let mut text = match answer.hits.len() {
        0 if answer.omitted > 0 => "No hit fits into max_tokens; ask for more, or leave explain out.".to_owned(),
        0 => "No tool was found. Say it in other words, leave filters out, or see list_namespaces for what there is."
            .to_owned(),
        n => format!("{n} {}, best first:", if n == 1 { "tool" } else { "tools" }),
    };
    if !answer.hits.is_empty() && !answer.parts.is_empty() {
        let parts: Vec<String> =
            (1..).zip(&answer.parts).map(|(place, part)| format!("({place}) {}", one_line(part))).collect();
        let _ = write!(text, "\nParts of the query: {}", parts.join("; "));
    }
    for (place, hit) in (1..).zip(&answer.hits) {
        let HitBody { reference, summary, parameters, deprecation, part, alternatives, more_alternatives, .. } = hit;
        // Writing to a string cannot fail, here and below.
        let _ = write!(text, "\n{place}. {reference}");
        if let Some(parameters) = parameters {
            let all: Vec<String> = parameters.iter().take(ARGUMENTS_MAX).map(argument).collect();
            let _ = write!(text, " ({})", all.join(", "));
        }
        if let Some(summary) = summary {
            let _ = write!(text, ": {}", one_line(summary));
        }
        if let Some(deprecation) = deprecation {
            let _ = write!(text, " [deprecated: {}]", one_line(deprecation));
        }
        if let Some(part) = part {
            let _ = write!(text, " [for part ({})]", part + 1);
        }
        if let Some(alternatives) = alternatives {
            let more = more_alternatives.map(|n| format!(" and {n} more")).unwrap_or_default();
            let _ = write!(text, " [the same: {}{more}]", alternatives.join(", "));
        }
    }
    // Without a hit the first line says as much.
    if let Some(advice) = answer.advice.filter(|_| !answer.hits.is_empty()) {
        let _ = write!(text, "\n{advice}");
    }
    if let Some(cursor) = &answer.next_cursor {
        let _ = write!(text, "\nThere are more: the same again with cursor {cursor}");
    }
    if !answer.degraded.is_empty() {
        let _ = write!(text, "\nOrdered without: {}", answer.degraded.join(", "));
    }
    text
}

pub(super) fn details(answer: &ToolDetailsAnswer) -> String {
    let mut text = String::new();
    for found in &answer.tools {
        let Some(tool) = &found.tool else {
            let _ = writeln!(text, "{}: not found", one_line(&found.reference));
            continue;
        };
        let ToolBody { reference, description, input_schema, .. } = tool;
        let _ = writeln!(text, "{reference}: {}", one_line(description));
        let arguments = input_schema.as_ref().map(arguments).unwrap_or_default();
        let _ = writeln!(text, "  arguments: {}", if arguments.is_empty() { "none" } else { &arguments });
    }
    text.push_str("The full schemas are in structuredContent.");
    text
}

/// `by_prefix`: whether only those were listed that begin so.
pub(super) fn namespaces(answer: &NamespacesAnswer, by_prefix: bool) -> String {
    let mut text = match answer.namespaces.len() {
        0 if by_prefix => {
            "No namespace that begins so holds a tool that you may use; list without a prefix to see all.".to_owned()
        }
        0 => "No namespace holds a tool that you may use.".to_owned(),
        n => format!("{n} {}:", if n == 1 { "namespace" } else { "namespaces" }),
    };
    for one in &answer.namespaces {
        let _ = write!(text, "\n{}://{}: {} tools", one.source, one.namespace, one.n_tools);
    }
    if let Some(cursor) = &answer.next_cursor {
        let _ = write!(text, "\nThere are more: the same again with cursor {cursor}");
    }
    text
}

fn argument(parameter: &ParameterBody) -> String {
    let ParameterBody { name, kind, required } = parameter;
    // The schema is the source's, and its `type` any text.
    let kind = kind.as_ref().map(|kind| format!(": {}", one_line(kind))).unwrap_or_default();
    format!("{}{}{kind}", one_line(name), if *required { "" } else { "?" })
}

/// The outermost arguments of a schema, those that must be given first.
fn arguments(schema: &Value) -> String {
    // As a set: a schema may have thousands of properties, and name all of them.
    let required: HashSet<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut all: Vec<ParameterBody> = schema["properties"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, property)| {
            let kind = property["type"].as_str().map(str::to_owned);
            ParameterBody { name: name.clone(), kind, required: required.contains(name.as_str()) }
        })
        .collect();
    all.sort_by_key(|parameter| !parameter.required);
    all.iter().take(ARGUMENTS_MAX).map(argument).collect::<Vec<_>>().join(", ")
}

/// A text of somebody else's as one line, so that it cannot look like the next hit.
fn one_line(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let line = words.collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(DESCRIPTION_CHARS_MAX) {
        Some((end, _)) => format!("{} …", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn no_description_looks_like_another_hit() {
        assert_eq!(one_line("a\n2. m://b.c: d\u{2028}e\r\u{1b}[31m"), "a 2. m://b.c: d e [31m");
        assert_eq!(one_line(&"ж".repeat(700)).chars().count(), DESCRIPTION_CHARS_MAX + 2);
    }

    #[test]
    fn what_fits_at_no_level_is_not_asked_for_at_a_lower_one() {
        let answer = SearchToolsAnswer {
            hits: Vec::new(),
            parts: Vec::new(),
            confidence: None,
            advice: None,
            next_cursor: None,
            generation: 1,
            degraded: Vec::new(),
            truncated: true,
            omitted: 1,
        };
        assert_eq!(search(&answer), "No hit fits into max_tokens; ask for more, or leave explain out.");
    }

    #[test]
    fn arguments_are_told_with_their_types_required_ones_first() {
        let schema = json!({ "properties": { "a": { "type": ["string", "null"] }, "b": { "type": "integer" } }, "required": ["b"] });
        assert_eq!(arguments(&schema), "b: integer, a?");
        let forged = json!({ "properties": { "a": { "type": "string)\n2. m://b.c (" } } });
        assert_eq!(arguments(&forged), "a?: string) 2. m://b.c (");
        assert_eq!(arguments(&json!(true)), "");
        assert_eq!(arguments(&json!({ "properties": [], "required": 1 })), "");
    }
}
