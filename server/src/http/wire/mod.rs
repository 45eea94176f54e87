//! What goes over the wire. The only types with serde in them; `shortlist_index` never learns of them.
//!
//! The limits stand here as literals, since the OpenAPI macros take nothing else; a test compares them with
//! [`crate::limits`].

mod admin;
mod admin_policy;
mod audit;
mod namespaces;
mod search;
mod tool;

pub(super) use admin::{SourcesAnswer, WhyNotRequest};
pub(super) use admin_policy::{PolicyAnswer, PolicyChanged, RollBackRequest, RunTimeBody, VersionsAnswer};
pub(super) use audit::{AuditAnswer, AuditRequest};
pub(super) use namespaces::{NamespaceBody, NamespacesAnswer, NamespacesRequest};
pub(super) use search::{
    Detail, ExplanationBody, HitBody, ParameterBody, PlaceBody, SearchToolsAnswer, SearchToolsRequest,
};
pub(super) use tool::{AnnotationsBody, FoundTool, ToolBody, ToolDetailsAnswer, ToolDetailsRequest};
