//! [`Input`]: what an operation takes, gathered from its parameters and body and written as one schema.
//!
//! Parameters are the properties; the request's body is the one property `body` (`request_body` where a parameter has that
//! name). It is not merged into them, for a body may be a list or one of several forms, and its fields may be called like a
//! parameter; the index reads the fields inside it all the same. Where each goes stands in `x-location` (`path`, `query`,
//! `header`, `cookie`, `body`), a body's media type in `x-media-type`. Two parameters of one name, told apart by their place,
//! become `id` and `query_id`, and `x-name` keeps what it is called on the wire. Swagger 2.0's form fields are a body.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::library::{Library, Place};
use super::media::{self, Media};
use super::schema::{Direction, OverBudget, Plan, REQUEST_BYTES_MAX, REQUEST_PLANS, Writer};

/// The most parameters of one operation; the largest real one has fewer than 500.
const PARAMETERS_MAX: usize = 2_000;
/// How much longer the description of a parameter may be than that of a field: it tells how to call the tool.
const PARAMETER_DESCRIPTION_FACTOR: usize = 4;
/// Headers that whoever makes the call sets by itself: OpenAPI says to ignore a parameter of such a name.
const OWN_HEADERS: [&str; 3] = ["accept", "authorization", "content-type"];

/// What an operation takes.
pub(super) struct Input<'a> {
    library: &'a Library,
    parameters: Vec<Parameter<'a>>,
    body: Option<Body<'a>>,
}

/// One parameter, or one field of a form.
#[derive(Clone, Copy)]
struct Parameter<'a> {
    name: &'a str,
    location: &'a str,
    required: bool,
    description: &'a str,
    deprecated: bool,
    /// Its schema; in Swagger 2.0 that is the parameter itself.
    schema: Option<Place<'a>>,
}

/// The request's body.
struct Body<'a> {
    required: bool,
    description: &'a str,
    media_type: Option<&'a str>,
    content: Content<'a>,
}

