//! [`standing_alone`]: the JSON Schema of a wire type, made by the macros that make the OpenAPI document.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::doors::wire::REF_FORMAT;

/// What an OpenAPI document's references to its own types begin with.
const REFERENCE: &str = "#/components/schemas/";
/// Formats that are OpenAPI's or ours, and no JSON Schema's.
const OTHER_FORMATS: [&str; 5] = ["int32", "int64", "float", "double", REF_FORMAT];
/// The most types inside each other. No wire type holds itself; one that did would end here.
const DEPTH_MAX: usize = 16;

/// The schema (2020-12) with every type it names put in its place: many models read no references.
pub(crate) fn standing_alone<T: ToSchema>() -> Map<String, Value> {
    let mut schemas = vec![(T::name().into_owned(), T::schema())];
    T::schemas(&mut schemas);
    let types: BTreeMap<String, Value> = schemas.into_iter().map(|(name, schema)| (name, json!(schema))).collect();
    let root = types.get(T::name().as_ref()).cloned().unwrap_or_default();
    match inlined(root, &types, 0) {
        Value::Object(schema) => schema,
        _ => Map::new(),
    }
}

/// The same for what a caller writes: null says as much as nothing does, and is left out, for fewer models know such types.
pub(crate) fn of_arguments<T: ToSchema>() -> Map<String, Value> {
    match without_null(Value::Object(standing_alone::<T>())) {
        Value::Object(schema) => schema,
        _ => Map::new(),
    }
}

fn without_null(schema: Value) -> Value {
    match schema {
        Value::Object(mut members) => {
            if members.get("default").is_some_and(Value::is_null) {
                members.remove("default");
            }
            if let Some(Value::Array(types)) = members.get_mut("type") {
                types.retain(|kind| kind != "null");
                if let [one] = types.as_slice() {
                    let one = one.clone();
                    members.insert("type".to_owned(), one);
                }
            }
            if let Some(Value::Array(mut choices)) = members.remove("oneOf") {
                choices.retain(|choice| choice["type"] != "null");
                match (choices.len(), choices.pop()) {
                    // What stands beside the choice describes the argument, and the choice its type.
                    (1, Some(Value::Object(only))) => members = only.into_iter().chain(members).collect(),
                    (_, last) => {
                        choices.extend(last);
                        members.insert("oneOf".to_owned(), Value::Array(choices));
                    }
                }
            }
            Value::Object(members.into_iter().map(|(key, value)| (key, without_null(value))).collect())
        }
        Value::Array(entries) => entries.into_iter().map(without_null).collect(),
        other => other,
    }
}

fn inlined(schema: Value, types: &BTreeMap<String, Value>, depth: usize) -> Value {
    match schema {
        Value::Object(mut members) => {
            let target = members.get("$ref").and_then(Value::as_str).and_then(|to| to.strip_prefix(REFERENCE));
            if let Some(Value::Object(target)) = target.and_then(|name| types.get(name)).cloned() {
                members.remove("$ref");
                // What stands beside a reference (a description) says more than the type does.
                let merged = target.into_iter().chain(members).collect();
                return if depth < DEPTH_MAX { inlined(Value::Object(merged), types, depth + 1) } else { json!({}) };
            }
            let is_other = |format: &Value| OTHER_FORMATS.iter().any(|known| format == known);
            if members.get("format").is_some_and(is_other) {
                members.remove("format");
            }
            Value::Object(members.into_iter().map(|(key, value)| (key, inlined(value, types, depth))).collect())
        }
        Value::Array(entries) => entries.into_iter().map(|entry| inlined(entry, types, depth)).collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doors::wire::{SearchToolsAnswer, SearchToolsRequest};

    #[test]
    fn a_schema_stands_alone_and_says_the_limits() {
        let schema = Value::Object(of_arguments::<SearchToolsRequest>());
        assert_eq!(schema["type"], "object");
        assert_eq!(schema["additionalProperties"], false);
        assert_eq!(schema["properties"]["limit"]["maximum"], 50);
        assert_eq!(schema["properties"]["filter"]["properties"]["tags"]["maxItems"], 64);
        assert_eq!(schema["required"], json!(["query"]));
        assert_eq!(
            (&schema["properties"]["limit"]["type"], &schema["properties"]["mode"]["type"]),
            (&json!("integer"), &json!("string"))
        );
        assert!(!schema.to_string().contains("null"), "{schema}");
        for text in [schema.to_string(), Value::Object(standing_alone::<SearchToolsAnswer>()).to_string()] {
            assert!(!text.contains("$ref") && !text.contains("int64") && text.len() < 16_000, "{text}");
        }
    }
}
