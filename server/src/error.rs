//! [`ApiError`]: everything that can go wrong in a request, with what the caller is told and what only the log learns.

use std::borrow::Cow;
use std::error::Error;
use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::rate::Limited;

/// The stable codes of all errors. A client may act on them; they are never renamed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// No identity that is accepted; the same whatever was wrong with it.
    Unauthenticated,
    /// The request comes under a name or from a web page that the configuration does not allow.
    Forbidden,
    /// There is no such route.
    NoSuchRoute,
    /// The route does not take this method.
    MethodNotAllowed,
    /// There is no such tool, or the caller may not see it.
    ToolNotFound,
    /// The body is not declared as JSON.
    UnsupportedMediaType,
    /// The caller takes no answer of the kind that there is.
    NotAcceptable,
    /// The body has too many bytes.
    BodyTooLarge,
    /// The body did not arrive in time.
    BodyTimeout,
    /// The body is not JSON.
    MalformedJson,
    /// The body is no message of MCP that could be handled.
    BadMessage,
    /// The body has a field that this request does not know.
    UnknownField,
    /// A field is missing, of the wrong type or out of its range.
    InvalidValue,
    /// A ref is not one.
    BadRef,
    /// The cursor is not one of this server's for this caller and this request.
    BadCursor,
    /// The cursor's generation does not serve any more.
    StaleCursor,
    /// The policy in force is another one than `If-Match` names.
    PreconditionFailed,
    /// There is no such run-time rule.
    NoSuchRule,
    /// There is no such version of the run-time rules.
    NoSuchVersion,
    /// A run-time rule says the same already.
    RuleExists,
    /// There are as many run-time rules as there may be.
    TooManyRules,
    /// It is not known which run-time rules there are.
    RunTimeRulesRefused,
    /// The caller asks more often than one may.
    RateLimited,
    /// Too many requests wait.
    Overloaded,
    /// No generation is loaded yet.
    NotReady,
    /// The work did not end in time.
    Timeout,
    /// The decision cannot be recorded, and the operator wants none that is not.
    AuditUnavailable,
    /// Our fault.
    Internal,
}

impl Code {
    /// All of them, for the documentation.
    pub const ALL: [Self; 28] = [
        Self::Unauthenticated,
        Self::Forbidden,
        Self::NoSuchRoute,
        Self::MethodNotAllowed,
        Self::ToolNotFound,
        Self::UnsupportedMediaType,
        Self::NotAcceptable,
        Self::BodyTooLarge,
        Self::BodyTimeout,
        Self::MalformedJson,
        Self::BadMessage,
        Self::UnknownField,
        Self::InvalidValue,
        Self::BadRef,
        Self::BadCursor,
        Self::StaleCursor,
        Self::PreconditionFailed,
        Self::NoSuchRule,
        Self::NoSuchVersion,
        Self::RuleExists,
        Self::TooManyRules,
        Self::RunTimeRulesRefused,
        Self::RateLimited,
        Self::Overloaded,
        Self::NotReady,
        Self::Timeout,
        Self::AuditUnavailable,
        Self::Internal,
    ];

