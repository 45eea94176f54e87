//! [`Draft`]: a foreign record in our words, not checked yet. A source fills it, [`crate::normalize`] judges it.

use serde_json::Value;
use shortlist_index::{Annotations, Execution, ScopeRequirement};

/// What a source understood of one record. Nothing here is trusted: texts may be of any length and hold any character,
/// schemas may be any JSON.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Draft {
    /// The record's identity in the source's own terms; exact, for it may be needed to call the tool.
    pub foreign_id: String,
    /// The group that the tool belongs to.
    pub namespace: String,
    /// What the source calls the tool.
    pub name: String,
    /// The identity inside the namespace where `name` is not unique; `None` means `name`.
    pub ref_name: Option<String>,
    /// A semantic version, where the source has versions.
    pub version: Option<String>,
    /// A short human title.
    pub title: Option<String>,
    /// What the tool does.
    pub description: String,
    /// JSON Schema of what it takes.
    pub input_schema: Option<Value>,
    /// JSON Schema of what it gives back.
    pub output_schema: Option<Value>,
    /// What it claims about its effects.
    pub annotations: Annotations,
    /// Labels in any order.
    pub tags: Vec<String>,
    /// How a hub dispatches it.
    pub execution: Execution,
    /// Which scopes its caller needs.
    pub required_scopes: ScopeRequirement,
    /// Set when the tool should not be used any more; may be empty when the source gives no reason.
    pub deprecation: Option<String>,
}
