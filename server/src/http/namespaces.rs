//! `POST /v1/list_namespaces`, and `GET /v1/namespaces` with an ETag.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use sha2::{Digest, Sha256};
use shortlist_index::hex;

use super::body::Body;
use super::{conditional, json};
use crate::doors::wire::{NamespacesAnswer, NamespacesRequest};
use crate::doors::{self, Caller, shorten, to_json};
use crate::error::ApiError;
use crate::state::AppState;

/// Characters of an ETag: 128 bits of a digest.
const ETAG_CHARS: usize = 32;

/// The namespaces that hold tools the caller may see, and how many.
#[utoipa::path(
    post, path = "/v1/list_namespaces", tag = "tools", request_body = NamespacesRequest,
    responses(
        (status = 200, body = NamespacesAnswer),
        (status = 410, description = "The cursor's generation is gone; start again"),
    )
)]
pub(super) async fn list_namespaces(
    State(state): State<AppState>,
    caller: Caller,
    Body(request): Body<NamespacesRequest>,
) -> Result<Response, ApiError> {
    doors::list_namespaces(&state, caller, request, |answer| to_json(&answer)).await.map(json)
}

/// The same, for a cache: with a strong ETag. A prefix stands in the URL here; whoever minds asks by POST.
#[utoipa::path(
    get, path = "/v1/namespaces", tag = "tools",
    params(NamespacesRequest, ("If-None-Match" = Option<String>, Header, description = "The ETag of the copy at hand")),
    responses(
        (status = 200, body = NamespacesAnswer, headers(("ETag" = String, description = "Depends on the answer alone"))),
        (status = 304, description = "The copy at hand is good"),
        (status = 400, description = "Not such a request"),
        (status = 410, description = "The cursor's generation is gone; start again"),
    )
)]
pub(super) async fn get_namespaces(
    State(state): State<AppState>,
    caller: Caller,
    headers: HeaderMap,
    request: Result<Query<NamespacesRequest>, QueryRejection>,
) -> Result<Response, ApiError> {
    let Query(request) = request.map_err(|error| ApiError::invalid("", shorten(&error.body_text())))?;
    let body = doors::list_namespaces(&state, caller, request, |answer| to_json(&answer)).await?;
    // A digest of what is shown depends on nothing that is not shown.
    let digest = hex(&Sha256::digest(&body));
    let etag = format!("\"{}\"", digest.get(..ETAG_CHARS).unwrap_or_default());
    let is_at_hand = conditional::is_at_hand(&headers, &etag);
    Ok(conditional::answer(&etag, (!is_at_hand).then_some(body)))
}
