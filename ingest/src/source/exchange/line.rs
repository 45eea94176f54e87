//! [`Line`]: one record of the exchange format.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::{Map, Value};
use shortlist_index::{Annotations, Execution, ScopeRequirement};

use crate::draft::Draft;

/// The keys of a record. An optional key may be `null`.
#[derive(Debug, Deserialize)]
pub(in crate::source) struct Line {
    id: String,
    namespace: String,
    name: String,
    #[serde(default)]
    description: Option<String>,
    title: Option<String>,
    input_schema: Option<Value>,
    output_schema: Option<Value>,
    tags: Option<Vec<String>>,
    version: Option<String>,
    annotations: Option<LineAnnotations>,
    execution: Option<LineExecution>,
    required_scopes: Option<Vec<BTreeSet<String>>>,
    deprecation: Option<Deprecation>,
}

#[derive(Debug, Deserialize)]
struct LineAnnotations {
    read_only: Option<bool>,
    destructive: Option<bool>,
    idempotent: Option<bool>,
    open_world: Option<bool>,
}

#[derive(Debug, Deserialize)]
struct LineExecution {
    mode: Option<String>,
    auth_type: Option<String>,
    requires_obo: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "\"deprecation\" is a text or a boolean")]
enum Deprecation {
    Flag(bool),
    Note(String),
}

impl Line {
    /// Parses a text; what is to be said of it when it is not of the format.
    pub(in crate::source) fn parse(text: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(text).map_err(|error| {
            // serde_json counts lines within the text it was given, which is always the first here.
            let message = error.to_string().replace(" at line 1 column ", " at column ");
            format!("is not of the format: {message}")
        })
    }

    /// Takes a parsed object; what is to be said of it when it is not of the format.
    pub(in crate::source) fn of(object: Map<String, Value>) -> Result<Self, String> {
        serde_json::from_value(Value::Object(object)).map_err(|error| format!("is not of the format: {error}"))
    }

    pub(super) fn into_draft(self) -> Draft {
        let name_in_id = self.id.strip_prefix(&self.namespace).and_then(|rest| rest.strip_prefix(':'));
        let ref_name = name_in_id.filter(|rest| !rest.is_empty()).unwrap_or(&self.id).to_owned();
        Draft {
            foreign_id: self.id,
            namespace: self.namespace,
            name: self.name,
            ref_name: Some(ref_name),
            version: self.version,
            title: self.title,
            description: self.description.unwrap_or_default(),
            input_schema: self.input_schema,
            output_schema: self.output_schema,
            annotations: self.annotations.map_or_else(Annotations::default, |given| Annotations {
                read_only: given.read_only,
                destructive: given.destructive,
                idempotent: given.idempotent,
                open_world: given.open_world,
            }),
            tags: self.tags.unwrap_or_default(),
            execution: self.execution.map_or_else(Execution::default, |given| Execution {
                mode: given.mode,
                auth_type: given.auth_type,
                requires_obo: given.requires_obo.unwrap_or(false),
            }),
            required_scopes: self.required_scopes.map_or_else(ScopeRequirement::none, ScopeRequirement::alternatives),
            deprecation: match self.deprecation {
                Some(Deprecation::Note(note)) => Some(note),
                Some(Deprecation::Flag(true)) => Some(String::new()),
                Some(Deprecation::Flag(false)) | None => None,
            },
        }
    }
}
