//! Answers that a cache may keep for their one caller: a strong ETag, `If-None-Match`, and what they vary on.

use std::sync::LazyLock;

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::identity::identity_headers;

/// Everything that a request can say about who asks, each of which an answer depends on.
static VARY_ON: LazyLock<String> = LazyLock::new(|| identity_headers().collect::<Vec<_>>().join(", "));
/// A cache may keep it for its one user, and must ask each time: a grant can be taken away.
const CACHING: &str = "private, no-cache";

/// The answer of this ETag: the body, or 304 where there is none because the copy at hand is good.
pub(super) fn answer(etag: &str, body: Option<Vec<u8>>) -> Response {
    let headers = [(ETAG, etag), (CACHE_CONTROL, CACHING), (VARY, VARY_ON.as_str())];
    match body {
        Some(body) => (headers, [(CONTENT_TYPE, "application/json")], body).into_response(),
        None => (StatusCode::NOT_MODIFIED, headers).into_response(),
    }
}

/// Whether `If-None-Match` names the ETag. Weak comparison, as RFC 9110 (section 13.1.2) asks for here.
pub(super) fn is_at_hand(headers: &HeaderMap, etag: &str) -> bool {
    let values = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    values
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|given| given == "*" || given.trim_start_matches("W/") == etag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn if_none_match_takes_lists_weak_tags_and_the_star() {
        let check = |value: &str, expected: bool| {
            let headers = HeaderMap::from_iter([(IF_NONE_MATCH, value.parse().expect("a header value"))]);
            assert_eq!(is_at_hand(&headers, "\"1-ab\""), expected, "{value}");
        };
        check("\"1-ab\"", true);
        check("W/\"1-ab\"", true);
        check("\"x\", \"1-ab\"", true);
        check("*", true);
        check("1-ab", false);
        check("\"1-abc\"", false);
    }
}
