//! [`Operation`]: one method of one path -> [`Draft`].

use serde_json::Value;
use shortlist_index::Execution;

use super::document::Api;
use super::identity::Identity;
use super::input::Input;
use super::library::Place;
use super::media::Media;
use super::schema::{Direction, RESPONSE_BYTES_MAX, RESPONSE_PLANS, Writer};
use crate::draft::Draft;
use crate::source::http_method::annotations;

/// An operation, where it stands.
#[derive(Clone)]
pub(super) struct Operation<'a> {
    /// The method, in capitals.
    pub method: String,
    /// The path's template.
    pub path: &'a str,
    /// The path's item, and what its own `$ref` leads to.
    pub items: Vec<Place<'a>>,
    /// The operation itself, which is an object.
    pub place: Place<'a>,
}

impl<'a> Operation<'a> {
    /// `GET /pets/{id}`: what the operation is, by HTTP.
    pub fn signature(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// What the document calls it, where it calls it anything.
    pub fn id(&self) -> Option<&'a str> {
        self.text("operationId").map(str::trim).filter(|id| !id.is_empty())
    }

    fn text(&self, key: &str) -> Option<&'a str> {
        self.place.value.get(key).and_then(Value::as_str)
    }

    /// Maps it.
    ///
    /// # Errors
    /// A sentence that says what cannot be read.
    pub fn draft(&self, api: &Api<'a>, identity: Identity) -> Result<Draft, String> {
        let security = api.schemes.of_operation(self.place.value)?;
        let input = Input::of(api.library, self.path, &self.items, self.place)?;
        let mut tags: Vec<String> = api.tag.iter().map(|title| (*title).to_owned()).collect();
        if let Some(own) = self.place.value.get("tags") {
            let own = own.as_array().and_then(|tags| tags.iter().map(Value::as_str).collect::<Option<Vec<_>>>());
            tags.extend(own.ok_or("\"tags\" is not a list of texts")?.into_iter().map(str::to_owned));
        }
        let last_part =
            self.path.rsplit('/').find(|part| !part.is_empty() && !part.starts_with('{')).unwrap_or_default();
        Ok(Draft {
            foreign_id: api.foreign_id(&self.signature()),
            namespace: api.namespace.clone(),
            title: self.text("summary").map(str::to_owned),
            description: self.description(),
            input_schema: Some(input.write()),
            output_schema: self.output(api),
            annotations: annotations(&self.method, &[self.id().unwrap_or_default(), last_part]),
            tags,
            execution: Execution { mode: Some("http".to_owned()), auth_type: security.auth_type, requires_obo: false },
            required_scopes: security.scopes,
            deprecation: (self.place.value.get("deprecated") == Some(&Value::Bool(true)))
                .then(|| format!("{} marks this operation as deprecated.", api.title)),
            name: identity.name,
            ref_name: Some(identity.ref_name),
            version: None,
        })
    }

    /// What it says of itself, else what its path says, else its method and path, so that there is something to find.
    fn description(&self) -> String {
        let of_path = |key: &str| self.items.iter().find_map(|item| item.value.get(key)?.as_str());
        let texts = [self.text("description"), self.text("summary"), of_path("description"), of_path("summary")];
        let text = texts.into_iter().flatten().find(|text| !text.trim().is_empty());
        text.map_or_else(|| self.signature(), str::to_owned)
    }

    /// The schema of what it gives when all is well: of 200, else of the lowest 2xx that has JSON. A document may say nothing
    /// of it or nothing that can be read; the tool can be called all the same.
    fn output(&self, api: &Api<'a>) -> Option<Value> {
        let responses = self.place.get("responses")?;
        let mut codes: Vec<&String> =
            responses.value.as_object()?.keys().filter(|code| code.len() == 3 && code.starts_with('2')).collect();
        codes.sort();
        let schema = codes.into_iter().find_map(|code| {
            let response = api.library.deref(responses.get(code)?).ok()?;
            match response.get("content") {
                Some(content) => Media::of(api.library, content).ok()??.json_schema(),
                None => response.get("schema"),
            }
        })?;
        // Something that says nothing is no schema of the output.
        RESPONSE_PLANS
            .iter()
            .find_map(|plan| {
                Writer::new(api.library, Direction::Response, *plan, RESPONSE_BYTES_MAX).write(schema).ok()
            })
            .filter(|schema| !schema.is_empty())
            .map(Value::Object)
    }
}
