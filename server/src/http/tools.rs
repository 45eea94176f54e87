//! `GET /v1/tools/{ref}`, with a strong ETag.

use axum::extract::{OriginalUri, State};
use axum::http::HeaderMap;
use axum::response::Response;
use shortlist_index::ToolRef;

use super::conditional;
use crate::doors::wire::ToolBody;
use crate::doors::{Caller, to_json};
use crate::engine::View;
use crate::error::{ApiError, Code};
use crate::state::AppState;

/// Raised when the same tool is written out otherwise, so that a cached answer of an older server is not taken for ours.
const BODY_VERSION: u32 = 1;

/// Everything about one tool. The ref stands percent-encoded as one segment (`google%3A%2F%2Fdrive.files.list`) or plainly
/// (`google://drive.files.list`).
#[utoipa::path(
    get, path = "/v1/tools/{ref}", tag = "tools",
    params(
        ("ref" = String, Path, description = "The tool's ref; without a version, the newest", format = "tool-ref", max_length = 512),
        ("If-None-Match" = Option<String>, Header, description = "The ETag of the copy at hand"),
    ),
    responses(
        (status = 200, body = ToolBody, headers(("ETag" = String, description = "Depends on the tool's content alone"))),
        (status = 304, description = "The copy at hand is good"),
        (status = 400, description = "Not a ref"),
        (status = 404, description = "No such tool is visible to the caller"),
    )
)]
pub(super) async fn get_tool(
    State(state): State<AppState>,
    caller: Caller,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let written = uri.path().strip_prefix("/v1/tools/").unwrap_or_default();
    let reference = read(written)?;
    let note = caller.note;
    note.asks("refs", [reference.to_string()]);
    let work = move |view: View| {
        note.generation(view.snapshot().number());
        let tool = view.snapshot().get(&view.allowed, &reference);
        tracing::info!(
            generation = view.snapshot().number(),
            tool.found = tool.is_some(),
            allowed.n_tools = view.allowed.len(),
            policy.version = &*view.policy_version,
            queue.ms = view.queue_ms,
            allow.ms = view.allow_ms,
            "tool answered"
        );
        let tool = tool.ok_or_else(|| ApiError::new(Code::ToolNotFound))?;
        note.shows([tool.reference.to_string()].into_iter());
        let etag = format!("\"{BODY_VERSION}-{}\"", tool.content_hash().to_hex());
        let body = if conditional::is_at_hand(&headers, &etag) { None } else { Some(to_json(&ToolBody::of(&tool))?) };
        Ok((etag, body))
    };
    let (etag, body) = state.0.engine.run(caller.granted, work).await?;
    Ok(conditional::answer(&etag, body))
}

/// The ref in a path. Written plainly it has its `://`, and its own escapes (`%20`) are part of it; only what no URI can
/// carry, letters beyond ASCII, was escaped on the way. As one segment all of it was escaped once.
fn read(written: &str) -> Result<ToolRef, ApiError> {
    let plain = written.contains("://");
    let bytes = unescape(written, |byte| !plain || !byte.is_ascii());
    let bad = |detail: String| ApiError::new(Code::BadRef).detail(detail);
    let text = String::from_utf8(bytes).map_err(|_| bad("The path is not UTF-8.".to_owned()))?;
    text.parse().map_err(|error: shortlist_index::RefError| bad(error.to_string()))
}

/// Undoes the escapes of the bytes that `undo` picks.
fn unescape(text: &str, undo: impl Fn(u8) -> bool) -> Vec<u8> {
    let digit = |b: u8| char::from(b).to_digit(16);
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = match tail {
            [high, low, ..] if *first == b'%' => digit(*high).zip(digit(*low)),
            _ => None,
        };
        match escaped.and_then(|(high, low)| u8::try_from(high * 16 + low).ok()).filter(|&byte| undo(byte)) {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ref_reads_the_same_plainly_and_as_one_segment() {
        let check = |written: &str, expected: &str| {
            assert_eq!(read(written).map(|r| r.to_string()).map_err(|e| e.code), Ok(expected.to_owned()), "{written}");
        };
        check("google://drive.files.list", "google://drive.files.list");
        check("google%3A%2F%2Fdrive.files.list", "google://drive.files.list");
        check("google:%2f%2Fdrive.files.list@1.0.0", "google://drive.files.list@1.0.0");
        check("openapi://1forge%2Ecom.GET%20%2Fquotes", "openapi://1forge%2Ecom.GET%20%2Fquotes");
        check("openapi%3A%2F%2F1forge%252Ecom.GET%2520%252Fquotes", "openapi://1forge%2Ecom.GET%20%2Fquotes");
        check("m://%D0%B6.a%20b", "m://ж.a%20b");
        check("m%3A%2F%2F%D0%B6.a%2520b", "m://ж.a%20b");
    }

    #[test]
    fn what_is_no_ref_in_a_path_is_a_bad_ref() {
        for written in
            ["", "x", "%", "%zz", "google:/drive.a", "m%3A%2F%2F%FF.a", "google%253A%252F%252Fa.b", "../livez"]
        {
            assert_eq!(read(written).map_err(|error| error.code), Err(Code::BadRef), "{written}");
        }
    }
}
