//! `GET /v1/admin/audit`: the audit log, for admins. Reading it is a decision too, and recorded.

use std::time::{Instant, SystemTime};

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::Response;
use serde_json::Value;

use super::admin::Admin;
use super::json;
use super::wire::{AuditAnswer, AuditRequest};
use crate::audit::{Audit, AuditError, Backward, Filter};
use crate::doors::{in_range, shorten, to_json};
use crate::error::{ApiError, Code, Panicked};
use crate::limits::{
    AUDIT_LIMIT_DEFAULT, AUDIT_LIMIT_MAX, AUDIT_SCAN_BYTES_MAX, AUDIT_SCAN_TIME, JSON_INTEGER_MAX, WHY_NOT_CHARS_MAX,
};
use crate::state::AppState;

/// Every decision of this server, newest first, and how its audit log is.
#[utoipa::path(
    get, path = "/v1/admin/audit", tag = "operations", params(AuditRequest),
    responses(
        (status = 200, body = AuditAnswer),
        (status = 400, description = "Not such a request"),
        (status = 404, description = "The caller is no admin, or nothing is recorded"),
        (status = 503, description = "Somebody else is reading the log, or nothing can be recorded; see Retry-After"),
    )
)]
pub(super) async fn audit(
    State(state): State<AppState>,
    Admin { note, .. }: Admin,
    request: Result<Query<AuditRequest>, QueryRejection>,
) -> Result<Response, ApiError> {
    let Query(request) = request.map_err(|error| ApiError::invalid("", shorten(&error.body_text())))?;
    if state.0.audit.is_none() {
        return Err(ApiError::new(Code::NoSuchRoute).detail("This server keeps no audit log."));
    }
    let AuditRequest { user, reference, door, outcome, request_id, since, until, before, limit } = request;
    let texts = [
        ("user", &user),
        ("ref", &reference),
        ("door", &door),
        ("outcome", &outcome),
        ("request_id", &request_id),
        ("since", &since),
        ("until", &until),
    ];
    for (name, value) in texts {
        if value.as_ref().is_some_and(|value| value.chars().count() > WHY_NOT_CHARS_MAX) {
            let detail = format!("It is longer than the {WHY_NOT_CHARS_MAX} characters allowed.");
            return Err(ApiError::invalid(format!("/{name}"), detail));
        }
        note.asks(name, value);
    }
    note.asks("before", before);
    in_range("/before", before, 1, JSON_INTEGER_MAX)?;
    in_range("/limit", limit, 1, AUDIT_LIMIT_MAX)?;
    let filter = Filter {
        user,
        reference,
        door,
        outcome,
        request_id,
        query_hmac: None,
        since: time("/since", since)?,
        until: time("/until", until)?,
    };
    let limit = limit.unwrap_or(AUDIT_LIMIT_DEFAULT);
    let shared = state.clone();
    let work = move || {
        let Some(audit) = &shared.0.audit else { return Err(ApiError::new(Code::NoSuchRoute)) };
        // The disk is read by one admin at a time: a reading is long, and the requests' own threads are few.
        let _permit = audit.readers.try_acquire().map_err(|_| ApiError::new(Code::Overloaded))?;
        page(audit, &filter, before, limit).map_err(ApiError::internal)
    };
    let answer = tokio::task::spawn_blocking(work).await.map_err(|_| ApiError::internal(Panicked))??;
    let numbers = answer.records.iter().map(|record| record["seq"].to_string());
    note.shows(numbers.collect::<Vec<_>>().into_iter());
    to_json(&answer).map(json)
}

fn time(pointer: &str, written: Option<String>) -> Result<Option<String>, ApiError> {
    let read = |written: &String| {
        Filter::time(written, SystemTime::now()).ok_or_else(|| {
            ApiError::invalid(
                pointer,
                "It is no time; write 2026-11-25T08:00:00Z, 2026-11-25, or 2h for two hours ago.",
            )
        })
    };
    written.as_ref().map(read).transpose()
}

fn page(audit: &Audit, filter: &Filter, before: Option<u64>, limit: usize) -> Result<AuditAnswer, AuditError> {
    let began = Instant::now();
    let mut lines = Backward::new(&audit.config().folder, before)?;
    let mut answer = AuditAnswer { records: Vec::new(), next_before: None, log: audit.status() };
    // Of the records before `before`, the oldest that was read.
    let mut oldest = None;
    loop {
        let is_enough = lines.n_bytes() >= AUDIT_SCAN_BYTES_MAX || began.elapsed() >= AUDIT_SCAN_TIME;
        // The next page has to start somewhere else than this one, so one record is read whatever it costs.
        if answer.records.len() == limit || (is_enough && oldest.is_some()) {
            answer.next_before = oldest.filter(|&seq| seq > 1);
            break;
        }
        let Some(line) = lines.next().transpose()? else { break };
        // A line that is no record, or a whole one yet, is for `shortlist audit verify`.
        let Ok(record) = serde_json::from_slice::<Value>(&line) else { continue };
        let Some(seq) = record["seq"].as_u64().filter(|&seq| before.is_none_or(|before| seq < before)) else {
            continue;
        };
        oldest = Some(seq);
        if filter.takes_record(&record) {
            answer.records.push(record);
        }
    }
    Ok(answer)
}
