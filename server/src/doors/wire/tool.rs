//! Whole tools on the wire: `get_tool_details` and `GET /v1/tools/{ref}`.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use shortlist_index::Tool;
use utoipa::ToSchema;

/// What `get_tool_details` takes.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ToolDetailsRequest {
    /// The tools; a ref without a version means the newest.
    #[schema(schema_with = super::schema::refs)]
    pub(crate) refs: Vec<String>,
}

/// What `get_tool_details` gives.
#[derive(Serialize, ToSchema)]
pub(crate) struct ToolDetailsAnswer {
    /// One for each ref, in the request's order.
    pub(crate) tools: Vec<FoundTool>,
    /// The generation of the catalog that answered.
    pub(crate) generation: u64,
}

/// A tool, or that none of this ref is visible to the caller.
#[derive(Serialize, ToSchema)]
pub(crate) struct FoundTool {
    /// The ref as it was asked for.
    #[serde(rename = "ref")]
    pub(crate) reference: String,
    /// Whether it is there for the caller.
    pub(crate) found: bool,
    /// The tool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tool: Option<ToolBody>,
}

/// Everything about a tool.
#[derive(Serialize, ToSchema)]
pub(crate) struct ToolBody {
    /// Its public identity, with its version where it has one.
    #[serde(rename = "ref")]
    pub(crate) reference: String,
    /// What its source calls it.
    name: String,
    /// Its namespace.
    namespace: String,
    /// Its semantic version, where it has one.
    version: Option<String>,
    /// A short human title, where its source gives one.
    title: Option<String>,
    /// One line of what it does.
    summary: String,
    /// What it does, in its source's words.
    pub(crate) description: String,
    /// The JSON Schema of what it takes.
    pub(crate) input_schema: Option<Value>,
    /// The JSON Schema of what it gives.
    output_schema: Option<Value>,
    /// What it claims about its effects.
    annotations: AnnotationsBody,
    /// Its labels.
    tags: Vec<String>,
    /// How a hub dispatches it.
    execution: ExecutionBody,
    /// Alternatives, each a set of scopes that are all needed; empty when none is.
    required_scopes: Vec<Vec<String>>,
    /// Why or since when it should not be used any more; null while it is current.
    deprecation: Option<String>,
    /// What its source calls its record.
    foreign_id: String,
    /// SHA-256 over everything its source says of it; equal hashes, equal tools.
    content_hash: String,
}

/// What a tool claims about its effects; null where its source says nothing.
#[derive(Serialize, ToSchema)]
pub(crate) struct AnnotationsBody {
    /// It changes nothing.
    read_only: Option<bool>,
    /// It may delete or overwrite.
    destructive: Option<bool>,
    /// Calling it again changes nothing more.
    idempotent: Option<bool>,
    /// It reaches beyond a closed set of entities.
    open_world: Option<bool>,
}

/// How a hub dispatches a tool.
#[derive(Serialize, ToSchema)]
pub(crate) struct ExecutionBody {
    /// The catalog source.
    source: String,
    /// The kind of that source, such as `google_discovery`.
    source_type: String,
    /// The source's word for how it runs, such as `sync` or `async`.
    mode: Option<String>,
    /// The downstream authentication, such as `oauth2`.
    auth_type: Option<String>,
    /// Whether the call must be made on behalf of a user.
    requires_obo: bool,
}

impl AnnotationsBody {
    pub(crate) fn of(tool: &Tool) -> Self {
        let shortlist_index::Annotations { read_only, destructive, idempotent, open_world } = tool.annotations;
        Self { read_only, destructive, idempotent, open_world }
    }
}

impl ToolBody {
    pub(crate) fn of(tool: &Tool) -> Self {
        Self {
            reference: tool.reference.to_string(),
            name: tool.name.clone(),
            namespace: tool.reference.namespace().to_owned(),
            version: tool.reference.version().map(ToString::to_string),
            title: tool.title.clone(),
            summary: tool.summary(),
            description: tool.description.clone(),
            input_schema: tool.input_schema.as_ref().map(|schema| schema.to_value()),
            output_schema: tool.output_schema.as_ref().map(|schema| schema.to_value()),
            annotations: AnnotationsBody::of(tool),
            tags: tool.tags.clone(),
            execution: ExecutionBody {
                source: tool.reference.source().to_owned(),
                source_type: tool.provenance.source_type.clone(),
                mode: tool.execution.mode.clone(),
                auth_type: tool.execution.auth_type.clone(),
                requires_obo: tool.execution.requires_obo,
            },
            required_scopes: tool.required_scopes.iter().map(|scopes| scopes.iter().cloned().collect()).collect(),
            deprecation: tool.deprecation.clone(),
            foreign_id: tool.provenance.foreign_id.clone(),
            content_hash: tool.content_hash().to_hex(),
        }
    }
}
