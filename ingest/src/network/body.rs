//! A response's body, within its limit on the way and after it was unpacked.

use std::io::Read;

use flate2::read::MultiGzDecoder;
use reqwest::Response;
use reqwest::header::CONTENT_ENCODING;

/// Why a body was not taken.
pub(super) enum BodyError {
    /// It is larger than allowed, as sent or unpacked.
    TooLarge,
    /// It is packed in a way that was not offered.
    Encoding(String),
    /// It ended too early or was damaged; another attempt may help.
    Broken(String),
    /// The connection broke; another attempt may help.
    Connection(reqwest::Error),
}

/// Reads it to its end.
pub(super) async fn read(mut response: Response, bytes_max: u64) -> Result<Vec<u8>, BodyError> {
    if response.content_length().is_some_and(|n_bytes| n_bytes > bytes_max) {
        return Err(BodyError::TooLarge);
    }
    let encoding = response.headers().get(CONTENT_ENCODING).map(|value| value.as_bytes().to_ascii_lowercase());
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(BodyError::Connection)? {
        if (body.len() + chunk.len()) as u64 > bytes_max {
            return Err(BodyError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    match encoding.as_deref() {
        None | Some(b"" | b"identity") => Ok(body),
        Some(b"gzip" | b"x-gzip") => unpacked(&body, bytes_max),
        Some(other) => Err(BodyError::Encoding(String::from_utf8_lossy(other).chars().take(40).collect())),
    }
}

fn unpacked(packed: &[u8], bytes_max: u64) -> Result<Vec<u8>, BodyError> {
    let mut body = Vec::new();
    let mut decoder = MultiGzDecoder::new(packed).take(bytes_max.saturating_add(1));
    decoder.read_to_end(&mut body).map_err(|error| BodyError::Broken(format!("its gzip is damaged: {error}")))?;
    if body.len() as u64 > bytes_max { Err(BodyError::TooLarge) } else { Ok(body) }
}
