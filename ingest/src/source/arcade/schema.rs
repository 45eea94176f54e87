//! Arcade's value schemas -> JSON Schema, as Arcade's own MCP server translates them.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};

#[derive(Debug, Deserialize)]
pub(super) struct Input {
    parameters: Vec<Parameter>,
}

#[derive(Debug, Deserialize)]
struct Parameter {
    name: String,
    required: bool,
    #[serde(default)]
    description: Option<String>,
    value_schema: ValueSchema,
}

#[derive(Debug, Deserialize)]
pub(super) struct Output {
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    value_schema: Option<ValueSchema>,
}

/// `inner_…` is said of an array's items.
#[derive(Debug, Deserialize)]
struct ValueSchema {
    val_type: Kind,
    #[serde(default)]
    inner_val_type: Option<Kind>,
    #[serde(default, rename = "enum")]
    values: Option<Vec<String>>,
    #[serde(default)]
    properties: Option<BTreeMap<String, ValueSchema>>,
    #[serde(default)]
    inner_properties: Option<BTreeMap<String, ValueSchema>>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    required_keys: Option<Vec<String>>,
    #[serde(default)]
    inner_required_keys: Option<Vec<String>>,
    #[serde(default)]
    nullable: Option<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    String,
    Integer,
    Number,
    Boolean,
    Json,
    Array,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::Json => "object",
            Self::Array => "array",
        }
    }
}

/// What the tool takes: an object of its parameters and nothing else.
pub(super) fn of_input(input: &Input) -> Result<Value, String> {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for Parameter { name, required: is_required, description, value_schema } in &input.parameters {
        let mut schema = of_value(value_schema, name)?;
        describe(&mut schema, description.as_deref().or(value_schema.description.as_deref()));
        if properties.insert(name.clone(), Value::Object(schema)).is_some() {
            return Err(format!("it has two parameters named {name:?}"));
        }
        if *is_required {
            required.push(name.as_str());
        }
    }
    let mut schema = json!({ "type": "object", "properties": properties, "additionalProperties": false });
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    Ok(schema)
}

/// The value that a call gives back, where the worker says what it is.
pub(super) fn of_output(output: &Output) -> Result<Option<Value>, String> {
    let Some(value_schema) = &output.value_schema else { return Ok(None) };
    let mut schema = of_value(value_schema, "output")?;
    describe(&mut schema, output.description.as_deref().or(value_schema.description.as_deref()));
    Ok(Some(Value::Object(schema)))
}

/// `place` names the value in a refusal. The depth is that of a parsed JSON text, which serde_json bounds at 128.
fn of_value(value: &ValueSchema, place: &str) -> Result<Map<String, Value>, String> {
    let ValueSchema { val_type, inner_val_type, values, nullable, .. } = value;
    let mut schema = match val_type {
        Kind::Json => object(value.properties.as_ref(), value.required_keys.as_ref(), place)?,
        Kind::Array => {
            let mut schema = typed(Kind::Array);
            if let Some(inner) = inner_val_type {
                let mut items = match inner {
                    Kind::Json => object(value.inner_properties.as_ref(), value.inner_required_keys.as_ref(), place)?,
                    inner => typed(*inner),
                };
                // On an array, the closed list is one of items.
                restrict(&mut items, *inner, values.as_deref(), place)?;
                schema.insert("items".to_owned(), Value::Object(items));
            }
            schema
        }
        kind => typed(*kind),
    };
    if *val_type != Kind::Array {
        restrict(&mut schema, *val_type, values.as_deref(), place)?;
    }
    if *nullable == Some(true) {
        schema.insert("type".to_owned(), json!([val_type.name(), "null"]));
        if let Some(Value::Array(values)) = schema.get_mut("enum") {
            values.push(Value::Null);
        }
    }
    Ok(schema)
}

fn typed(kind: Kind) -> Map<String, Value> {
    Map::from_iter([("type".to_owned(), json!(kind.name()))])
}

/// An object whose keys are known has no others; one whose keys are not said takes any.
fn object(
    properties: Option<&BTreeMap<String, ValueSchema>>,
    required: Option<&Vec<String>>,
    place: &str,
) -> Result<Map<String, Value>, String> {
    let mut schema = typed(Kind::Json);
    if let Some(properties) = properties {
        let mut inner = Map::new();
        for (name, value) in properties {
            let mut property = of_value(value, &format!("{place}.{name}"))?;
            describe(&mut property, value.description.as_deref());
            inner.insert(name.clone(), Value::Object(property));
        }
        schema.insert("properties".to_owned(), Value::Object(inner));
        schema.insert("additionalProperties".to_owned(), json!(false));
    }
    if let Some(required) = required.filter(|required| !required.is_empty()) {
        schema.insert("required".to_owned(), json!(required));
    }
    Ok(schema)
}

/// Closed lists hold texts, so they say something of texts only.
fn restrict(schema: &mut Map<String, Value>, kind: Kind, values: Option<&[String]>, place: &str) -> Result<(), String> {
    match values {
        None | Some([]) => Ok(()),
        Some(values) if kind == Kind::String => {
            schema.insert("enum".to_owned(), json!(values));
            Ok(())
        }
        Some(_) => {
            Err(format!("{place:?} is a closed list of texts and of the type {}, which no value can be", kind.name()))
        }
    }
}

fn describe(schema: &mut Map<String, Value>, description: Option<&str>) {
    if let Some(description) = description.filter(|text| !text.trim().is_empty()) {
        schema.insert("description".to_owned(), json!(description));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn translate(value_schema: Value) -> Result<Value, String> {
        let input = json!({ "parameters": [{ "name": "p", "required": false, "value_schema": value_schema }] });
        let input: Input = serde_json::from_value(input).map_err(|error| error.to_string())?;
        of_input(&input).map(|schema| schema["properties"]["p"].clone())
    }

    #[test]
    fn every_type_has_its_schema() {
        let check = |value: Value, expected: Value| assert_eq!(translate(value), Ok(expected));
        check(json!({"val_type": "boolean"}), json!({"type": "boolean"}));
        check(json!({"val_type": "json"}), json!({"type": "object"}));
        check(json!({"val_type": "array"}), json!({"type": "array"}));
        check(
            json!({"val_type": "string", "enum": ["a", "b"], "nullable": true, "description": "d"}),
            json!({"type": ["string", "null"], "enum": ["a", "b", null], "description": "d"}),
        );
        check(
            json!({"val_type": "array", "inner_val_type": "string", "enum": ["a"], "nullable": true}),
            json!({"type": ["array", "null"], "items": {"type": "string", "enum": ["a"]}}),
        );
        check(
            json!({"val_type": "array", "inner_val_type": "json", "inner_required_keys": ["k"],
                   "inner_properties": {"k": {"val_type": "json", "properties": {}, "description": "deep"}}}),
            json!({"type": "array", "items": {"type": "object", "required": ["k"], "additionalProperties": false,
                   "properties": {"k": {"type": "object", "properties": {}, "additionalProperties": false,
                                        "description": "deep"}}}}),
        );
    }

    #[test]
    fn an_unknown_or_impossible_type_is_refused() {
        assert!(translate(json!({"val_type": "date"})).is_err_and(|error| error.contains("date")));
        assert!(translate(json!({"val_type": "integer", "enum": ["1"]})).is_err_and(|error| error.contains("\"p\"")));
        let twice = json!({"name": "a", "required": true, "value_schema": {"val_type": "string"}});
        let input: Input = serde_json::from_value(json!({"parameters": [twice, twice]})).expect("an input");
        assert!(of_input(&input).is_err_and(|error| error.contains("two parameters")));
    }
}
