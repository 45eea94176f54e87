//! The admin doors on the wire.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa::openapi::schema::Array;

use crate::doors::wire::{SearchFilter, SearchMode, yes};
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
    /// The user whose answer is meant; left out for a service that asks for itself.
    #[serde(default)]
    #[schema(max_length = 256)]
    pub(in crate::http) user: String,
    /// The tenant of that user.
    #[schema(max_length = 256)]
    pub(in crate::http) tenant: Option<String>,
    /// The service that asks, for that user or for itself.
    #[schema(max_length = 64)]
    pub(in crate::http) service: Option<String>,
    /// The groups of that user.
    #[serde(default)]
    #[schema(max_items = 300)]
    pub(in crate::http) groups: Vec<String>,
    /// The roles of that user.
    #[serde(default)]
    #[schema(max_items = 300)]
    pub(in crate::http) roles: Vec<String>,
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
    /// Whether every vector is compared; it is so for whom the policy names in `exact` too.
    #[serde(default)]
    pub(in crate::http) exact: bool,
    /// Whether the query is searched as one text alone.
    #[serde(default)]
    pub(in crate::http) whole: bool,
    /// Whether tools that say the same share one place.
    #[serde(default = "yes")]
    #[schema(default = true)]
    pub(in crate::http) collapse: bool,
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
