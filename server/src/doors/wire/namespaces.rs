//! `list_namespaces` on the wire.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// What `list_namespaces` takes.
#[derive(Deserialize, Serialize, ToSchema, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct NamespacesRequest {
    /// Only namespaces that begin so.
    #[schema(max_length = 512)]
    #[param(max_length = 512)]
    pub(crate) prefix: Option<String>,
    /// Namespaces on a page.
    #[serde(default, deserialize_with = "crate::whole::some_whole")]
    #[schema(minimum = 1, maximum = 500, default = 100)]
    #[param(minimum = 1, maximum = 500, default = 100)]
    pub(crate) limit: Option<usize>,
    /// `next_cursor` of the page before, with the same prefix and limit.
    #[schema(max_length = 128)]
    #[param(max_length = 128)]
    pub(crate) cursor: Option<String>,
}

/// What `list_namespaces` gives.
#[derive(Serialize, ToSchema)]
pub(crate) struct NamespacesAnswer {
    /// By namespace, then by source.
    pub(crate) namespaces: Vec<NamespaceBody>,
    /// Asks for the namespaces after these; null when there are none.
    pub(crate) next_cursor: Option<String>,
    /// The generation of the catalog that answered.
    pub(crate) generation: u64,
}

/// One namespace of one source, as the caller sees it.
#[derive(Serialize, ToSchema)]
pub(crate) struct NamespaceBody {
    /// The catalog source.
    pub(crate) source: String,
    /// The namespace.
    pub(crate) namespace: String,
    /// Tools in it that the caller may see; deprecated ones and older versions are not counted.
    pub(crate) n_tools: u64,
}
