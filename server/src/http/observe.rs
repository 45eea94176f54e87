//! The layer that gives each request its id and its span, writes errors out, and logs each once. It begins when it is known
//! who asks.
//!
//! The log never holds a path (it may hold a ref), a query, a token or a principal: the route's pattern stands for the
//! path, and counts for the rest.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;
use tracing::Instrument;
use tracing::field::Empty;

use super::asked::Asked;
use super::audited::{Note, Told, door};
use super::problem;
use super::trace::{TRACEPARENT, TraceContext};
use crate::engine::ms_since;
use crate::error::{ApiError, Code};
use crate::limits::REQUEST_ID_CHARS_MAX;
use crate::state::AppState;
use crate::telemetry::{begin_trace, end_trace};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The request's id, for the layers inside.
#[derive(Clone)]
pub(super) struct RequestId(pub(super) Arc<str>);

/// Serves one request.
pub(super) async fn observe(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    let start = Instant::now();
    let metrics = &state.0.metrics;
    let _in_flight = metrics.begin();
    let request_id: Arc<str> = taken_over(request.headers()).unwrap_or_else(made).into();
    request.extensions_mut().insert(RequestId(Arc::clone(&request_id)));
    let traced = TraceContext::of(request.headers());
    let note = Note::default();
    request.extensions_mut().insert(note.clone());
    let matched = request.extensions().get::<MatchedPath>();
    // Nobody's rate counts what stands beside the doors (health, their document, unknown paths), so it must not fill the log.
    let is_rated = matched.is_some() && request.extensions().get::<Asked>().is_some();
    let route = matched.map_or("none", MatchedPath::as_str).to_owned();
    let door = door(&route).to_owned();
    let span = tracing::info_span!(
        "request",
        request.id = %request_id,
        http.method = method(request.method()),
        http.route = route,
        trace.id = Empty,
        trace.span_id = Empty,
        otel.name = format!("{} {route}", method(request.method())),
        otel.kind = "server",
    );
    // The span that is exported, where traces are collected; else one that only keeps the caller's trace together.
    let ours = begin_trace(&span, traced).or_else(|| traced.map(TraceContext::child));
    if let Some(ours) = ours {
        ours.record_in(&span);
    }
    async {
        let mut response = next.run(request).await;
        let mut is_repeated = false;
        let error = response.extensions_mut().remove::<ApiError>();
        let code = match error.as_ref().or(response.extensions().get().map(|Told(error)| error)) {
            Some(error) => error.code.as_str(),
            None if response.status().is_server_error() || response.status().is_client_error() => "other",
            None => "ok",
        };
        metrics.answered(note.named().unwrap_or(&door), code, start.elapsed());
        end_trace(response.status(), code);
        if let Some(error) = error {
            is_repeated = error.limited.is_some_and(|limited| limited.is_repeated);
            log(&error);
            problem::write(&error, &request_id, &mut response);
        }
        if let Some(Told(error)) = response.extensions().get() {
            log(error);
        }
        // What is taken over was checked, and what is made is hexadecimal: both are header values.
        if let Ok(value) = HeaderValue::from_str(&request_id) {
            response.headers_mut().insert(REQUEST_ID, value);
        }
        if let Some(Ok(value)) = traced.and(ours).map(|ours| HeaderValue::from_str(&ours.to_string())) {
            response.headers_mut().insert(TRACEPARENT, value);
        }
        // A flood is not to fill the log.
        let (status, ms) = (response.status().as_u16(), ms_since(start));
        if is_rated && !is_repeated {
            tracing::info!(http.status = status, request.ms = ms, "request answered");
        } else {
            tracing::debug!(http.status = status, request.ms = ms, "request answered");
        }
        response
    }
    .instrument(span)
    .await
}

/// Errors are logged here and nowhere else. What an operator must act on is louder than what a caller did wrong.
pub(crate) fn log(error: &ApiError) {
    let code = error.code.as_str();
    let mut causes = String::new();
    let mut cause = error.cause.as_deref().map(|cause| cause as &dyn std::error::Error);
    while let Some(error) = cause {
        // Writing to a string cannot fail.
        let _ = write!(causes, "{}{error}", if causes.is_empty() { "" } else { ": " });
        cause = error.source();
    }
    match error.code {
        Code::Internal => tracing::error!(error.code = code, error.cause = causes, "request failed"),
        Code::Overloaded | Code::Timeout | Code::NotReady | Code::AuditUnavailable => {
            tracing::warn!(error.code = code, "request sent away")
        }
        Code::RateLimited if error.limited.is_some_and(|limited| !limited.is_repeated) => {
            tracing::warn!(
                error.code = code,
                "a caller asks too often; until the next answer, refusals are only counted"
            )
        }
        Code::Forbidden => tracing::warn!(error.code = code, "request under a name or from a page that is not allowed"),
        Code::Unauthenticated => tracing::warn!(error.code = code, error.cause = causes, "request without identity"),
        // The name of a field that is not known is the caller's word.
        Code::UnknownField => tracing::debug!(error.code = code, "request refused"),
        _ => tracing::debug!(error.code = code, error.pointer = error.pointer.as_deref(), "request refused"),
    }
}

/// A method that HTTP knows. Any other is the caller's word, and may be as long as a head; OpenTelemetry calls it so.
fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        Method::CONNECT => "CONNECT",
        Method::TRACE => "TRACE",
        _ => "_OTHER",
    }
}

/// The caller's id, if it is harmless.
fn taken_over(headers: &HeaderMap) -> Option<String> {
    let id = headers.get(REQUEST_ID)?.to_str().ok()?;
    is_harmless_id(id).then(|| id.to_owned())
}

/// Whether a caller's id may go into logs: some letters, digits and `._-` only.
pub(crate) fn is_harmless_id(id: &str) -> bool {
    let harmless = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    (1..=REQUEST_ID_CHARS_MAX).contains(&id.len()) && id.bytes().all(harmless)
}

fn made() -> String {
    format!("{:032x}", fastrand::u128(..))
}
