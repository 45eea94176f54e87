//! `/v1/admin/policy…`: what the policy in force is, and the rules that are added to it at run time.
//!
//! Every change is on disk before it is in force, and in force before it is answered: whatever is asked after the answer is
//! answered by it.

use axum::extract::{Path, State};
use axum::http::header::{ETAG, IF_MATCH};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use super::admin::Admin;
use super::body::Body;
use super::compressed::AsItIs;
use super::json;
use super::wire::{PolicyAnswer, PolicyChanged, RollBackRequest, RunTimeBody, VersionsAnswer};
use crate::clock::unix_s;
use crate::doors::{in_range, to_json};
use crate::error::{ApiError, Code};
use crate::limits::{JSON_INTEGER_MAX, RULE_ID_BYTES_MAX, RUN_TIME_RULES_MAX};
use crate::policy::{ChangeError, InForce, Request, RunTimeError, WrittenRule};
use crate::state::AppState;

/// The policy in force: its version, how its file is, and the run-time rules.
#[utoipa::path(
    get, path = "/v1/admin/policy", tag = "operations",
    responses(
        (status = 200, body = PolicyAnswer, headers(("ETag" = String, description = "The version, for If-Match"))),
    )
)]
pub(super) async fn policy(State(state): State<AppState>, _: Admin) -> Result<Response, ApiError> {
    let in_force = state.0.policies.in_force();
    let run_time = match &in_force.run_time {
        Ok(rules) => RunTimeBody { version: Some(rules.version()), refusal: None, rules: rules.written().to_vec() },
        Err(reason) => RunTimeBody { version: None, refusal: Some(reason.to_string()), rules: Vec::new() },
    };
    let answer = PolicyAnswer { version: in_force.version.to_string(), file: in_force.file.clone(), run_time };
    Ok(with_etag(&in_force, json(to_json(&answer)?)))
}

/// Adds one rule, in force when it is answered. It is one as in the policy's file.
#[utoipa::path(
    post, path = "/v1/admin/policy/rules", tag = "operations", request_body = WrittenRule,
    params(("If-Match" = Option<String>, Header, description = "The version that was looked at")),
    responses(
        (status = 201, body = PolicyChanged, headers(("ETag" = String, description = "The new version"))),
        (status = 409, description = "It is there, there are 1,000, or the run-time rules are refused"),
        (status = 412, description = "Another version is in force"),
    )
)]
pub(super) async fn add_rule(
    State(state): State<AppState>,
    admin: Admin,
    headers: HeaderMap,
    Body(rule): Body<WrittenRule>,
) -> Result<Response, ApiError> {
    change(state, admin, headers, Request::Add(Box::new(rule)), StatusCode::CREATED).await
}

/// Removes a run-time rule. No request that is sent after the answer is answered by it.
#[utoipa::path(
    delete, path = "/v1/admin/policy/rules/{id}", tag = "operations",
    params(
        ("id" = String, Path, description = "The rule's id", max_length = 32),
        ("If-Match" = Option<String>, Header, description = "The version that was looked at"),
    ),
    responses(
        (status = 200, body = PolicyChanged, headers(("ETag" = String, description = "The new version"))),
        (status = 404, description = "No such rule, or the caller is no admin"),
        (status = 409, description = "The run-time rules are refused"),
        (status = 412, description = "Another version is in force"),
    )
)]
pub(super) async fn remove_rule(
    State(state): State<AppState>,
    admin: Admin,
    headers: HeaderMap,
    path: Result<Path<String>, axum::extract::rejection::PathRejection>,
) -> Result<Response, ApiError> {
    let id = path.ok().map(|Path(id)| id).filter(|id| id.len() <= RULE_ID_BYTES_MAX);
    let id = id.ok_or_else(|| ApiError::new(Code::NoSuchRule))?;
    change(state, admin, headers, Request::Remove(id), StatusCode::OK).await
}

/// The versions of the run-time rules that are kept, each with what it changed, who and when.
#[utoipa::path(
    get, path = "/v1/admin/policy/versions", tag = "operations",
    responses(
        (status = 200, body = VersionsAnswer),
    )
)]
pub(super) async fn versions(State(state): State<AppState>, _: Admin) -> Result<Response, ApiError> {
    let read = tokio::task::spawn_blocking(move || state.0.policies.version_rows());
    let versions = read.await.map_err(ApiError::internal)?.map_err(not_stored)?;
    Ok(json(to_json(&VersionsAnswer { versions })?))
}