enum Content<'a> {
    Schema(Option<Place<'a>>),
    Form(Vec<Parameter<'a>>),
}

impl<'a> Input<'a> {
    /// Gathers the parameters of an operation and those of its path, and its body. `path` is the path's template:
    /// what it names and nobody declares is a parameter too, for without it there is no call.
    ///
    /// # Errors
    /// A sentence that says what cannot be read.
    pub fn of(library: &'a Library, path: &'a str, items: &[Place<'a>], operation: Place<'a>) -> Result<Self, String> {
        let mut input = Self { library, parameters: Vec::new(), body: None };
        let mut form = Vec::new();
        // What comes later counts less: the operation's own parameters replace those of its path.
        for holder in [operation].iter().chain(items) {
            input.gather(*holder, &mut form)?;
        }
        for name in template_names(path) {
            if !input.parameters.iter().any(|known| known.name == name && known.location == "path") {
                let (required, description, deprecated) = (true, "", false);
                input.parameters.push(Parameter {
                    name,
                    location: "path",
                    required,
                    description,
                    deprecated,
                    schema: None,
                });
            }
        }
        if let Some(body) = operation.get("requestBody") {
            input.body = Some(request_body(library, body)?);
        } else if !form.is_empty() {
            let required = form.iter().any(|field| field.required);
            let media_type = media::consumed(library, operation, &media::FORMS);
            input.body = Some(Body { required, description: "", media_type, content: Content::Form(form) });
        }
        // A stable sort: path, query, header, cookie, then whatever there is.
        input.parameters.sort_by_key(|parameter| rank(parameter.location));
        Ok(input)
    }

    fn gather(&mut self, holder: Place<'a>, form: &mut Vec<Parameter<'a>>) -> Result<(), String> {
        let Some(list) = holder.get("parameters") else { return Ok(()) };
        let list = list.value.as_array().ok_or("\"parameters\" is not a list")?;
        if list.len() + self.parameters.len() > PARAMETERS_MAX {
            return Err(format!("it has more than the {PARAMETERS_MAX} parameters allowed"));
        }
        for (position, value) in list.iter().enumerate() {
            let refuse = |reason: &str| format!("parameter number {}: {reason}", position + 1);
            let place = self.library.deref(holder.at(value)).map_err(|reason| refuse(&reason))?;
            if !place.value.is_object() {
                return Err(refuse("it is not an object"));
            }
            let text = |key: &str| place.value.get(key).and_then(Value::as_str);
            let name = text("name").ok_or_else(|| refuse("it has no \"name\""))?;
            let location = text("in").ok_or_else(|| refuse("it does not say where it goes (\"in\")"))?;
            let is_true = |key: &str| place.value.get(key) == Some(&Value::Bool(true));
            let parameter = Parameter {
                name,
                location,
                required: is_true("required") || location == "path",
                description: text("description").unwrap_or_default(),
                deprecated: is_true("deprecated"),
                schema: schema_of(self.library, place)?,
            };
            match location {
                "body" if self.body.is_none() => {
                    self.body = Some(Body {
                        required: parameter.required,
                        description: parameter.description,
                        media_type: media::consumed(self.library, holder, &media::PREFERRED),
                        content: Content::Schema(parameter.schema),
                    });
                }
                "body" => {}
                "formData" if form.iter().any(|known| known.name == name) => {}
                "formData" => form.push(parameter),
                "header" if OWN_HEADERS.contains(&name.to_ascii_lowercase().as_str()) => {}
                "path" | "query" | "header" | "cookie" | "querystring" => {
                    if !self.parameters.iter().any(|known| (known.name, known.location) == (name, location)) {
                        self.parameters.push(parameter);
                    }
                }
                other => return Err(refuse(&format!("it goes to an unknown place, {other:?}"))),
            }
        }
        Ok(())
    }

    /// Writes it by the first plan that fits.
    pub fn write(&self) -> Value {
        let fits = |plan: &Plan| self.write_by(*plan).ok();
        // The last plan always fits.
        REQUEST_PLANS.iter().find_map(fits).unwrap_or_else(|| json!({ "type": "object" }))
    }

    fn write_by(&self, plan: Plan) -> Result<Value, OverBudget> {
        let mut writer = Writer::new(self.library, Direction::Request, plan, REQUEST_BYTES_MAX);
        let (mut properties, mut required) = (Map::new(), Vec::new());
        // The body comes last, so that the plan that truncates shortens it first.
        for parameter in &self.parameters {
            let key = free_key(parameter, &properties);
            let mut schema = write_parameter(&mut writer, parameter)?;
            schema.insert("x-location".to_owned(), parameter.location.into());
            if key != parameter.name {
                schema.insert("x-name".to_owned(), parameter.name.into());
            }
            writer.spend(key.len() + 32)?;
            if parameter.required {
                writer.spend(key.len() + 3)?;
                required.push(Value::from(key.as_str()));
            }
            properties.insert(key, schema.into());
        }
        if let Some(body) = &self.body {
            let key = if properties.contains_key("body") { "request_body" } else { "body" };
            if body.required {
                required.push(key.into());
            }
            properties.insert(key.to_owned(), body.write(&mut writer)?.into());
        }
        let mut input = json!({ "type": "object", "properties": properties });
        if !required.is_empty() {
            input["required"] = required.into();
        }
        Ok(input)
    }
}

impl<'a> Body<'a> {
    fn write(&self, writer: &mut Writer<'a>) -> Result<Map<String, Value>, OverBudget> {
        let mut schema = match &self.content {
            Content::Schema(Some(schema)) => writer.write(*schema)?,
            Content::Schema(None) => Map::new(),
            Content::Form(fields) => {
                let (mut properties, mut required) = (Map::new(), BTreeSet::new());
                for field in fields {
                    let written = write_parameter(writer, field)?;
                    writer.spend(2 * field.name.len() + 8)?;
                    if field.required {
                        required.insert(field.name);
                    }
                    properties.insert(field.name.to_owned(), written.into());
                }
                let mut schema = Map::from_iter([
                    ("type".to_owned(), "object".into()),
                    ("properties".to_owned(), properties.into()),
                ]);
                if !required.is_empty() {
                    schema.insert("required".to_owned(), required.into_iter().collect());
                }
                schema
            }
        };
        writer.describe(&mut schema, self.description, PARAMETER_DESCRIPTION_FACTOR)?;
        schema.insert("x-location".to_owned(), "body".into());
        if let Some(media_type) = self.media_type.filter(|name| name.len() <= 200) {
            schema.insert("x-media-type".to_owned(), media_type.into());
        }
        Ok(schema)
    }
}

fn write_parameter<'a>(writer: &mut Writer<'a>, parameter: &Parameter<'a>) -> Result<Map<String, Value>, OverBudget> {
    let mut schema = match parameter.schema {
        Some(schema) => writer.write(schema)?,
        None => Map::from_iter([("type".to_owned(), "string".into())]),
    };
    writer.describe(&mut schema, parameter.description, PARAMETER_DESCRIPTION_FACTOR)?;
    if parameter.deprecated {
        schema.insert("deprecated".to_owned(), Value::Bool(true));
    }
    Ok(schema)
}

/// The name of a property for the parameter: its own, or with its place before it where that is taken.
fn free_key(parameter: &Parameter<'_>, taken: &Map<String, Value>) -> String {
    let mut key = parameter.name.to_owned();
    while taken.contains_key(&key) {
        key = format!("{}_{key}", parameter.location);
    }
    key
}

/// `schema`, or that of the only entry of `content`, or (in Swagger 2.0) the parameter itself.
fn schema_of<'a>(library: &'a Library, parameter: Place<'a>) -> Result<Option<Place<'a>>, String> {
    if let Some(schema) = parameter.get("schema") {
        return Ok(Some(schema));
    }
    match parameter.get("content") {
        Some(content) => Ok(Media::of(library, content)?.and_then(|media| media.schema)),
        None => Ok(Some(parameter)),
    }
}

fn request_body<'a>(library: &'a Library, body: Place<'a>) -> Result<Body<'a>, String> {
    let body = library.deref(body).map_err(|reason| format!("the request's body: {reason}"))?;
    if !body.value.is_object() {
        return Err("\"requestBody\" is not an object".to_owned());
    }
    let media = match body.get("content") {
        Some(content) => Media::of(library, content)?,
        None => None,
    };
    Ok(Body {
        required: body.value.get("required") == Some(&Value::Bool(true)),
        description: body.value.get("description").and_then(Value::as_str).unwrap_or_default(),
        media_type: media.as_ref().map(|media| media.name),
        content: Content::Schema(media.and_then(|media| media.schema)),
    })
}

fn rank(location: &str) -> usize {
    ["path", "query", "querystring", "header", "cookie"].iter().position(|known| *known == location).unwrap_or(5)
}

/// `id` and `file` of `/a/{id}/{file}`.
fn template_names(path: &str) -> impl Iterator<Item = &str> {
    path.split('{').skip(1).filter_map(|rest| Some(rest.split_once('}')?.0)).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests;
