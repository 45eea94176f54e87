//! `POST /mcp`: MCP over streamable HTTP, without sessions.
//!
//! Identity, the limits of a body, the audit and the log are those of every door. What rmcp refuses by itself, and would say in
//! words of its own, is said as every other error here, or as the JSON-RPC error that a client can read.

use std::sync::Arc;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, post};
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use serde_json::{Value, json};
use tracing::Span;

use super::audited::Told;
use super::body::json_bytes;
use super::observe::RequestId;
use crate::doors::{Caller, shorten};
use crate::error::{ApiError, Code, Panicked};
use crate::limits::BODY_BYTES_MAX;
use crate::mcp::{Asking, Handler, Outcome};
use crate::state::AppState;

/// Where it is.
pub(super) const PATH: &str = "/mcp";
/// The most bytes of what rmcp says in its own words.
const REFUSAL_BYTES_MAX: usize = 4_096;
/// The JSON-RPC errors for what is no JSON, and for what is no message.
const PARSE_ERROR: i32 = -32_700;
const INVALID_REQUEST: i32 = -32_600;

type Service = StreamableHttpService<Handler, NeverSessionManager>;

/// The route, over this state.
pub(super) fn route(state: &AppState) -> MethodRouter<AppState> {
    let settings = &state.0.mcp;
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        .with_max_request_body_bytes(BODY_BYTES_MAX)
        .with_allowed_hosts(settings.hosts())
        .with_allowed_origins(settings.origins())
        .enforce_origin_validation();
    let handler = Handler::over_http(state.clone());
    let service = Service::new(move || Ok(handler.clone()), Arc::new(NeverSessionManager::default()), config);
    post(message).layer(Extension(service))
}

async fn message(
    Extension(service): Extension<Service>,
    Extension(RequestId(request_id)): Extension<RequestId>,
    caller: Caller,
    request: Request,
) -> Result<Response, ApiError> {
    let (mut head, body) = request.into_parts();
    let bytes = json_bytes(&head.headers, body).await?;
    let id = match serde_json::from_slice::<Value>(&bytes) {
        Err(error) => return Ok(refused(None, PARSE_ERROR, &format!("the body is not JSON: {error}"))),
        Ok(Value::Array(_)) => {
            return Ok(refused(None, INVALID_REQUEST, "batches are not taken; send each message by itself"));
        }
        Ok(message) => message.get("id").cloned().unwrap_or_default(),
    };
    let outcome = Outcome::default();
    let asking = Asking { caller, request_id, span: Span::current(), outcome: outcome.clone() };
    head.extensions.insert(asking);
    let response = service.handle(Request::from_parts(head, Body::from(bytes))).await.map(Body::new);
    let mut response = match (is_json(&response), response.status()) {
        (true, _) | (_, StatusCode::ACCEPTED) => response,
        (false, status) => return in_our_words(status, response, id).await,
    };
    let status = response.status();
    let told = match outcome.get() {
        Some(error) => error,
        None if status == StatusCode::ACCEPTED => None,
        None => Some(ApiError::new(Code::BadMessage)),
    };
    if let Some(error) = told {
        response.extensions_mut().insert(Told(error));
    }
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    Ok(response)
}

/// What rmcp refused in plain text.
async fn in_our_words(status: StatusCode, response: Response, id: Value) -> Result<Response, ApiError> {
    let said = axum::body::to_bytes(response.into_body(), REFUSAL_BYTES_MAX).await.unwrap_or_else(|_| Bytes::new());
    let said = shorten(&String::from_utf8_lossy(&said));
    match status {
        StatusCode::FORBIDDEN => Err(ApiError::new(Code::Forbidden).detail(said)),
        StatusCode::NOT_ACCEPTABLE => Err(ApiError::new(Code::NotAcceptable).detail(said)),
        // The media type was checked before: the body is JSON, and no message.
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            Ok(refused(Some(id), INVALID_REQUEST, "the body is not a message of MCP; see method and params"))
        }
        StatusCode::BAD_REQUEST => Ok(refused(Some(id), INVALID_REQUEST, &said)),
        // A handler that panics leaves rmcp without an answer.
        _ => Err(ApiError::internal(Panicked)),
    }
}

/// A JSON-RPC error to what no handler has seen. Without a good id there is none in it, as MCP wants.
fn refused(id: Option<Value>, code: i32, message: &str) -> Response {
    let mut body = json!({ "jsonrpc": "2.0", "error": { "code": code, "message": message } });
    if let Some(id) = id.filter(|id| id.is_string() || id.is_i64() || id.is_u64()) {
        body["id"] = id;
    }
    let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "private, no-store")];
    let mut response = (StatusCode::BAD_REQUEST, headers, body.to_string()).into_response();
    response.extensions_mut().insert(Told(ApiError::new(Code::BadMessage)));
    response
}

fn is_json(response: &Response) -> bool {
    response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == "application/json")
}
