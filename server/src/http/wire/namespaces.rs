//! `list_namespaces` on the wire.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What `list_namespaces` takes.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct NamespacesRequest {
    /// Only namespaces that begin so.
    #[schema(max_length = 512)]
    pub(in crate::http) prefix: Option<String>,
    /// Namespaces on a page.
    #[schema(minimum = 1, maximum = 500, default = 100)]
    pub(in crate::http) limit: Option<usize>,
    /// `next_cursor` of the page before, with the same prefix and limit.
    #[schema(max_length = 128)]
    pub(in crate::http) cursor: Option<String>,
}

/// What `list_namespaces` gives.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct NamespacesAnswer {
    /// By namespace, then by source.
    pub(in crate::http) namespaces: Vec<NamespaceBody>,
    /// Asks for the namespaces after these; null when there are none.
    pub(in crate::http) next_cursor: Option<String>,
    /// The generation of the catalog that answered.
    pub(in crate::http) generation: u64,
}

/// One namespace of one source, as the caller sees it.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct NamespaceBody {
    /// The catalog source.
    pub(in crate::http) source: String,
    /// The namespace.
    pub(in crate::http) namespace: String,
    /// Tools in it that the caller may see; deprecated ones and older versions are not counted.
    pub(in crate::http) n_tools: u64,
}
