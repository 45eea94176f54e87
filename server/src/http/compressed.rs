//! Compression of answers: gzip, for JSON above [`COMPRESS_BYTES_MIN`], where the caller takes it.
//!
//! A compressed answer tells by its length whether two parts of it are alike (BREACH). That is of use to somebody who makes a
//! victim's browser ask, over and over, with text of theirs beside the victim's secret. Here no credential is sent by itself
//! (there are no cookies), an answer repeats nothing of its request but refs, and what it shows is no secret from its caller.
//! What the caller may not see is in no answer, so it has no influence on a length either.

use axum::extract::Request;
use axum::http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, ETAG};
use axum::http::{Extensions, HeaderMap, HeaderValue, StatusCode, Version};
use axum::middleware::Next;
use axum::response::Response;
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{And, Predicate, SizeAbove};

use crate::limits::COMPRESS_BYTES_MIN;

/// Marks an answer that is never compressed: one that anybody may have as often as they like, and who asks may not make the
/// server work; or one whose ETag is for `If-Match`, and must stay a strong one.
#[derive(Clone)]
pub(super) struct AsItIs;

/// Whether an answer's head says that it is worth it.
type IsJson = fn(StatusCode, Version, &HeaderMap, &Extensions) -> bool;

/// Compresses. The fastest level: schemas shrink to a fifth by any, and the time is the server's.
pub(super) fn layer() -> CompressionLayer<And<SizeAbove, IsJson>> {
    let is_json: IsJson = |_, _, headers, extensions| {
        if extensions.get::<AsItIs>().is_some() {
            return false;
        }
        let kind = headers.get(CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
        kind.starts_with(b"application/json") || kind.starts_with(b"application/problem+json")
    };
    CompressionLayer::new()
        .quality(CompressionLevel::Fastest)
        .compress_when(SizeAbove::new(COMPRESS_BYTES_MIN).and(is_json))
}

/// Reads what the caller takes, and says what the answer became. A caller that takes nothing at all, not even what is not
/// encoded, gets that: the layer alone would do the work and then call the answer a 406.
pub(super) async fn negotiate(mut request: Request, next: Next) -> Response {
    let takes_gzip = takes_gzip(request.headers());
    request.headers_mut().remove(ACCEPT_ENCODING);
    if takes_gzip {
        request.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    }
    let mut response = next.run(request).await;
    if response.headers().contains_key(CONTENT_ENCODING) {
        weaken(response.headers_mut());
    }
    response
}

/// A strong ETag names bytes, and these are others now (RFC 9110, section 8.8.3). A weak one is still good for
/// `If-None-Match`, and is no more than what nginx gives.
fn weaken(headers: &mut HeaderMap) {
    let strong = headers.get(ETAG).filter(|etag| !etag.as_bytes().starts_with(b"W/"));
    if let Some(Ok(weak)) = strong.map(|etag| HeaderValue::from_bytes(&[b"W/", etag.as_bytes()].concat())) {
        headers.insert(ETAG, weak);
    }
}

/// Whether `Accept-Encoding` takes gzip (RFC 9110, section 12.5.3). What is said of gzip itself wins over `*`.
fn takes_gzip(headers: &HeaderMap) -> bool {
    let (mut by_name, mut by_star) = (None, None);
    let values = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    for coding in values.flat_map(|value| value.split(',')) {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let weight = weight.trim().strip_prefix("q=").and_then(|weight| weight.parse::<f32>().ok());
        let is_taken = weight != Some(0.0);
        match name.trim() {
            name if name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip") => {
                by_name = Some(is_taken);
            }
            "*" => by_star = Some(is_taken),
            _ => {}
        }
    }
    by_name.or(by_star).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_taken_where_the_caller_says_so() {
        let check = |value: &str, expected: bool| {
            let headers = HeaderMap::from_iter([(ACCEPT_ENCODING, value.parse().expect("a header value"))]);
            assert_eq!(takes_gzip(&headers), expected, "{value}");
        };
        for taken in ["gzip", "GZIP", "br, gzip;q=0.5", "*", "*;q=0, gzip", "deflate, gzip;q=1.0, *;q=0.5", "x-gzip"] {
            check(taken, true);
        }
        for refused in ["", "br", "gzip;q=0", "gzip;q=0.000", "identity", "*;q=0", "*, gzip;q=0", "gzipped", ",;,"] {
            check(refused, false);
        }
        assert!(!takes_gzip(&HeaderMap::new()));
    }

    #[test]
    fn a_strong_etag_becomes_a_weak_one_and_a_weak_one_stays() {
        for written in ["\"1-ab\"", "W/\"1-ab\""] {
            let mut headers = HeaderMap::from_iter([(ETAG, written.parse().expect("a header value"))]);
            weaken(&mut headers);
            assert_eq!(headers[ETAG], "W/\"1-ab\"");
        }
    }
}
