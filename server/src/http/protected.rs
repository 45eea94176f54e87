//! Where clients learn which identity provider to ask for a token (RFC 9728): the metadata, and the challenges that name it.
//!
//! Both exist only where `public_url` is configured. Taken from the `Host` header they would say what a caller wants them to, and
//! could send a client's token to somebody else's resource.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::asked::is_a_door;
use super::mcp;
use super::problem::Problem;
use crate::error::{ApiError, Code};
use crate::state::AppState;

/// Where the metadata of the whole server is; that of the MCP door stands below, under the door's path.
const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// What protects a resource (RFC 9728, section 2).
#[derive(Serialize, ToSchema)]
pub(super) struct ProtectedResource {
    /// The resource, as a client asks for a token for it.
    resource: String,
    /// Whose tokens are accepted.
    authorization_servers: Vec<String>,
    /// How a token is sent.
    bearer_methods_supported: [&'static str; 1],
    /// What it is called.
    resource_name: &'static str,
}

/// Whose tokens the server accepts (RFC 9728). It needs no identity.
#[utoipa::path(
    get, path = "/.well-known/oauth-protected-resource", tag = "operations", security(()),
    responses(
        (status = 200, body = ProtectedResource),
        (status = 404, description = "No identity provider or no `public_url` is configured", body = Problem,
            content_type = "application/problem+json"),
    )
)]
pub(super) async fn metadata(State(state): State<AppState>) -> Result<Response, ApiError> {
    written(&state, "")
}

/// Whose tokens the MCP door accepts (RFC 9728). It needs no identity.
#[utoipa::path(
    get, path = "/.well-known/oauth-protected-resource/mcp", tag = "operations", security(()),
    responses(
        (status = 200, body = ProtectedResource),
        (status = 404, description = "No identity provider or no `public_url` is configured", body = Problem,
            content_type = "application/problem+json"),
    )
)]
pub(super) async fn mcp_metadata(State(state): State<AppState>) -> Result<Response, ApiError> {
    written(&state, mcp::PATH)
}

fn written(state: &AppState, path: &str) -> Result<Response, ApiError> {
    let (url, authorization_servers) = known(state).ok_or_else(|| ApiError::new(Code::NoSuchRoute))?;
    let body = ProtectedResource {
        resource: format!("{url}{path}"),
        authorization_servers,
        bearer_methods_supported: ["header"],
        resource_name: "Shortlist",
    };
    Ok(([(CACHE_CONTROL, "public, max-age=300")], Json(body)).into_response())
}

/// The public address and the identity providers, where there are both.
fn known(state: &AppState) -> Option<(&str, Vec<String>)> {
    let url = state.0.mcp.public_url.as_deref()?;
    let servers = state.0.identity.authorization_servers();
    (!servers.is_empty()).then_some((url, servers))
}

/// Names the metadata in the challenge of every door that says 401 or 403.
pub(super) async fn challenge(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let is_mcp = request.uri().path() == mcp::PATH;
    let of_door = is_a_door(request.uri()).then_some(if is_mcp { mcp::PATH } else { "" });
    let mut response = next.run(request).await;
    let is_refusal = matches!(response.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
    let Some((path, (url, _))) = of_door.filter(|_| is_refusal).and_then(|path| Some((path, known(&state)?))) else {
        return response;
    };
    let parameter = format!("resource_metadata=\"{url}{WELL_KNOWN}{path}\"");
    let mut challenges: Vec<String> = response
        .headers()
        .get_all(WWW_AUTHENTICATE)
        .iter()
        .filter_map(|challenge| challenge.to_str().ok().map(str::to_owned))
        .collect();
    match challenges.iter_mut().find(|challenge| challenge.starts_with("Bearer ")) {
        Some(bearer) => *bearer = format!("{bearer}, {parameter}"),
        None => challenges.push(format!("Bearer realm=\"shortlist\", {parameter}")),
    }
    response.headers_mut().remove(WWW_AUTHENTICATE);
    for challenge in challenges {
        if let Ok(challenge) = HeaderValue::from_str(&challenge) {
            response.headers_mut().append(WWW_AUTHENTICATE, challenge);
        }
    }
    response
}
