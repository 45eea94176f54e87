//! Results of tools: an answer, or what went wrong with advice for what to do next.

use rmcp::model::{CallToolResult, ContentBlock, MetaObject};
use serde::Serialize;
use serde_json::Value;

use super::text;
use crate::doors::to_json;
use crate::doors::wire::ToolDetailsAnswer;
use crate::error::{ApiError, Code};
use crate::http::TraceContext;

/// Under which key a request's id stands in `_meta`, both ways.
pub(super) const REQUEST_ID: &str = "x-request-id";

/// An answer, whole and in short.
pub(super) fn answer(text: String, answer: &impl Serialize) -> Result<CallToolResult, ApiError> {
    let mut result = CallToolResult::success(vec![ContentBlock::text(text)]);
    // By its bytes, so that every number is written as REST writes it.
    result.structured_content = Some(serde_json::from_slice(&to_json(answer)?).map_err(ApiError::internal)?);
    Ok(result)
}

/// The tools that were asked for. Where none of them is found there is nothing to go on with, and the model is told how to.
pub(super) fn details(tools: &ToolDetailsAnswer) -> Result<CallToolResult, ApiError> {
    let mut text = text::details(tools);
    let is_missed = tools.tools.iter().all(|tool| !tool.found);
    if is_missed {
        text = "None of these tools was found. Take refs as search_tools gives them; search again with what the tool \
                should do."
            .to_owned();
    }
    let mut result = answer(text, tools)?;
    result.is_error = Some(is_missed);
    Ok(result)
}

/// What went wrong.
pub(super) fn error(error: &ApiError) -> CallToolResult {
    let ApiError { code, detail, pointer, .. } = error;
    let place = pointer.as_ref().map(|pointer| format!(" at {pointer}")).unwrap_or_default();
    let detail = detail.as_deref().unwrap_or(code.title());
    let end = if detail.ends_with(['.', '!', '?']) { "" } else { "." };
    let text = format!("{}{place}: {detail}{end} {}", code.as_str(), advice(*code));
    CallToolResult::error(vec![ContentBlock::text(text)])
}

/// What a model should do next.
fn advice(code: Code) -> &'static str {
    match code {
        Code::UnknownField => "Leave that argument out and call again; the input schema names all that there are.",
        Code::InvalidValue | Code::MalformedJson => "Correct that argument and call again.",
        Code::BadRef => "Take refs as search_tools gives them, such as google://drive.files.list.",
        Code::BadCursor => "Give a cursor with the same arguments as on the page before, or call again without one.",
        Code::StaleCursor => "Call again without the cursor.",
        Code::ToolNotFound => "Search again with what the tool should do.",
        Code::Internal => "Call again; if it goes on, give the request's id to whoever runs the server.",
        code if code.status().is_server_error() => "Wait a second and call again.",
        _ => "Call otherwise; the same again will fail again.",
    }
}

/// With the request's id, and our span in the trace of a caller who has one.
pub(super) fn with_ids(mut result: CallToolResult, id: &str, ours: Option<TraceContext>) -> CallToolResult {
    let mut meta = MetaObject::new();
    if !id.is_empty() {
        meta.0.insert(REQUEST_ID.to_owned(), Value::from(id));
    }
    if let Some(ours) = ours {
        meta.set_traceparent(ours.to_string());
    }
    result.meta = (!meta.0.is_empty()).then_some(meta);
    result
}
