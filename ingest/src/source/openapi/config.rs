//! [`OpenApiConfig`]: which documents an OpenAPI source reads.

use std::path::PathBuf;

use serde::Deserialize;

/// One OpenAPI source, as it stands in `shortlist.toml` under `[[source]]` with `type = "openapi"`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenApiConfig {
    /// The operator's name for the source: the first part of its refs.
    pub name: String,
    /// The document, or the folder of documents (`*.json`, `*.yaml`, `*.yml`, also those of folders inside it).
    pub path: PathBuf,
    /// The namespace of a single document (the source's name unless it is set); what stands before the paths of a folder's.
    pub namespace: Option<String>,
}
