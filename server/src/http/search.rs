//! `POST /v1/search_tools`.

use axum::extract::State;
use axum::response::Response;

use super::body::Body;
use super::json;
use crate::doors::wire::{SearchToolsRequest, ShapedAnswer};
use crate::doors::{self, Caller, shaped, to_json};
use crate::error::ApiError;
use crate::state::AppState;

/// Finds tools that do what the query says, among those the caller may see.
#[utoipa::path(
    post, path = "/v1/search_tools", tag = "tools", request_body = SearchToolsRequest,
    responses(
        (status = 200, body = ShapedAnswer),
        (status = 410, description = "The cursor's generation is gone; start again"),
    )
)]
pub(super) async fn search_tools(
    State(state): State<AppState>,
    caller: Caller,
    Body(request): Body<SearchToolsRequest>,
) -> Result<Response, ApiError> {
    let shape = request.shape;
    doors::search_tools(&state, caller, request, move |answer| to_json(&shaped(answer, shape))).await.map(json)
}
