//! `search_tools`: finds tools that do what the query says, among those the caller may see.

use std::fmt::Display;

use shortlist_index::{DEPTH_MAX, Filter, Mode, QUERY_CHARS_MAX, SearchError, SearchRequest, search_followed};

use super::Caller;
use super::pages::Pages;
use super::render::{Rendered, render, shorten_parts};
use super::wire::{ConfidenceBody, Detail, SearchToolsAnswer, SearchToolsRequest};
use crate::engine::{View, timed};
use crate::error::ApiError;
use crate::limits::{
    FILTER_VALUE_CHARS_MAX, FILTER_VALUES_MAX, SEARCH_LIMIT_DEFAULT, SEARCH_LIMIT_MAX, TOKENS_MAX, TOKENS_MIN,
};
use crate::state::AppState;
use crate::telemetry::Followed;

/// The hits, as `write` puts them on the wire.
///
/// # Errors
/// What the caller did wrong (with the field), `stale_cursor`, and those of [`crate::engine::Engine::run`].
pub(crate) async fn search_tools<T: Send + 'static>(
    state: &AppState,
    caller: Caller,
    mut request: SearchToolsRequest,
    write: impl FnOnce(SearchToolsAnswer) -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    check(&request)?;
    // What is left of the request decides which hits there are, and so what a cursor is bound to. How much a page tells of
    // each may change from page to page.
    let cursor = request.cursor.take();
    let is_shaped = request.shape.take().is_some();
    let detail = request.detail.take().unwrap_or(if is_shaped { Detail::Full } else { Detail::Summary });
    let max_tokens = request.max_tokens.take();
    let explain = std::mem::take(&mut request.explain);
    request.exact |= caller.granted.exact;
    let limit = *request.limit.get_or_insert(SEARCH_LIMIT_DEFAULT);
    let pages = Pages::new(state, &caller, "search_tools", &request, cursor)?;

    let note = caller.note;
    note.query(&request.query);
    note.asks("namespaces", &request.namespaces);
    note.asks("sources", &request.filter.sources);
    note.asks("tags", &request.filter.tags);
    let work = move |view: View| {
        let generation = view.snapshot().number();
        note.generation(generation);
        let offset = pages.offset(generation)?;
        // The last page is as short as the depth makes it. No cursor starts at the depth or beyond.
        let limit = limit.min(DEPTH_MAX.saturating_sub(offset));
        let request = SearchRequest {
            query: request.query,
            offset,
            limit,
            mode: request.mode.map_or(Mode::default(), Mode::from),
            rerank: request.rerank,
            exact: request.exact,
            whole: request.whole,
            collapse: request.collapse,
            demote: true,
            filter: Filter {
                namespaces: request.namespaces,
                annotations: request.filter.annotations(),
                sources: request.filter.sources,
                tags: request.filter.tags,
                include_deprecated: request.filter.include_deprecated,
            },
            explain,
        };
        let stages = Followed::new(&view.metrics);
        let (answer, search_ms) =
            timed(|| search_followed(view.snapshot(), &view.models, &view.allowed, &request, &stages));
        let answer = answer.map_err(refusal)?;
        let (n_hits, n_parts, more) = (answer.hits.len(), answer.parts.len(), answer.more);
        let confidence = answer.confidence.map(ConfidenceBody::from);
        let mut page = SearchToolsAnswer {
            hits: Vec::new(),
            parts: answer.parts,
            confidence,
            advice: confidence.and_then(ConfidenceBody::advice),
            // Cursors are of one length. Until it is known what fits, there is one, and everything is left out.
            next_cursor: Some(pages.cursor(generation, offset)),
            generation,
            degraded: answer.degraded.iter().map(|degraded| degraded.stage).collect(),
            truncated: false,
            omitted: n_hits,
        };
        if let Some(max_tokens) = max_tokens {
            shorten_parts(&mut page.parts, max_tokens);
        }
        let (rendered, render_ms) = timed(|| stages.run("render", || render(answer.hits, detail, max_tokens, &page)));
        let Rendered { hits, truncated } = rendered?;
        view.metrics.searched(offset + n_hits == 0, page.degraded.iter().copied());
        let omitted = n_hits - hits.len();
        // A hit that fits at no level must not be offered for ever: with an empty page the next one starts past it.
        let passed = if omitted > 0 { hits.len().max(1) } else { n_hits };
        let next = offset + passed;
        let next_cursor = (passed < n_hits || more)
            .then_some(next)
            .filter(|&next| next < DEPTH_MAX)
            .map(|next| pages.cursor(generation, next));
        // A vendor's shape has no place for them.
        let alternatives = hits.iter().flat_map(|hit| hit.alternatives.iter().flatten()).filter(|_| !is_shaped);
        let shown: Vec<String> = hits.iter().map(|hit| &hit.reference).chain(alternatives).cloned().collect();
        note.shows(shown.into_iter());
        tracing::info!(
            generation, search.k = limit, search.offset = offset, allowed.n_tools = view.allowed.len(),
            policy.version = &*view.policy_version, search.n_hits = n_hits, search.n_parts = n_parts, search.mode = %request.mode,
            search.exact = request.exact, search.degraded = ?answer.degraded,
            queue.ms = view.queue_ms, allow.ms = view.allow_ms, search.ms = search_ms, render.ms = render_ms,
            "search answered"
        );
        write(SearchToolsAnswer { hits, next_cursor, truncated, omitted, ..page })
    };
    state.0.engine.run(caller.granted, work).await
}

