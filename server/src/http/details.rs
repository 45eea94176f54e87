//! `POST /v1/get_tool_details`.

use axum::extract::State;
use axum::response::Response;

use super::body::Body;
use super::json;
use crate::doors::wire::{ToolDetailsAnswer, ToolDetailsRequest};
use crate::doors::{self, Caller, to_json};
use crate::error::ApiError;
use crate::state::AppState;

/// Everything about one to twenty tools, full schemas included. A tool that the caller may not see is told exactly as one
/// that does not exist.
#[utoipa::path(
    post, path = "/v1/get_tool_details", tag = "tools", request_body = ToolDetailsRequest,
    responses(
        (status = 200, body = ToolDetailsAnswer),
    )
)]
pub(super) async fn get_tool_details(
    State(state): State<AppState>,
    caller: Caller,
    Body(request): Body<ToolDetailsRequest>,
) -> Result<Response, ApiError> {
    doors::get_tool_details(&state, caller, request, |answer| to_json(&answer)).await.map(json)
}
