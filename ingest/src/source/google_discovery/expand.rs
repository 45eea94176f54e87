//! Discovery's schemas -> JSON Schema, with every `$ref` resolved within bounds.
//!
//! Discovery schemas are a dialect of JSON Schema draft 3 that refer to each other freely, in circles too. A tool's schema
//! has to stand alone and stay readable, so references are followed a few levels deep, and a reference beyond that becomes
//! `{"type": "object"}` with its name and description. How deep depends on what it costs: of a list of ever plainer ways to
//! write the schema, the first whose text stays within the budget is taken. So all branches of one schema are equally deep,
//! and none of them eats the rest.

use serde_json::{Map, Number, Value, json};

use crate::source::prose::cut;

/// How a request's body may be written: how deep references are followed, and the longest description of a field, in
/// bytes. Short descriptions of two levels help more to call a tool than long ones of one.
const REQUEST_PLANS: &[Plan] = &[(4, 300), (3, 300), (2, 300), (2, 120), (2, 50), (1, 300), (1, 100), (1, 0)];
/// How large a body's schema may grow, in bytes of text.
const REQUEST_BYTES_MAX: usize = 16 * 1024;
/// How a response may be written; it is read less.
const RESPONSE_PLANS: &[Plan] = &[(2, 300), (2, 100), (1, 300), (1, 100), (1, 0)];
/// How large a response's schema may grow, in bytes of text.
const RESPONSE_BYTES_MAX: usize = 4 * 1024;
/// How deep arrays and objects may be written into each other without a reference.
const INLINE_DEPTH_MAX: usize = 8;
/// The longest description of a schema of which only the names of its fields fit, in bytes.
const OUTLINE_DESCRIPTION_BYTES_MAX: usize = 300;
/// The longest description of a parameter or of one enum value, in bytes.
const PARAMETER_DESCRIPTION_BYTES_MAX: usize = 1_500;

/// The deepest reference that is followed, and the longest description in bytes.
type Plan = (usize, usize);

/// Expands the schemas of one document.
pub(super) struct Expander<'a> {
    schemas: Option<&'a Map<String, Value>>,
}

/// One attempt at an expansion.
struct Attempt<'a, 'b> {
    schemas: Option<&'a Map<String, Value>>,
    /// The method whose request is expanded: some fields are required by some methods only. `None` for a response.
    request_of: Option<&'b str>,
    depth_max: usize,
    description_bytes_max: usize,
    bytes_left: usize,
    /// The references that are being followed.
    path: Vec<&'a str>,
}

/// The attempt grew beyond its budget.
struct OverBudget;

impl<'a> Expander<'a> {
    /// Takes a document's `schemas`.
    pub fn new(schemas: Option<&'a Value>) -> Self {
        Self { schemas: schemas.and_then(Value::as_object) }
    }

    /// The schema of a request's body, for the method `id`. Fields that only the server sets are left out.
    pub fn body(&self, name: &'a str, id: &str) -> Value {
        self.expand(name, Some(id), REQUEST_PLANS, REQUEST_BYTES_MAX)
    }

    /// The schema of a response.
    pub fn response(&self, name: &'a str) -> Value {
        self.expand(name, None, RESPONSE_PLANS, RESPONSE_BYTES_MAX)
    }

    fn expand(&self, name: &'a str, request_of: Option<&str>, plans: &[Plan], bytes_max: usize) -> Value {
        for &(depth_max, description_bytes_max) in plans {
            let mut attempt = Attempt {
                schemas: self.schemas,
                request_of,
                depth_max,
                description_bytes_max,
                bytes_left: bytes_max,
                path: Vec::new(),
            };
            if let Ok(value) = attempt.reference(name, None) {
                return value;
            }
        }
        self.outline(name, request_of, bytes_max)
    }

    /// The names and types of a schema's own fields, as many as fit.
    fn outline(&self, name: &str, request_of: Option<&str>, bytes_max: usize) -> Value {
        let mut properties = Map::new();
        let mut bytes_left = bytes_max;
        let fields = self.schemas.and_then(|schemas| schemas.get(name)?.get("properties")?.as_object());
        for (field, value) in fields.into_iter().flatten() {
            if request_of.is_some() && is_output_only(value) {
                continue;
            }
            let kind = value.get("type").and_then(Value::as_str).unwrap_or("object");
            let Some(left) = bytes_left.checked_sub(field.len() + kind.len() + 16) else { break };
            bytes_left = left;
            properties.insert(field.clone(), json!({ "type": kind }));
        }
        let mut outline = stub(name, self.schemas.and_then(|schemas| schemas.get(name)), OUTLINE_DESCRIPTION_BYTES_MAX);
        outline["properties"] = Value::Object(properties);
        outline
    }
}

