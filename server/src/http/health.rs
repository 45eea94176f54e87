//! `/livez` and `/readyz`, for whoever runs the server. They need no identity, and tell nothing of the catalog.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::audit::OnFailure;
use crate::limits::RETRY_AFTER_S;
use crate::state::AppState;

/// The process lives.
#[derive(Serialize, ToSchema)]
pub(super) struct Live {
    /// Always `ok`.
    status: &'static str,
}

/// Whether requests should be sent here.
#[derive(Serialize, ToSchema)]
pub(super) struct Ready {
    /// All checks are good.
    ready: bool,
    /// What was looked at.
    checks: Vec<Check>,
}

/// One thing that has to be there.
#[derive(Serialize, ToSchema)]
pub(super) struct Check {
    /// `generation`, `policy`, `embedder`, `sources` or `audit`.
    name: &'static str,
    /// Whether it is there.
    ok: bool,
    /// What is missing or should be looked at, and what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

/// Whether the process lives. It asks nothing else: a server without a catalog needs no restart.
#[utoipa::path(get, path = "/livez", tag = "operations", security(()), responses((status = 200, body = Live)))]
pub(super) async fn livez() -> Json<Live> {
    Json(Live { status: "ok" })
}

/// Whether a generation, a policy and the generation's own embedding model are loaded.
#[utoipa::path(
    get, path = "/readyz", tag = "operations", security(()),
    responses((status = 200, body = Ready), (status = 503, description = "Something is missing", body = Ready))
)]
pub(super) async fn readyz(State(state): State<AppState>) -> Response {
    let mut checks = vec![generation(&state), policy(&state), embedder(&state), sources(&state)];
    checks.extend(audit(&state));
    let ready = Ready { ready: checks.iter().all(|check| check.ok), checks };
    if ready.ready {
        Json(ready).into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, RETRY_AFTER_S.to_string())], Json(ready)).into_response()
    }
}

fn generation(state: &AppState) -> Check {
    let ok = state.generation().is_some();
    check("generation", ok, "no generation is loaded; run `shortlist sync`, and see this server's log")
}

/// A policy whose file was broken later serves on; who has to mend that learns it here too.
fn policy(state: &AppState) -> Check {
    let in_force = state.0.policies.in_force();
    let reason = match (in_force.file.loaded, &in_force.run_time, &in_force.file.refusal) {
        (false, ..) => Some("no good policy was loaded yet, so nothing is visible; see this server's log"),
        (true, Err(_), _) => {
            Some("the run-time rules cannot be read, so nothing is visible; see this server's log, or /v1/admin/policy")
        }
        (true, Ok(_), Some(_)) => {
            Some("the policy's file was refused, and the one before it is in force; see /v1/admin/policy")
        }
        (true, Ok(_), None) => None,
    };
    Check { name: "policy", ok: in_force.file.loaded && in_force.run_time.is_ok(), reason }
}

fn embedder(state: &AppState) -> Check {
    let name = "embedder";
    match (&state.0.engine.models().embedder, state.0.engine.expected_embedder()) {
        (None, _) => check(name, false, "no embedding model is loaded, so searches are lexical only"),
        (Some(loaded), Some(expected)) if loaded.fingerprint().0 != expected => check(
            name,
            false,
            "the generation was made with another embedding model; sync again or start with that one",
        ),
        _ => check(name, true, ""),
    }
}

/// A source that is stale makes nobody unready, for its last good tools serve; and which one it is, is the operators' affair.
fn sources(state: &AppState) -> Check {
    let stale = state.0.statuses.has_stale();
    let reason = "some tools are older than they should be; see `shortlist sources`, or /v1/admin/sources";
    Check { name: "sources", ok: true, reason: stale.then_some(reason) }
}

/// A log that fails makes unready whoever may not answer without it.
fn audit(state: &AppState) -> Option<Check> {
    let status = state.0.audit.as_ref()?.status();
    let reason = "decisions cannot be recorded in the audit log; see this server's log, or /v1/admin/audit";
    let ok = !status.failing || status.on_failure == OnFailure::Count;
    Some(Check { name: "audit", ok, reason: status.failing.then_some(reason) })
}

fn check(name: &'static str, ok: bool, reason: &'static str) -> Check {
    Check { name, ok, reason: (!ok).then_some(reason) }
}
