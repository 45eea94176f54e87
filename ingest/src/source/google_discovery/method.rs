//! One method of a document -> [`Draft`].

use serde_json::{Map, Value, json};
use shortlist_index::{Execution, Rejection, ScopeRequirement};

use super::expand::{Expander, parameter};
use super::version::ApiVersion;
use crate::draft::Draft;
use crate::normalize::rejection;
use crate::source::http_method::annotations;

/// How deep resources may lie in each other; the deepest real ones have nine levels.
const RESOURCE_DEPTH_MAX: usize = 32;

/// What all methods of a document share.
pub(super) struct Api<'a> {
    name: &'a str,
    title: &'a str,
    version: ApiVersion,
    expander: Expander<'a>,
}

impl<'a> Api<'a> {
    /// Reads the head of a document; the reason when it is none.
    pub fn of(root: &'a Value) -> Result<Self, String> {
        let text = |key: &str| root.get(key).and_then(Value::as_str).unwrap_or_default();
        let version = text("version").parse::<ApiVersion>().map_err(|error| error.to_string())?;
        if text("name").is_empty() {
            return Err("the document has no \"name\"".to_owned());
        }
        let title = if text("title").is_empty() { text("name") } else { text("title") };
        Ok(Self { name: text("name"), title, version, expander: Expander::new(root.get("schemas")) })
    }

    /// The API's name, with the part where it is published in parts.
    fn namespace(&self) -> String {
        match self.version.part() {
            Some(part) => format!("{}_{part}", self.name),
            None => self.name.to_owned(),
        }
    }

    /// What stands at `place` of the document and became no tool.
    pub fn rejection(&self, place: &str, reason: &str) -> Rejection {
        rejection(&format!("{}:{}:{place}", self.name, self.version), reason)
    }

    /// Maps a method; `key` is where it stands in the document.
    pub fn draft(&self, key: &str, value: &Value) -> Result<Draft, Rejection> {
        let place = |id: &str| format!("{}:{}:{id}", self.name, self.version);
        let method = value.as_object().ok_or_else(|| rejection(&place(key), "the method is not a JSON object"))?;
        let text = |name: &str| method.get(name).and_then(Value::as_str);
        let id = text("id").unwrap_or_default();
        let Some((_, name)) = id.split_once('.').filter(|(_, name)| !name.is_empty()) else {
            return Err(rejection(&place(key), format!("the method's \"id\" is to be <api>.<name>, not {id:?}")));
        };
        let reject = |reason: String| rejection(&place(id), reason);
        let verb = text("httpMethod").ok_or_else(|| reject("the method has no \"httpMethod\"".to_owned()))?;
        let scopes = self.scopes(method).map_err(reject)?;
        Ok(Draft {
            foreign_id: place(id),
            namespace: self.namespace(),
            name: name.to_owned(),
            version: Some(self.version.semver().to_string()),
            description: text("description").unwrap_or_default().to_owned(),
            input_schema: Some(self.input(id, method).map_err(reject)?),
            output_schema: self.output(method),
            annotations: annotations(verb, &[name]),
            tags: vec![self.title.to_owned(), self.version.to_string()],
            execution: Execution {
                mode: Some("http".to_owned()),
                auth_type: (!scopes.is_none()).then(|| "oauth2".to_owned()),
                requires_obo: false,
            },
            required_scopes: scopes,
            deprecation: (method.get("deprecated") == Some(&Value::Bool(true)))
                .then(|| format!("{} {} marks this method as deprecated.", self.title, self.version)),
            ..Draft::default()
        })
    }

    /// Google's scopes are alternatives. What is no list of texts is refused: a requirement that is misread would open the
    /// tool to everybody.
    fn scopes(&self, method: &Map<String, Value>) -> Result<ScopeRequirement, String> {
        let Some(value) = method.get("scopes") else { return Ok(ScopeRequirement::none()) };
        let list: Option<Vec<&str>> =
            value.as_array().and_then(|scopes| scopes.iter().map(Value::as_str).collect::<Option<_>>());
        list.map(ScopeRequirement::any_of).ok_or_else(|| "\"scopes\" is not a list of texts".to_owned())
    }