impl<'a> Attempt<'a, '_> {
    /// Follows a reference; `description` is what the place of the reference says of it.
    fn reference(&mut self, name: &'a str, description: Option<&str>) -> Result<Value, OverBudget> {
        let target = self.schemas.and_then(|schemas| schemas.get_key_value(name));
        let mut value = match target {
            Some((key, schema)) if self.path.len() < self.depth_max && !self.path.contains(&name) => {
                self.path.push(key);
                let value = self.schema(schema, INLINE_DEPTH_MAX);
                self.path.pop();
                value?
            }
            target => {
                let stub = stub(name, target.map(|(_, schema)| schema), self.description_bytes_max);
                self.spend(stub.to_string().len())?;
                stub
            }
        };
        if let Some(description) = description {
            let description = cut(description, self.description_bytes_max);
            self.spend(description.len())?;
            if !description.is_empty() {
                value["description"] = description.into();
            }
        }
        Ok(value)
    }

    fn schema(&mut self, schema: &'a Value, inline_depth: usize) -> Result<Value, OverBudget> {
        if let Some(name) = schema.get("$ref").and_then(Value::as_str) {
            return self.reference(name, schema.get("description").and_then(Value::as_str));
        }
        let mut out = scalar(schema, self.description_bytes_max);
        self.spend(Value::Object(out.clone()).to_string().len())?;
        let Some(below) = inline_depth.checked_sub(1) else { return Ok(Value::Object(out)) };
        if let Some(items) = schema.get("items") {
            out.insert("items".to_owned(), self.schema(items, below)?);
        }
        if let Some(values) = schema.get("additionalProperties").filter(|values| values.is_object()) {
            out.insert("additionalProperties".to_owned(), self.schema(values, below)?);
        }
        if let Some(fields) = schema.get("properties").and_then(Value::as_object) {
            let mut properties = Map::new();
            let mut required = Vec::new();
            for (name, field) in fields {
                if self.request_of.is_some() && is_output_only(field) {
                    continue;
                }
                self.spend(name.len() + 4)?;
                if self.is_required(field) {
                    required.push(Value::from(name.as_str()));
                }
                properties.insert(name.clone(), self.schema(field, below)?);
            }
            out.insert("properties".to_owned(), Value::Object(properties));
            if !required.is_empty() {
                out.insert("required".to_owned(), Value::Array(required));
            }
        }
        Ok(Value::Object(out))
    }

    /// Whether the method needs the field: Discovery lists the methods that do.
    fn is_required(&self, field: &Value) -> bool {
        let methods = field.get("annotations").and_then(|annotations| annotations.get("required"));
        let methods = methods.and_then(Value::as_array);
        methods
            .is_some_and(|methods| self.request_of.is_some() && methods.iter().any(|id| id.as_str() == self.request_of))
    }

    fn spend(&mut self, bytes: usize) -> Result<(), OverBudget> {
        self.bytes_left = self.bytes_left.checked_sub(bytes).ok_or(OverBudget)?;
        Ok(())
    }
}

/// A path or query parameter as JSON Schema; where it goes stands in `x-location`.
pub(super) fn parameter(value: &Value) -> Value {
    let mut out = scalar(value, PARAMETER_DESCRIPTION_BYTES_MAX);
    if value.get("repeated") == Some(&Value::Bool(true)) {
        let description = out.remove("description");
        out = Map::from_iter([("type".to_owned(), "array".into()), ("items".to_owned(), Value::Object(out))]);
        out.extend(description.map(|description| ("description".to_owned(), description)));
    }
    if let Some(location) = value.get("location").and_then(Value::as_str) {
        out.insert("x-location".to_owned(), location.into());
    }
    Value::Object(out)
}

/// Everything of a schema but what it contains.
fn scalar(schema: &Value, description_bytes_max: usize) -> Map<String, Value> {
    let mut out = Map::new();
    let text = |key: &str| schema.get(key).and_then(Value::as_str);
    // "any" is the absence of a type.
    let kind = text("type").filter(|&kind| kind != "any");
    for (key, value) in [("type", kind), ("format", text("format")), ("pattern", text("pattern"))] {
        if let Some(value) = value {
            out.insert(key.to_owned(), value.into());
        }
    }
    let description = cut(text("description").unwrap_or_default(), description_bytes_max);
    if !description.is_empty() {
        out.insert("description".to_owned(), description.into());
    }
    // Discovery writes these as texts, whatever the type is.
    for key in ["default", "minimum", "maximum"] {
        if let Some(value) =
            text(key).and_then(|value| typed(value, if key == "default" { kind } else { Some("number") }))
        {
            out.insert(key.to_owned(), value);
        }
    }
    if let Some(values) = schema.get("enum").filter(|values| values.is_array()) {
        out.insert("enum".to_owned(), values.clone());
    }
    if let Some(descriptions) = schema.get("enumDescriptions").and_then(Value::as_array) {
        let descriptions: Vec<String> =
            descriptions.iter().map(|text| cut(text.as_str().unwrap_or_default(), description_bytes_max)).collect();
        if descriptions.iter().any(|text| !text.is_empty()) {
            out.insert("x-enum-descriptions".to_owned(), descriptions.into());
        }
    }
    if schema.get("deprecated") == Some(&Value::Bool(true)) {
        out.insert("deprecated".to_owned(), Value::Bool(true));
    }
    out
}

/// A value that is written as a text, as its type means it; `None` when it is not of that type.
fn typed(text: &str, kind: Option<&str>) -> Option<Value> {
    match kind {
        Some("boolean") => text.parse::<bool>().ok().map(Value::from),
        Some("integer" | "number") => match text.parse::<i64>() {
            Ok(integer) => Some(integer.into()),
            Err(_) => text.parse::<f64>().ok().and_then(Number::from_f64).map(Value::Number),
        },
        _ => Some(text.into()),
    }
}

/// What stands for a schema that is not expanded.
fn stub(name: &str, schema: Option<&Value>, description_bytes_max: usize) -> Value {
    let description = schema.and_then(|schema| schema.get("description")).and_then(Value::as_str).unwrap_or_default();
    let text = if description.is_empty() { name.to_owned() } else { format!("{name}: {description}") };
    match cut(&text, description_bytes_max) {
        text if text.is_empty() => json!({ "type": "object" }),
        text => json!({ "type": "object", "description": text }),
    }
}

/// A field that the server sets: marked, or (as in most documents) said so in its first words.
fn is_output_only(field: &Value) -> bool {
    let described = field.get("description").and_then(Value::as_str);
    field.get("readOnly") == Some(&Value::Bool(true))
        || described.is_some_and(|text| text.starts_with("Output only") || text.starts_with("[Output Only]"))
}
