//! [`Body`]: a JSON body within its limits, or an error that names the field.

use axum::body::to_bytes;
use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use serde::de::DeserializeOwned;
use serde_path_to_error::Segment;

use crate::error::{ApiError, Code};
use crate::limits::{BODY_BYTES_MAX, BODY_TIMEOUT};
use crate::object::Object;
use crate::state::AppState;

/// The most characters of a parser's words that are given back.
const REASON_CHARS_MAX: usize = 400;

/// A request's body.
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<AppState> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &AppState) -> Result<Self, ApiError> {
        if !is_json(request.headers()) {
            return Err(ApiError::new(Code::UnsupportedMediaType));
        }
        if is_encoded(request.headers()) {
            let detail = "Send the body as it is, without Content-Encoding.";
            return Err(ApiError::new(Code::UnsupportedMediaType).detail(detail));
        }
        let too_large = || {
            ApiError::new(Code::BodyTooLarge)
                .detail(format!("The body has more than the {BODY_BYTES_MAX} bytes allowed."))
        };
        let declared =
            request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        if declared.is_some_and(|length| length > BODY_BYTES_MAX as u64) {
            return Err(too_large());
        }
        // A body that breaks off cannot be answered anyway, so every failure to read is told as the limit.
        let reading = to_bytes(request.into_body(), BODY_BYTES_MAX);
        let bytes = match tokio::time::timeout(BODY_TIMEOUT, reading).await {
            Ok(read) => read.map_err(|_| too_large())?,
            Err(_) => return Err(ApiError::new(Code::BodyTimeout)),
        };
        parse(&bytes).map(Self)
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let declared = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    declared.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
}

/// A body has 64 KiB at the most, which is not worth the risk of unpacking what a stranger packed.
fn is_encoded(headers: &HeaderMap) -> bool {
    headers.get_all(CONTENT_ENCODING).iter().any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"))
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let Object(value) = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let reason = error.inner().to_string();
        let code = match error.inner().classify() {
            serde_json::error::Category::Data if reason.starts_with("unknown field") => Code::UnknownField,
            serde_json::error::Category::Data => Code::InvalidValue,
            _ => Code::MalformedJson,
        };
        let error = match code {
            Code::MalformedJson => ApiError::new(code),
            _ => ApiError::new(code).at(pointer(error.path())),
        };
        error.detail(shorten(&reason))
    })?;
    json.end().map_err(|error| ApiError::new(Code::MalformedJson).detail(shorten(&error.to_string())))?;
    Ok(value)
}

/// The path as a JSON pointer (RFC 6901).
fn pointer(path: &serde_path_to_error::Path) -> String {
    let mut pointer = String::new();
    for segment in path {
        pointer.push('/');
        match segment {
            Segment::Seq { index } => pointer.push_str(&index.to_string()),
            Segment::Map { key } => pointer.push_str(&key.replace('~', "~0").replace('/', "~1")),
            Segment::Enum { variant } => pointer.push_str(variant),
            Segment::Unknown => pointer.push('?'),
        }
    }
    shorten(&pointer)
}

fn shorten(text: &str) -> String {
    text.chars().take(REASON_CHARS_MAX).collect()
}
