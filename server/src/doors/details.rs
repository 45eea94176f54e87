//! `get_tool_details`: everything about some tools. One that the caller may not see is told exactly as one that does not
//! exist.

use shortlist_index::ToolRef;

use super::Caller;
use super::wire::{FoundTool, ToolBody, ToolDetailsAnswer, ToolDetailsRequest};
use crate::engine::View;
use crate::error::{ApiError, Code};
use crate::limits::DETAILS_REFS_MAX;
use crate::state::AppState;

/// The tools, as `write` puts them on the wire.
///
/// # Errors
/// What the caller did wrong (with the field), and those of [`crate::engine::Engine::run`].
pub(crate) async fn get_tool_details<T: Send + 'static>(
    state: &AppState,
    caller: Caller,
    request: ToolDetailsRequest,
    write: impl FnOnce(ToolDetailsAnswer) -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    let ToolDetailsRequest { refs } = request;
    if !(1..=DETAILS_REFS_MAX).contains(&refs.len()) {
        let detail = format!("There are {} refs, and 1 to {DETAILS_REFS_MAX} are taken.", refs.len());
        return Err(ApiError::invalid("/refs", detail));
    }
    let parsed = (0..).zip(&refs).map(|(place, text): (usize, &String)| {
        let bad = |error: shortlist_index::RefError| ApiError::new(Code::BadRef).detail(error.to_string());
        text.parse::<ToolRef>().map_err(|error| bad(error).at(format!("/refs/{place}")))
    });
    let tools: Vec<ToolRef> = parsed.collect::<Result<_, _>>()?;
    let note = caller.note;
    note.asks("refs", &refs);
    let work = move |view: View| {
        let found: Vec<FoundTool> = refs
            .into_iter()
            .zip(&tools)
            .map(|(reference, tool)| {
                let tool = view.snapshot().get(&view.allowed, tool).map(|tool| ToolBody::of(&tool));
                FoundTool { reference, found: tool.is_some(), tool }
            })
            .collect();
        let generation = view.snapshot().number();
        note.generation(generation);
        let shown: Vec<String> =
            found.iter().filter_map(|found| found.tool.as_ref().map(|tool| tool.reference.clone())).collect();
        note.shows(shown.into_iter());
        note.denies(found.iter().filter(|tool| !tool.found).map(|tool| tool.reference.clone()).collect());
        tracing::info!(
            generation,
            details.n_refs = found.len(),
            details.n_found = found.iter().filter(|tool| tool.found).count(),
            allowed.n_tools = view.allowed.len(),
            policy.version = &*view.policy_version,
            queue.ms = view.queue_ms,
            allow.ms = view.allow_ms,
            "details answered"
        );
        write(ToolDetailsAnswer { tools: found, generation })
    };
    state.0.engine.run(caller.granted, work).await
}
