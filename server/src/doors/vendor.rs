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

/// The most characters of a tool's name at both vendors, who take letters, digits, `_` and `-`.
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
            let tool = |hit: HitBody| AnthropicTool {
                name: name(&hit.reference),
                description: hit.description.unwrap_or_default(),
                input_schema: parameters(hit.input_schema),
                defer_loading: true,
            };
            let tools: Vec<AnthropicTool> = hits.into_iter().map(tool).collect();
            let content =
                tools.iter().map(|tool| ToolReference { kind: "tool_reference", tool_name: tool.name.clone() });
            let content = content.collect();
            ShapedAnswer::Anthropic(AnthropicAnswer { content, tools, refs, next_cursor, generation, degraded })
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
    let digest = Sha256::digest(reference.as_bytes());
    let digest = URL_SAFE_NO_PAD.encode(digest.get(..DIGEST_BYTES).unwrap_or(&digest));
    let path = reference.split_once("://").map_or(reference, |(_, path)| path);
    let path = path.split('@').next().unwrap_or(path);
    let is_taken = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let readable: String = path.chars().map(|c| if is_taken(c) { c } else { '_' }).collect();
    // All of it is ASCII by now. The end says more of what a tool does than the beginning.
    let start = readable.len().saturating_sub(NAME_CHARS_MAX - 1 - digest.len());
    format!("{}_{digest}", readable.get(start..).unwrap_or_default())
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
}
