//! [`Schema`]: a tool's JSON Schema as canonical text, within limits.

use std::collections::HashSet;

use serde_json::{Map, Value};
use thiserror::Error;

/// The most bytes a schema's canonical text may have.
pub const SCHEMA_BYTES_MAX: usize = 256 * 1024;
/// The deepest nesting a schema may have.
pub const SCHEMA_DEPTH_MAX: usize = 48;
/// The most parameters that are read out of a schema, nested ones included.
const PARAMETERS_MAX: usize = 200;

/// A JSON Schema, kept as its canonical text: keys sorted, no white space. The same schema always has the same text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema(String);

/// Why a value is no schema for us.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SchemaError {
    /// Only an object (or `true`, which is read as an object) describes a tool's input or output.
    #[error("a tool's schema is a JSON object, not {0}")]
    NotAnObject(&'static str),
    /// Deeper than [`SCHEMA_DEPTH_MAX`].
    #[error("the schema is nested more than {SCHEMA_DEPTH_MAX} levels deep")]
    TooDeep,
    /// Larger than [`SCHEMA_BYTES_MAX`].
    #[error("the schema has {0} bytes, more than the {SCHEMA_BYTES_MAX} allowed")]
    TooLarge(usize),
    /// Not JSON at all.
    #[error("the schema is not JSON: {0}")]
    NotJson(String),
}

/// One parameter as a searcher reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// The property's name.
    pub name: String,
    /// Its JSON type where the schema states a single one.
    pub kind: Option<String>,
    /// Its description, or nothing.
    pub description: String,
    /// Whether its object requires it.
    pub required: bool,
    /// 0 for a parameter of the tool itself, more inside nested objects.
    pub depth: usize,
}

impl Schema {
    /// Takes a parsed value.
    ///
    /// # Errors
    /// [`SchemaError`] when it is no object, too deep or too large.
    pub fn from_value(value: &Value) -> Result<Self, SchemaError> {
        match value {
            Value::Object(_) => {}
            Value::Bool(true) => return Ok(Self("{}".to_owned())),
            Value::Null => return Err(SchemaError::NotAnObject("null")),
            Value::Bool(false) => return Err(SchemaError::NotAnObject("false")),
            Value::Number(_) => return Err(SchemaError::NotAnObject("a number")),
            Value::String(_) => return Err(SchemaError::NotAnObject("a string")),
            Value::Array(_) => return Err(SchemaError::NotAnObject("an array")),
        }
        if deeper_than(value, SCHEMA_DEPTH_MAX) {
            return Err(SchemaError::TooDeep);
        }
        let text = value.to_string();
        if text.len() > SCHEMA_BYTES_MAX { Err(SchemaError::TooLarge(text.len())) } else { Ok(Self(text)) }
    }

    /// Parses a text, canonical or not.
    ///
    /// # Errors
    /// [`SchemaError`] as for [`Schema::from_value`], or when it is not JSON.
    pub fn from_json(text: &str) -> Result<Self, SchemaError> {
        let value: Value = serde_json::from_str(text).map_err(|error| SchemaError::NotJson(error.to_string()))?;
        Self::from_value(&value)
    }

    /// Takes back a text that [`Schema::as_str`] gave, from a file whose checksum was verified.
    pub(crate) fn from_canonical(text: String) -> Self {
        Self(text)
    }

    /// The canonical text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The schema as a value. Costs a parse.
    pub fn to_value(&self) -> Value {
        serde_json::from_str(&self.0).unwrap_or(Value::Null)
    }

    /// The parameters, required ones first within each object, then by name; nested objects and array items after the
    /// parameter that holds them. At most 200, and where not all have room the nested ones are left out first.
    pub fn parameters(&self) -> Vec<Parameter> {
        let schema = self.to_value();
        let own: Vec<(Parameter, &Value)> = properties(&schema, 0).take(PARAMETERS_MAX).collect();
        let mut n_nested_max = PARAMETERS_MAX - own.len();
        let mut parameters = Vec::with_capacity(own.len());
        for (parameter, property) in own {
            parameters.push(parameter);
            collect_nested(property, 1, &mut n_nested_max, &mut parameters);
        }
        parameters
    }

    /// The tool's own parameters, without those of nested objects, in the same order. At most 200.
    pub fn own_parameters(&self) -> Vec<Parameter> {
        let schema = self.to_value();
        properties(&schema, 0).take(PARAMETERS_MAX).map(|(parameter, _)| parameter).collect()
    }
}

