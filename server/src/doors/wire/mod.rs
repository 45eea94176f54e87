//! What the doors take and give, as REST and MCP both write it. With those of `http`, the only types with serde in them;
//! `shortlist_index` never learns of them.
//!
//! The limits stand here as literals, since the OpenAPI macros take nothing else; a test compares them with
//! [`crate::limits`].

mod namespaces;
mod schema;
mod search;
mod tool;
mod vendor;

pub(crate) use namespaces::{NamespaceBody, NamespacesAnswer, NamespacesRequest};
pub(crate) use schema::{REF_FORMAT, values};
pub(crate) use search::{
    ConfidenceBody, Detail, ExplanationBody, HitBody, ParameterBody, PlaceBody, SearchFilter, SearchMode,
    SearchToolsAnswer, SearchToolsRequest, SignalsBody, yes,
};
pub(crate) use tool::{AnnotationsBody, FoundTool, ToolBody, ToolDetailsAnswer, ToolDetailsRequest};
pub(crate) use vendor::{
    AnthropicAnswer, AnthropicTool, OpenAiAnswer, OpenAiFunction, OpenAiOutput, Shape, ShapedAnswer, ToolReference,
};
