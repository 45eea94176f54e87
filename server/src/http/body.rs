//! [`Body`]: a JSON body within its limits, or an error that names the field.

use axum::body::{Bytes, to_bytes};
use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use serde::de::DeserializeOwned;

use crate::doors::{read, shorten};
use crate::error::{ApiError, Code};
use crate::limits::{BODY_BYTES_MAX, BODY_TIMEOUT};
use crate::state::AppState;

/// A request's body.
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<AppState> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &AppState) -> Result<Self, ApiError> {
        let (head, body) = request.into_parts();
        parse(&json_bytes(&head.headers, body).await?).map(Self)
    }
}

/// The bytes of a body that is declared as JSON, within the limits of size and time.
pub(super) async fn json_bytes(headers: &HeaderMap, body: axum::body::Body) -> Result<Bytes, ApiError> {
    if !is_json(headers) {
        return Err(ApiError::new(Code::UnsupportedMediaType));
    }
    if is_encoded(headers) {
        let detail = "Send the body as it is, without Content-Encoding.";
        return Err(ApiError::new(Code::UnsupportedMediaType).detail(detail));
    }
    let too_large = || {
        ApiError::new(Code::BodyTooLarge).detail(format!("The body has more than the {BODY_BYTES_MAX} bytes allowed."))
    };
    let declared = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|length| length > BODY_BYTES_MAX as u64) {
        return Err(too_large());
    }
    // A body that breaks off cannot be answered anyway, so every failure to read is told as the limit.
    match tokio::time::timeout(BODY_TIMEOUT, to_bytes(body, BODY_BYTES_MAX)).await {
        Ok(read) => read.map_err(|_| too_large()),
        Err(_) => Err(ApiError::new(Code::BodyTimeout)),
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
    let value = read(&mut json)?;
    json.end().map_err(|error| ApiError::new(Code::MalformedJson).detail(shorten(&error.to_string())))?;
    Ok(value)
}
