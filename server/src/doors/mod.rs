//! The three doors for tools, whatever a request comes over: each takes who asks and what for, and gives the answer or an
//! error. All checks, grants, cursors and notes for the audit are here, so that REST and MCP cannot differ in them.

mod details;
mod namespaces;
mod search;

mod caller;
mod pages;
mod read;
mod render;
mod vendor;
pub(crate) mod wire;

pub(crate) use caller::Caller;
pub(crate) use details::get_tool_details;
pub(crate) use namespaces::list_namespaces;
pub(crate) use read::{read, shorten};
pub(crate) use search::{in_range, refusal, search_tools};
pub(crate) use vendor::shaped;

use crate::error::ApiError;

/// An answer as JSON.
pub(crate) fn to_json(body: &impl serde::Serialize) -> Result<Vec<u8>, ApiError> {
    serde_json::to_vec(body).map_err(ApiError::internal)
}