    /// As it stands in an answer.
    pub fn as_str(self) -> &'static str {
        self.row().1
    }

    /// Its HTTP status.
    pub fn status(self) -> StatusCode {
        self.row().0
    }

    /// What it means, for people.
    pub fn title(self) -> &'static str {
        self.row().2
    }

    /// What it says of the decision, in the audit log: something is denied (or is not there, which is the same to callers),
    /// the request is none that could be decided, or it could not be answered.
    pub(crate) fn outcome(self) -> &'static str {
        match (self, self.status()) {
            (Self::BadCursor, _) | (_, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND) => {
                "deny"
            }
            (Self::RateLimited, _) => "error",
            (_, status) if status.is_client_error() => "invalid",
            _ => "error",
        }
    }

    fn row(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::Unauthenticated => (StatusCode::UNAUTHORIZED, "unauthenticated", "No accepted identity"),
            Self::Forbidden => (
                StatusCode::FORBIDDEN,
                "forbidden",
                "Not under this name or from this web page; see [mcp] of the server",
            ),
            Self::NoSuchRoute => {
                (StatusCode::NOT_FOUND, "no_such_route", "No such route; /v1/openapi.json has them all")
            }
            Self::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "Not with this method"),
            Self::ToolNotFound => (StatusCode::NOT_FOUND, "tool_not_found", "No tool of this ref is visible to you"),
            Self::UnsupportedMediaType => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", "Send Content-Type: application/json")
            }
            Self::NotAcceptable => {
                (StatusCode::NOT_ACCEPTABLE, "not_acceptable", "Accept application/json and text/event-stream")
            }
            Self::BodyTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "The body is too large"),
            Self::BodyTimeout => (StatusCode::REQUEST_TIMEOUT, "body_timeout", "The body did not arrive in time"),
            Self::MalformedJson => (StatusCode::BAD_REQUEST, "malformed_json", "The body is not JSON"),
            Self::BadMessage => (StatusCode::BAD_REQUEST, "bad_message", "Not a message of MCP that is handled here"),
            Self::UnknownField => (StatusCode::BAD_REQUEST, "unknown_field", "The body has an unknown field"),
            Self::InvalidValue => (StatusCode::BAD_REQUEST, "invalid_value", "A field has a wrong value"),
            Self::BadRef => (StatusCode::BAD_REQUEST, "bad_ref", "Not a tool ref"),
            Self::BadCursor => (StatusCode::BAD_REQUEST, "bad_cursor", "Not a cursor of yours for this request"),
            Self::StaleCursor => {
                (StatusCode::GONE, "stale_cursor", "The catalog has changed; start again without a cursor")
            }
            Self::PreconditionFailed => (
                StatusCode::PRECONDITION_FAILED,
                "precondition_failed",
                "Another policy is in force than If-Match names; look at it and ask again",
            ),
            Self::NoSuchRule => (StatusCode::NOT_FOUND, "no_such_rule", "There is no such run-time rule"),
            Self::NoSuchVersion => (StatusCode::NOT_FOUND, "no_such_version", "There is no such version of the rules"),
            Self::RuleExists => (StatusCode::CONFLICT, "rule_exists", "A run-time rule says the same already"),
            Self::TooManyRules => {
                (StatusCode::CONFLICT, "too_many_rules", "Move some run-time rules into the policy's file first")
            }
            Self::RunTimeRulesRefused => (
                StatusCode::CONFLICT,
                "run_time_rules_refused",
                "It is not known which run-time rules there are; roll back to a version, 0 for none",
            ),
            Self::RateLimited => (
                StatusCode::TOO_MANY_REQUESTS,
                "rate_limited",
                "You ask more often than you may; wait as long as Retry-After says",
            ),
            Self::Overloaded => (StatusCode::SERVICE_UNAVAILABLE, "overloaded", "Too many requests; try again shortly"),
            Self::NotReady => {
                (StatusCode::SERVICE_UNAVAILABLE, "not_ready", "No catalog is loaded yet; try again shortly")
            }
            Self::Timeout => (StatusCode::SERVICE_UNAVAILABLE, "timeout", "The request took too long"),
            Self::AuditUnavailable => {
                (StatusCode::SERVICE_UNAVAILABLE, "audit_unavailable", "Nothing can be recorded now; try again shortly")
            }
            Self::Internal => {
                (StatusCode::INTERNAL_SERVER_ERROR, "internal", "Something failed here; it has been logged")
            }
        }
    }
}

/// An error as a handler returns it. [`crate::http`]'s outermost layer writes it out as `application/problem+json` and
/// logs it, once.
#[derive(Clone, Debug)]
pub(crate) struct ApiError {
    pub(crate) code: Code,
    /// More than the title, in words the caller may see.
    pub(crate) detail: Option<Cow<'static, str>>,
    /// The body's field that is wrong, as a JSON pointer.
    pub(crate) pointer: Option<String>,
    /// Whether a bearer token was refused, which the answer's challenge says.
    pub(crate) bearer_refused: bool,
    /// When the caller may come again, where that is known.
    pub(crate) limited: Option<Limited>,
    /// Why, for the log alone.
    pub(crate) cause: Option<Arc<dyn Error + Send + Sync>>,
}

impl ApiError {
    pub(crate) fn new(code: Code) -> Self {
        Self { code, detail: None, pointer: None, bearer_refused: false, limited: None, cause: None }
    }

    /// Nobody who is accepted; `by_bearer` where a bearer token was sent.
    pub(crate) fn unauthenticated(by_bearer: bool) -> Self {
        Self { bearer_refused: by_bearer, ..Self::new(Code::Unauthenticated) }
    }

    /// Asks too often.
    pub(crate) fn rate_limited(limited: Limited) -> Self {
        Self { limited: Some(limited), ..Self::new(Code::RateLimited) }
    }

    /// A field of the body has a wrong value. `pointer` is a JSON pointer such as `/filter/tags`.
    pub(crate) fn invalid(pointer: impl Into<String>, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::InvalidValue).detail(detail).at(pointer)
    }

    /// Our fault: the caller learns nothing of it.
    pub(crate) fn internal(cause: impl Error + Send + Sync + 'static) -> Self {
        Self::new(Code::Internal).because(cause)
    }

    pub(crate) fn detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    pub(crate) fn at(mut self, pointer: impl Into<String>) -> Self {
        self.pointer = Some(pointer.into());
        self
    }

    pub(crate) fn because(mut self, cause: impl Error + Send + Sync + 'static) -> Self {
        self.cause = Some(Arc::new(cause));
        self
    }
}

impl IntoResponse for ApiError {
    /// The status and the error itself in the extensions: the body is written where the request's id is known.
    fn into_response(self) -> Response {
        let mut response = self.code.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// The cause of an `internal` error that was a panic. The panic's own words may quote a request, so they are not repeated.
#[derive(Debug, thiserror::Error)]
#[error("the code panicked; its message and place are on standard error")]
pub(crate) struct Panicked;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_listed_once() {
        let distinct: std::collections::BTreeSet<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(distinct.len(), Code::ALL.len());
        assert!(Code::ALL.iter().all(|code| code.status().is_client_error() || code.status().is_server_error()));
    }
}