    /// Path and query parameters as properties, the request's body as the property `body`. What the document's own
    /// parameters add to every method (`alt`, `fields`, `key`, …) is left out: it says nothing about a tool.
    fn input(&self, id: &str, method: &Map<String, Value>) -> Result<Value, String> {
        let mut properties = Map::new();
        let mut required = Vec::new();
        if let Some(parameters) = method.get("parameters") {
            let parameters = parameters.as_object().ok_or("\"parameters\" is not a JSON object")?;
            for (name, value) in parameters {
                if value.get("required") == Some(&Value::Bool(true)) {
                    required.push(Value::from(name.as_str()));
                }
                properties.insert(name.clone(), parameter(value));
            }
        }
        if let Some(request) = method.get("request").and_then(|request| request.get("$ref")).and_then(Value::as_str) {
            let body = self.expander.body(request, id);
            let key = if properties.contains_key("body") { "request_body" } else { "body" };
            if body.get("required").is_some() {
                required.push(Value::from(key));
            }
            properties.insert(key.to_owned(), body);
        }
        let mut input = json!({ "type": "object", "properties": properties });
        if !required.is_empty() {
            input["required"] = Value::Array(required);
        }
        Ok(input)
    }

    fn output(&self, method: &Map<String, Value>) -> Option<Value> {
        let response = method.get("response")?.get("$ref")?.as_str()?;
        Some(self.expander.response(response))
    }
}

/// What a document holds below its head.
#[derive(Default)]
pub(super) struct Methods<'a> {
    /// The methods, with where they stand.
    pub(super) found: Vec<(String, &'a Value)>,
    /// Where something stands that may hold methods and cannot be read, and why.
    pub(super) refused: Vec<(String, String)>,
}

impl<'a> Methods<'a> {
    /// Gathers the methods of a document and of the resources inside it.
    pub(super) fn of(root: &'a Value) -> Self {
        let mut methods = Self::default();
        methods.collect(root, "", RESOURCE_DEPTH_MAX);
        methods
    }

    /// `place` is empty or ends with a full stop.
    fn collect(&mut self, resource: &'a Value, place: &str, depth: usize) {
        for (key, method) in self.entries(resource, place, "methods") {
            self.found.push((format!("{place}{key}"), method));
        }
        for (key, inner) in self.entries(resource, place, "resources") {
            let inner_place = format!("{place}{key}");
            match depth.checked_sub(1) {
                Some(below) if inner.is_object() => self.collect(inner, &format!("{inner_place}."), below),
                Some(_) => self.refused.push((inner_place, "the resource is not a JSON object".to_owned())),
                None => {
                    let reason = format!("the resource lies deeper than the {RESOURCE_DEPTH_MAX} levels allowed");
                    self.refused.push((inner_place, reason));
                }
            }
        }
    }

    /// The members of an object that need not be there.
    fn entries(
        &mut self,
        resource: &'a Value,
        place: &str,
        key: &str,
    ) -> impl Iterator<Item = (&'a String, &'a Value)> + use<'a> {
        let value = resource.get(key);
        if value.is_some_and(|value| !value.is_object()) {
            self.refused.push((format!("{place}{key}"), format!("{key:?} is not a JSON object")));
        }
        value.and_then(Value::as_object).into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(levels: usize) -> Value {
        (0..levels).fold(json!({ "methods": { "get": {} } }), |inner, _| json!({ "resources": { "r": inner } }))
    }

    #[test]
    fn resources_are_followed_to_the_limit_and_refused_beyond_it() {
        let deepest = nested(RESOURCE_DEPTH_MAX);
        let methods = Methods::of(&deepest);
        assert_eq!((methods.found.len(), methods.refused.len()), (1, 0));
        let deeper = nested(RESOURCE_DEPTH_MAX + 1);
        let methods = Methods::of(&deeper);
        assert_eq!((methods.found.len(), methods.refused.len()), (0, 1));
        assert!(methods.refused[0].1.contains("deeper"), "{:?}", methods.refused);
    }
}