/// The properties of an object, each as a parameter and as it stands there.
fn properties(schema: &Value, depth: usize) -> impl Iterator<Item = (Parameter, &Value)> {
    let names = schema.get("required").and_then(Value::as_array).into_iter().flatten();
    let required: HashSet<&str> = names.filter_map(Value::as_str).collect();
    let properties = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    let mut properties: Vec<(&String, &Value)> = properties.collect();
    properties.sort_by_key(|(name, _)| (!required.contains(name.as_str()), name.as_str()));
    properties.into_iter().map(move |(name, property)| {
        let text = |key: &str| property.get(key).and_then(Value::as_str);
        let parameter = Parameter {
            name: name.clone(),
            kind: text("type").map(str::to_owned),
            description: text("description").or_else(|| text("title")).unwrap_or_default().to_owned(),
            required: required.contains(name.as_str()),
            depth,
        };
        (parameter, property)
    })
}

/// Adds what is nested in a property, as long as `n_max` lasts.
fn collect_nested(property: &Value, depth: usize, n_max: &mut usize, out: &mut Vec<Parameter>) {
    for object in [Some(property), property.get("items")].into_iter().flatten() {
        for (parameter, property) in properties(object, depth) {
            if *n_max == 0 {
                return;
            }
            *n_max -= 1;
            out.push(parameter);
            collect_nested(property, depth + 1, n_max, out);
        }
    }
}

/// Whether the value nests deeper than `limit`. Bounded by `limit` itself, so it cannot exhaust the stack.
fn deeper_than(value: &Value, limit: usize) -> bool {
    let Some(below) = limit.checked_sub(1) else {
        return matches!(value, Value::Object(_) | Value::Array(_));
    };
    match value {
        Value::Object(map) => Map::values(map).any(|child| deeper_than(child, below)),
        Value::Array(items) => items.iter().any(|child| deeper_than(child, below)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_same_schema_has_the_same_text() {
        let one = Schema::from_json(r#"{ "type":"object", "properties":{"b":{},"a":{}} }"#);
        let two = Schema::from_json(r#"{"properties":{"a":{},"b":{}},"type":"object"}"#);
        assert_eq!(one, two);
    }

    #[test]
    fn limits_are_refusals() {
        let nested = |levels: usize| (0..levels).fold(json!({}), |inner, _| json!({ "p": inner }));
        assert!(Schema::from_value(&nested(SCHEMA_DEPTH_MAX - 1)).is_ok());
        assert_eq!(Schema::from_value(&nested(SCHEMA_DEPTH_MAX)), Err(SchemaError::TooDeep));
        let large = json!({ "description": "x".repeat(SCHEMA_BYTES_MAX) });
        assert_eq!(Schema::from_value(&large), Err(SchemaError::TooLarge(SCHEMA_BYTES_MAX + 18)));
        assert_eq!(Schema::from_value(&json!([1])), Err(SchemaError::NotAnObject("an array")));
        assert!(matches!(Schema::from_json("{"), Err(SchemaError::NotJson(_))));
    }

    #[test]
    fn parameters_are_read_required_first_and_nested_after_their_holder() {
        let schema = Schema::from_value(&json!({
            "properties": {
                "body": { "type": "object", "properties": { "title": { "type": "string", "description": "Its title" } } },
                "id": { "type": "string" },
            },
            "required": ["id"],
        }))
        .expect("a schema");
        let names: Vec<(String, usize)> = schema.parameters().into_iter().map(|p| (p.name, p.depth)).collect();
        assert_eq!(names, [("id".into(), 0), ("body".into(), 0), ("title".into(), 1)]);
    }

    #[test]
    fn own_parameters_are_read_however_many_are_nested_before_them() {
        let nested: Map<String, Value> = (0..PARAMETERS_MAX).map(|n| (format!("p{n}"), json!({}))).collect();
        let schema = Schema::from_value(&json!({
            "properties": { "body": { "properties": nested }, "id": {}, "list": { "items": { "properties": nested } } },
            "required": ["body", "id"],
        }))
        .expect("a schema");
        let own = |parameters: Vec<Parameter>| -> Vec<String> {
            parameters.into_iter().filter(|parameter| parameter.depth == 0).map(|parameter| parameter.name).collect()
        };
        assert_eq!(schema.parameters().len(), PARAMETERS_MAX);
        assert_eq!(own(schema.parameters()), ["body", "id", "list"]);
        assert_eq!(own(schema.own_parameters()), ["body", "id", "list"]);
        assert_eq!(schema.own_parameters().len(), 3);

        let wide: Map<String, Value> = (0..=PARAMETERS_MAX).map(|n| (format!("p{n}"), json!({}))).collect();
        let wide = Schema::from_value(&json!({ "properties": wide })).expect("a schema");
        assert_eq!((wide.parameters().len(), wide.own_parameters().len()), (PARAMETERS_MAX, PARAMETERS_MAX));
    }
}
