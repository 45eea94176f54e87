//! The admin doors on the wire.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa::openapi::schema::Array;

use crate::doors::wire::{SearchFilter, SearchMode};
use crate::ledger::SourceRow;

/// What `sources` gives.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct SourcesAnswer {
    /// By name.
    pub(in crate::http) sources: Vec<SourceRow>,
    /// The generation that serves.
    pub(in crate::http) generation: u64,
}

/// What `why_not` takes: a tool, a query, and whose answer is meant.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct WhyNotRequest {
    /// The tool's ref, or what its source calls the record.
    #[serde(rename = "ref")]
    #[schema(min_length = 1, max_length = 2048)]
    pub(in crate::http) reference: String,
    /// The query whose answer it is not in.
    #[schema(min_length = 1, max_length = 8000, pattern = r"\S")]
    pub(in crate::http) query: String,
    /// Whose answer is meant.
    #[schema(max_length = 256)]
    pub(in crate::http) user: String,
    /// The groups of that user.
    #[serde(default)]
    #[schema(max_items = 300)]
    pub(in crate::http) groups: Vec<String>,
    /// The scopes that the user holds.
    #[serde(default)]
    #[schema(max_items = 300)]
    pub(in crate::http) scopes: Vec<String>,
    /// Hits on the page.
    #[serde(default, deserialize_with = "crate::whole::some_whole")]
    #[schema(minimum = 1, maximum = 50, default = 10)]
    pub(in crate::http) limit: Option<usize>,
    /// Which stages search; `hybrid` unless said.
    pub(in crate::http) mode: Option<SearchMode>,
    /// Whether the reranker orders the best hits anew.
    #[serde(default)]
    pub(in crate::http) rerank: bool,
    /// Whether the query is searched as one text alone.
    #[serde(default)]
    pub(in crate::http) whole: bool,
    /// Only tools of these namespaces.
    #[serde(default)]
    #[schema(schema_with = namespaces)]
    pub(in crate::http) namespaces: Vec<String>,
    /// The filter of the search.
    #[serde(default, deserialize_with = "crate::object::object")]
    pub(in crate::http) filter: SearchFilter,
}

fn namespaces() -> Array {
    crate::doors::wire::values("Only tools of these namespaces.")
}
