//! The admin doors: `/v1/admin/…`, for those whom the policy names as admins. To everybody else there is no such route.

use std::sync::Arc;

use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::response::Response;
use shortlist_index::{Filter, Mode, SearchRequest};

use super::asked::{Asked, IsAdmin};
use super::audited::Note;
use super::body::Body;
use super::json;
use super::wire::{SourcesAnswer, WhyNotRequest};
use crate::clock::unix_s;
use crate::doors::{in_range, refusal, to_json};
use crate::engine::View;
use crate::error::{ApiError, Code};
use crate::explain::{Explained, explain};
use crate::ledger::source_rows;
use crate::limits::{
    FILTER_VALUE_CHARS_MAX, FILTER_VALUES_MAX, MEMBERSHIPS_MAX, SEARCH_LIMIT_DEFAULT, SEARCH_LIMIT_MAX,
    SERVICE_CHARS_MAX, USER_BYTES_MAX, WHY_NOT_CHARS_MAX,
};
use crate::policy::Granted;
use crate::principal::Principal;
use crate::state::AppState;

/// The proof that an admin asks, and who it is; [`super::asked`] finds out.
pub(super) struct Admin {
    pub(super) principal: Arc<Principal>,
    /// Where the handler says what it decides.
    pub(super) note: Note,
}

impl FromRequestParts<AppState> for Admin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self, ApiError> {
        let proof = parts.extensions.get::<IsAdmin>();
        let asked = parts.extensions.get::<Asked>().and_then(|Asked(asked)| asked.as_ref().ok());
        let note = parts.extensions.get::<Note>().cloned().unwrap_or_default();
        let admin = proof.zip(asked).map(|(_, asked)| Self { principal: Arc::clone(&asked.principal), note });
        admin.ok_or_else(|| ApiError::new(Code::NoSuchRoute))
    }
}

/// How every source is, and what became of its records.
#[utoipa::path(
    get, path = "/v1/admin/sources", tag = "operations",
    responses(
        (status = 200, body = SourcesAnswer),
    )
)]
pub(super) async fn sources(State(state): State<AppState>, Admin { note, .. }: Admin) -> Result<Response, ApiError> {
    let shared = state.clone();
    let work = move |view: View| {
        let manifest = view.snapshot().manifest();
        note.generation(manifest.number);
        let sources = source_rows(Some(manifest), &shared.0.statuses.current(), unix_s());
        to_json(&SourcesAnswer { sources, generation: manifest.number })
    };
    state.0.engine.run(nothing(), work).await.map(json)
}

/// Why a tool is not in the answer that somebody would get to a query, or that it is.
#[utoipa::path(
    post, path = "/v1/admin/why_not", tag = "operations", request_body = WhyNotRequest,
    responses(
        (status = 200, body = Explained),
    )
)]
pub(super) async fn why_not(
    State(state): State<AppState>,
    Admin { note, .. }: Admin,
    Body(request): Body<WhyNotRequest>,
) -> Result<Response, ApiError> {
    check(&request)?;
    let WhyNotRequest { reference, query, user, tenant, service, groups, roles, scopes, .. } = request;
    let WhyNotRequest { limit, mode, rerank, exact, whole, collapse, namespaces, filter, .. } = request;
    note.query(&query);
    note.asks("refs", [&reference]);
    note.asks("user", Some(&user).filter(|user| !user.is_empty()));
    note.asks("tenant", &tenant);
    note.asks("service", &service);
    let principal = Principal { user, tenant, service, ..Principal::default() };
    let principal = principal.with_groups(groups).with_roles(roles).with_scopes(scopes);
    let policy = Arc::clone(&state.0.policies.in_force().policy);
    let shared = state.clone();
    let work = move |view: View| {
        let request = SearchRequest {
            limit: limit.unwrap_or(SEARCH_LIMIT_DEFAULT),
            mode: mode.map_or(Mode::default(), Mode::from),
            rerank,
            exact,
            whole,
            collapse,
            filter: Filter {
                namespaces,
                annotations: filter.annotations(),
                sources: filter.sources,
                tags: filter.tags,
                include_deprecated: filter.include_deprecated,
            },
            ..SearchRequest::new(query)
        };
        note.generation(view.snapshot().number());
        let (viewer, statuses) = (Some((&*policy, &principal)), shared.0.statuses.current());
        // Not the view's models: what they remember for those without a grant would tell them by time what an admin asked.
        let models = shared.0.engine.models();
        let explained =
            explain(view.snapshot(), models, viewer, &statuses, unix_s(), &request, &reference).map_err(refusal)?;
        tracing::info!(generation = view.snapshot().number(), queue.ms = view.queue_ms, "why-not answered");
        to_json(&explained)
    };
    state.0.engine.run(nothing(), work).await.map(json)
}

fn check(request: &WhyNotRequest) -> Result<(), ApiError> {
    in_range("/limit", request.limit, 1, SEARCH_LIMIT_MAX)?;
    if request.reference.is_empty() {
        return Err(ApiError::invalid("/ref", "It is empty; name a tool by its ref, or a record as its source does."));
    }
    let too_long = |pointer: &str, max: usize| {
        Err(ApiError::invalid(pointer, format!("It is longer than the {max} characters allowed.")))
    };
    if request.reference.chars().count() > WHY_NOT_CHARS_MAX {
        return too_long("/ref", WHY_NOT_CHARS_MAX);
    }
    if request.user.is_empty() && request.service.is_none() {
        return Err(ApiError::invalid("/user", "Nobody is named; say whose answer is meant, a `user` or a `service`."));
    }
    for (pointer, name, max) in [
        ("/user", Some(&request.user), USER_BYTES_MAX),
        ("/tenant", request.tenant.as_ref(), USER_BYTES_MAX),
        ("/service", request.service.as_ref(), SERVICE_CHARS_MAX),
    ] {
        if name.is_some_and(|name| name.len() > max) {
            return too_long(pointer, max);
        }
    }
    let filter = &request.filter;
    for (pointer, values, n_max) in [
        ("/groups", &request.groups, MEMBERSHIPS_MAX),
        ("/roles", &request.roles, MEMBERSHIPS_MAX),
        ("/scopes", &request.scopes, MEMBERSHIPS_MAX),
        ("/namespaces", &request.namespaces, FILTER_VALUES_MAX),
        ("/filter/sources", &filter.sources, FILTER_VALUES_MAX),
        ("/filter/tags", &filter.tags, FILTER_VALUES_MAX),
    ] {
        if values.len() > n_max {
            return Err(ApiError::invalid(pointer, format!("At most {n_max} values are taken.")));
        }
        if values.iter().any(|value| value.chars().count() > FILTER_VALUE_CHARS_MAX) {
            return too_long(pointer, FILTER_VALUE_CHARS_MAX);
        }
    }
    Ok(())
}

/// The work of an admin door resolves its own grant, so it runs with none.
fn nothing() -> Arc<Granted> {
    Arc::new(Granted::nothing())
}
