//! [`Problem`]: an error as it is written out, RFC 9457.

use axum::body::Body;
use axum::http::header::{ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::{ApiError, Code};
use crate::limits::RETRY_AFTER_S;

/// What went wrong (RFC 9457).
#[derive(Serialize, ToSchema)]
pub(super) struct Problem<'a> {
    /// `urn:shortlist:problem:` and the code.
    #[serde(rename = "type")]
    kind: String,
    /// What the code means.
    title: &'a str,
    /// The HTTP status.
    status: u16,
    /// More about this occurrence.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    /// Stable; a client may act on it. The document's description lists them all.
    code: &'a str,
    /// Names the request in the server's log.
    request_id: &'a str,
    /// The body's field that is wrong, as a JSON pointer (RFC 6901).
    #[serde(skip_serializing_if = "Option::is_none")]
    pointer: Option<&'a str>,
}

/// Writes the error out into a response that has its status already.
pub(super) fn write(error: &ApiError, request_id: &str, response: &mut Response<Body>) {
    let ApiError { code, detail, pointer, bearer_refused, limited, cause: _ } = error;
    let problem = Problem {
        kind: format!("urn:shortlist:problem:{}", code.as_str()),
        title: code.title(),
        status: code.status().as_u16(),
        detail: detail.as_deref(),
        code: code.as_str(),
        request_id,
        pointer: pointer.as_deref(),
    };
    *response.body_mut() = Body::from(serde_json::to_vec(&problem).unwrap_or_default());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    match code {
        Code::Unauthenticated => {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Shortlist-Gateway realm=\"shortlist\""));
            let bearer = match bearer_refused {
                true => "Bearer realm=\"shortlist\", error=\"invalid_token\"",
                false => "Bearer realm=\"shortlist\"",
            };
            headers.append(WWW_AUTHENTICATE, HeaderValue::from_static(bearer));
        }
        Code::Overloaded | Code::NotReady | Code::Timeout | Code::AuditUnavailable => {
            headers.insert(RETRY_AFTER, RETRY_AFTER_S.into());
        }
        Code::UnsupportedMediaType => {
            headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        }
        Code::RateLimited => {
            // Whole seconds, and never earlier than the next one is taken.
            let wait = limited.map(|limited| limited.retry_after.as_millis().div_ceil(1_000)).unwrap_or_default();
            headers.insert(RETRY_AFTER, u64::try_from(wait).unwrap_or(u64::MAX).max(1).into());
        }
        _ => {}
    }
}
