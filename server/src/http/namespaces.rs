//! `POST /v1/list_namespaces`.

use axum::extract::State;
use axum::response::Response;

use super::body::Body;
use super::json;
use super::problem::Problem;
use crate::doors::wire::{NamespacesAnswer, NamespacesRequest};
use crate::doors::{self, Caller, to_json};
use crate::error::ApiError;
use crate::state::AppState;

/// The namespaces that hold tools the caller may see, and how many.
#[utoipa::path(
    post, path = "/v1/list_namespaces", tag = "tools", request_body = NamespacesRequest,
    responses(
        (status = 200, body = NamespacesAnswer),
        (status = 400, description = "Not such a request", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No accepted identity", body = Problem, content_type = "application/problem+json"),
        (status = 410, description = "The cursor's generation is gone; start again", body = Problem,
            content_type = "application/problem+json"),
        (status = 503, description = "Too many requests, or nothing loaded yet; see Retry-After", body = Problem,
            content_type = "application/problem+json"),
    )
)]
pub(super) async fn list_namespaces(
    State(state): State<AppState>,
    caller: Caller,
    Body(request): Body<NamespacesRequest>,
) -> Result<Response, ApiError> {
    doors::list_namespaces(&state, caller, request, |answer| to_json(&answer)).await.map(json)
}
