//! `list_namespaces`: the namespaces that hold tools the caller may see, and how many.

use super::Caller;
use super::pages::Pages;
use super::search::in_range;
use super::wire::{NamespaceBody, NamespacesAnswer, NamespacesRequest};
use crate::engine::View;
use crate::error::ApiError;
use crate::limits::{FILTER_VALUE_CHARS_MAX, NAMESPACES_LIMIT_DEFAULT, NAMESPACES_LIMIT_MAX};
use crate::state::AppState;

/// The namespaces, as `write` puts them on the wire.
///
/// # Errors
/// What the caller did wrong (with the field), `stale_cursor`, and those of [`crate::engine::Engine::run`].
pub(crate) async fn list_namespaces<T: Send + 'static>(
    state: &AppState,
    caller: Caller,
    mut request: NamespacesRequest,
    write: impl FnOnce(NamespacesAnswer) -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    in_range("/limit", request.limit, 1, NAMESPACES_LIMIT_MAX)?;
    if request.prefix.as_ref().is_some_and(|prefix| prefix.chars().count() > FILTER_VALUE_CHARS_MAX) {
        let detail = format!("The prefix has more than the {FILTER_VALUE_CHARS_MAX} characters allowed.");
        return Err(ApiError::invalid("/prefix", detail));
    }
    let cursor = request.cursor.take();
    let limit = *request.limit.get_or_insert(NAMESPACES_LIMIT_DEFAULT);
    let pages = Pages::new(state, &caller, "list_namespaces", &request, cursor)?;

    let note = caller.note;
    note.asks("prefix", &request.prefix);
    let work = move |view: View| {
        let generation = view.snapshot().number();
        note.generation(generation);
        let offset = pages.offset(generation)?;
        let prefix = request.prefix.as_deref().unwrap_or_default();
        let mut all = view.snapshot().namespaces(&view.allowed);
        all.retain(|count| count.namespace.starts_with(prefix));
        all.sort_by(|one, other| (&one.namespace, &one.source).cmp(&(&other.namespace, &other.source)));
        let next = offset.saturating_add(limit);
        let next_cursor = (next < all.len()).then(|| pages.cursor(generation, next));
        let page = all.into_iter().skip(offset).take(limit);
        let namespaces: Vec<NamespaceBody> = page
            .map(|count| NamespaceBody { source: count.source, namespace: count.namespace, n_tools: count.n_tools })
            .collect();
        note.shows(namespaces.iter().map(|one| format!("{}://{}", one.source, one.namespace)));
        tracing::info!(
            generation,
            namespaces.n = namespaces.len(),
            allowed.n_tools = view.allowed.len(),
            policy.version = &*view.policy_version,
            queue.ms = view.queue_ms,
            allow.ms = view.allow_ms,
            "namespaces answered"
        );
        write(NamespacesAnswer { namespaces, next_cursor, generation })
    };
    state.0.engine.run(caller.granted, work).await
}