fn check(request: &SearchToolsRequest) -> Result<(), ApiError> {
    if request.query.trim().is_empty() {
        return Err(ApiError::invalid("/query", "The query is empty; say in a few words what the tool should do."));
    }
    let chars = request.query.chars().count();
    if chars > QUERY_CHARS_MAX {
        let detail = format!("The query has {chars} characters, and at most {QUERY_CHARS_MAX} are read.");
        return Err(ApiError::invalid("/query", detail));
    }
    if request.shape.is_some() && (request.detail.is_some() || request.max_tokens.is_some()) {
        let detail = "A vendor's shape has every definition whole; leave `detail` and `max_tokens` out, and say how many by `limit`.";
        return Err(ApiError::invalid("/shape", detail));
    }
    in_range("/limit", request.limit, 1, SEARCH_LIMIT_MAX)?;
    in_range("/max_tokens", request.max_tokens, TOKENS_MIN, TOKENS_MAX)?;
    let filter = &request.filter;
    for (pointer, values) in
        [("/namespaces", &request.namespaces), ("/filter/sources", &filter.sources), ("/filter/tags", &filter.tags)]
    {
        if values.len() > FILTER_VALUES_MAX {
            let detail = format!("The list has {} values, and at most {FILTER_VALUES_MAX} are taken.", values.len());
            return Err(ApiError::invalid(pointer, detail));
        }
        if let Some(place) = values.iter().position(|value| value.chars().count() > FILTER_VALUE_CHARS_MAX) {
            let detail = format!("The value has more than the {FILTER_VALUE_CHARS_MAX} characters allowed.");
            return Err(ApiError::invalid(format!("{pointer}/{place}"), detail));
        }
    }
    Ok(())
}

/// Refuses a number outside its range. Nothing is clamped: a caller that asks for 500 should not believe to have them.
pub(crate) fn in_range<T: Copy + PartialOrd + Display>(
    pointer: &str,
    value: Option<T>,
    min: T,
    max: T,
) -> Result<(), ApiError> {
    match value {
        Some(value) if !(min..=max).contains(&value) => {
            Err(ApiError::invalid(pointer, format!("It is {value}, and {min} to {max} are allowed.")))
        }
        _ => Ok(()),
    }
}

/// An error of a search as its caller may see it.
pub(crate) fn refusal(error: SearchError) -> ApiError {
    if error.is_callers() { ApiError::invalid("/query", error.to_string()) } else { ApiError::internal(error) }
}
