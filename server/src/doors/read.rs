//! [`read`]: a request out of JSON, or an error that names the field.

use serde::Deserializer;
use serde::de::DeserializeOwned;
use serde_path_to_error::Segment;

use crate::error::{ApiError, Code};
use crate::object::Object;

/// The most characters of a parser's words that are given back.
const REASON_CHARS_MAX: usize = 400;

/// The request, which is written as an object.
///
/// # Errors
/// `malformed_json`, `unknown_field` or `invalid_value`, with the field's JSON pointer.
pub(crate) fn read<'de, T: DeserializeOwned>(
    json: impl Deserializer<'de, Error = serde_json::Error>,
) -> Result<T, ApiError> {
    let read = serde_path_to_error::deserialize(json);
    read.map(|Object(request)| request).map_err(|error| {
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
    })
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

/// As much of a text as is given back.
pub(crate) fn shorten(text: &str) -> String {
    text.chars().take(REASON_CHARS_MAX).collect()
}