/// Makes the run-time rules what they were in an earlier version.
#[utoipa::path(
    post, path = "/v1/admin/policy/roll_back", tag = "operations", request_body = RollBackRequest,
    params(("If-Match" = Option<String>, Header, description = "The version that was looked at")),
    responses(
        (status = 200, body = PolicyChanged, headers(("ETag" = String, description = "The new version"))),
        (status = 404, description = "No such version is kept, or the caller is no admin"),
        (status = 409, description = "That version is refused"),
        (status = 412, description = "Another version is in force"),
    )
)]
pub(super) async fn roll_back(
    State(state): State<AppState>,
    admin: Admin,
    headers: HeaderMap,
    Body(RollBackRequest { version }): Body<RollBackRequest>,
) -> Result<Response, ApiError> {
    in_range("/version", Some(version), 0, JSON_INTEGER_MAX)?;
    change(state, admin, headers, Request::RollBack(version), StatusCode::OK).await
}

async fn change(
    state: AppState,
    Admin { principal: admin, note }: Admin,
    headers: HeaderMap,
    request: Request,
    status: StatusCode,
) -> Result<Response, ApiError> {
    match &request {
        Request::Add(rule) => note.asks("rule", rule),
        Request::Remove(id) => note.asks("rule_id", id),
        Request::RollBack(version) => note.asks("version", version),
    }
    let work = move || {
        let expected = |version: &str| is_expected(&headers, version);
        state.0.policies.change(request, expected, &admin.to_string(), unix_s())
    };
    let (in_force, made) = tokio::task::spawn_blocking(work).await.map_err(ApiError::internal)?.map_err(refusal)?;
    let run_time_version = in_force.run_time.as_ref().map_or(0, |rules| rules.version());
    tracing::info!(policy.version = &*in_force.version, policy.change = ?made, "policy changed at run time");
    note.shows([in_force.version.to_string()].into_iter());
    let answer = PolicyChanged { made, version: in_force.version.to_string(), run_time_version };
    Ok((status, with_etag(&in_force, json(to_json(&answer)?))).into_response())
}

/// With the version in force as the ETag. Compressed, that would be a weak one, which `If-Match` never takes.
fn with_etag(in_force: &InForce, mut response: Response) -> Response {
    response.extensions_mut().insert(AsItIs);
    if let Ok(etag) = HeaderValue::from_str(&format!("\"{}\"", in_force.version)) {
        response.headers_mut().insert(ETAG, etag);
    }
    response
}

/// Whether `If-Match` names the version in force, or is not there. Strong comparison (RFC 9110, section 13.1.1).
fn is_expected(headers: &HeaderMap, version: &str) -> bool {
    if !headers.contains_key(IF_MATCH) {
        return true;
    }
    let values = headers.get_all(IF_MATCH).iter().filter_map(|value| value.to_str().ok());
    let etag = format!("\"{version}\"");
    values.flat_map(|value| value.split(',')).map(str::trim).any(|given| given == "*" || given == etag)
}

fn refusal(error: ChangeError) -> ApiError {
    match error {
        ChangeError::OtherVersion { in_force } => {
            ApiError::new(Code::PreconditionFailed).detail(format!("The policy in force is \"{in_force}\"."))
        }
        ChangeError::BadRule(reason) => ApiError::invalid("", reason),
        ChangeError::Exists { id } => ApiError::new(Code::RuleExists).detail(format!("It is {id}.")),
        ChangeError::NoSuchRule => ApiError::new(Code::NoSuchRule),
        ChangeError::NoSuchVersion => ApiError::new(Code::NoSuchVersion),
        ChangeError::TooManyRules => {
            ApiError::new(Code::TooManyRules).detail(format!("There are the {RUN_TIME_RULES_MAX} rules allowed."))
        }
        ChangeError::Refused(reason) => ApiError::new(Code::RunTimeRulesRefused).detail(reason.to_string()),
        ChangeError::Store(error) => not_stored(error),
    }
}

/// What an operator can mend is told: an admin may know the home's files. A failing disk is our fault and the log's affair.
fn not_stored(error: RunTimeError) -> ApiError {
    match error {
        RunTimeError::Io { .. } => ApiError::internal(error),
        RunTimeError::TooLarge => ApiError::new(Code::TooManyRules).detail(error.to_string()),
        refused => ApiError::new(Code::RunTimeRulesRefused).detail(refused.to_string()),
    }
}
