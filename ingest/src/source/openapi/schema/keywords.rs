//! What a schema says of itself, apart from what it contains, in the words of JSON Schema.

use serde_json::{Map, Value};

use super::Plan;
use crate::source::prose::cut;

/// The deepest nesting of a value (`default`, one of an `enum`) that is kept.
const VALUE_DEPTH_MAX: usize = 3;
/// The longest pattern, in bytes.
const PATTERN_BYTES_MAX: usize = 500;
/// JSON Schema's types.
pub(super) const TYPES: [&str; 7] = ["array", "boolean", "integer", "null", "number", "object", "string"];

/// Everything of a schema but what it contains.
pub(super) fn own_keywords(schema: &Map<String, Value>, plan: Plan) -> Map<String, Value> {
    let mut out = Map::new();
    let mut put = |key: &str, value: Value| {
        out.insert(key.to_owned(), value);
    };
    let text = |key: &str| schema.get(key).and_then(Value::as_str);
    if let Some(kind) = kind(schema) {
        put("type", kind);
    }
    if text("type") == Some("file") {
        put("format", "binary".into());
    } else if let Some(format) = text("format").filter(|format| format.len() <= 100) {
        put("format", format.into());
    }
    let prose = text("description").map(str::trim).filter(|text| !text.is_empty()).or_else(|| text("title"));
    let description = cut(prose.unwrap_or_default(), plan.description_bytes);
    if !description.is_empty() {
        put("description", description.into());
    }
    if plan.truncates {
        return out;
    }
    if let Some(pattern) = text("pattern").filter(|pattern| pattern.len() <= PATTERN_BYTES_MAX) {
        put("pattern", pattern.into());
    }
    for key in ["contentEncoding", "contentMediaType"] {
        if let Some(word) = text(key).filter(|word| word.len() <= 100) {
            put(key, word.into());
        }
    }
    for key in ["default", "const"] {
        if let Some(value) = schema.get(key).filter(|value| is_small(value, plan)) {
            put(key, value.clone());
        }
    }
    if let Some(values) = schema.get("enum").filter(|values| values.is_array() && is_small(values, plan)) {
        put("enum", with_null(values, schema));
    }
    for key in ["minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties", "multipleOf"] {
        if let Some(number) = schema.get(key).filter(|value| value.is_number()) {
            put(key, number.clone());
        }
    }
    for (bound, exclusive) in [("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")] {
        // Until 3.0 the exclusive form is a flag, since 3.1 a number.
        match (schema.get(bound).filter(|value| value.is_number()), schema.get(exclusive)) {
            (Some(number), Some(Value::Bool(true))) => put(exclusive, number.clone()),
            (number, other) => {
                number.into_iter().for_each(|number| put(bound, number.clone()));
                other.filter(|value| value.is_number()).into_iter().for_each(|number| put(exclusive, number.clone()));
            }
        }
    }
    for key in ["uniqueItems", "deprecated"] {
        if schema.get(key) == Some(&Value::Bool(true)) {
            put(key, Value::Bool(true));
        }
    }
    out
}

fn is_small(value: &Value, plan: Plan) -> bool {
    !value.is_null() && left_after(value, plan.enum_bytes).is_some() && !is_deeper(value, VALUE_DEPTH_MAX)
}

/// What is left of so many bytes after the value's text; `None` for a longer one, of which no more than that is looked at.
fn left_after(value: &Value, left: usize) -> Option<usize> {
    match value {
        // The brackets and commas come first, so that a long list ends at once.
        Value::Array(items) => {
            let left = left.checked_sub(1 + items.len().max(1))?;
            items.iter().try_fold(left, |left, item| left_after(item, left))
        }
        Value::Object(map) => {
            let left = left.checked_sub(1 + map.len().max(1) + map.len())?;
            map.iter().try_fold(left, |left, (key, value)| left_after(value, left_after_text(key, left)?))
        }
        Value::String(text) => left_after_text(text, left),
        scalar => left.checked_sub(scalar.to_string().len()),
    }
}

fn left_after_text(text: &str, left: usize) -> Option<usize> {
    // What has to be escaped only makes it longer.
    if text.len() > left { None } else { left.checked_sub(Value::from(text).to_string().len()) }
}

/// The type, with `null` where the document says `nullable`; nothing where it is none of JSON Schema's.
pub(super) fn kind(schema: &Map<String, Value>) -> Option<Value> {
    let known = |value: &Value| value.as_str().filter(|kind| TYPES.contains(kind)).map(str::to_owned);
    let mut kinds: Vec<String> = match schema.get("type")? {
        Value::String(kind) if kind == "file" => vec!["string".to_owned()],
        Value::Array(kinds) if kinds.len() <= TYPES.len() => kinds.iter().map(known).collect::<Option<_>>()?,
        kind => vec![known(kind)?],
    };
    if schema.get("nullable") == Some(&Value::Bool(true)) {
        kinds.push("null".to_owned());
    }
    kinds.dedup();
    match kinds.len() {
        0 => None,
        1 => kinds.pop().map(Value::String),
        _ => Some(kinds.into()),
    }
}

/// The allowed values, with `null` where the document says `nullable`.
fn with_null(values: &Value, schema: &Map<String, Value>) -> Value {
    let mut values = values.as_array().cloned().unwrap_or_default();
    if schema.get("nullable") == Some(&Value::Bool(true)) && !values.contains(&Value::Null) {
        values.push(Value::Null);
    }
    values.into()
}

/// Whether the value nests deeper than `limit`.
fn is_deeper(value: &Value, limit: usize) -> bool {
    let mut children: Box<dyn Iterator<Item = &Value>> = match value {
        Value::Object(map) => Box::new(map.values()),
        Value::Array(items) => Box::new(items.iter()),
        _ => return false,
    };
    limit.checked_sub(1).is_none_or(|below| children.any(|child| is_deeper(child, below)))
}
