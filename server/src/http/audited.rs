//! The layer that records each decision before its answer leaves, and [`Note`], in which a handler says what it was.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use axum::extract::{MatchedPath, Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value};

use super::asked::{Asked, DOORS, IsAdmin, RefusedBefore, Shut, is_a_door};
use super::observe::RequestId;
use crate::audit::{Audit, OnFailure};
use crate::error::{ApiError, Code};
use crate::identity::Identified;
use crate::limits::{AUDIT_ASKED_BYTES_MAX, AUDIT_REFS_MAX, AUDIT_RETURNED_BYTES_MAX};
use crate::policy::Granted;
use crate::principal::Principal;
use crate::rate::Limited;
use crate::state::AppState;

/// What a decision was about. It hangs on the request rather than on the answer, since an error, a timeout and a panic are
/// decisions too; where nothing is recorded it takes the door alone, by which requests are counted.
#[derive(Clone, Default)]
pub(crate) struct Note {
    /// What the door is called where the route does not say it.
    door: Arc<OnceLock<&'static str>>,
    decided: Option<Arc<Mutex<Noted>>>,
}

#[derive(Default)]
struct Noted {
    query: Option<String>,
    asked: Map<String, Value>,
    /// Bytes that `asked` may still take.
    asked_left: usize,
    granted: Option<Arc<Granted>>,
    generation: Option<u64>,
    shown: Option<Shown>,
    denied: Vec<String>,
}

/// What went wrong, in the extensions of an answer that says it in its own words.
#[derive(Clone)]
pub(super) struct Told(pub(super) ApiError);

/// What an answer shows.
struct Shown {
    refs: Vec<String>,
    n: usize,
}

impl Note {
    /// The same request's, for a record.
    fn recorded(self) -> Self {
        let noted = Noted { asked_left: AUDIT_ASKED_BYTES_MAX, ..Noted::default() };
        Self { decided: Some(Arc::new(Mutex::new(noted))), ..self }
    }

    fn with(&self, put: impl FnOnce(&mut Noted)) {
        if let Some(noted) = &self.decided {
            put(&mut noted.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// Which of the doors behind one route it is.
    pub(crate) fn door(&self, door: &'static str) {
        // A request goes through one.
        let _ = self.door.set(door);
    }

    /// What [`Self::door`] said.
    pub(super) fn named(&self) -> Option<&'static str> {
        self.door.get().copied()
    }

    /// The query; only its HMAC is recorded unless the configuration wants its text.
    pub(crate) fn query(&self, query: &str) {
        self.with(|noted| noted.query = Some(query.to_owned()));
    }

    /// Anything else of the request. What is empty is not recorded, and of what is too long only that.
    pub(crate) fn asks(&self, name: &str, value: impl Serialize) {
        self.with(|noted| {
            let value = serde_json::to_value(value).unwrap_or_default();
            let is_empty = match &value {
                Value::Null | Value::Bool(false) => true,
                Value::Array(values) => values.is_empty(),
                _ => false,
            };
            if is_empty {
                return;
            }
            let n_bytes = name.len() + value.to_string().len();
            let value = match noted.asked_left.checked_sub(n_bytes) {
                Some(left) => {
                    noted.asked_left = left;
                    value
                }
                None => Value::from("too long to be recorded"),
            };
            noted.asked.insert(name.to_owned(), value);
        });
    }

    /// What the caller may see.
    pub(crate) fn granted(&self, granted: &Arc<Granted>) {
        self.with(|noted| noted.granted = Some(Arc::clone(granted)));
    }

    /// The generation that answered.
    pub(crate) fn generation(&self, generation: u64) {
        self.with(|noted| noted.generation = Some(generation));
    }

    /// What the answer shows, in its order: refs, or what else it lists.
    pub(crate) fn shows(&self, refs: impl ExactSizeIterator<Item = String>) {
        self.with(|noted| {
            let mut left = AUDIT_RETURNED_BYTES_MAX;
            let n = refs.len();
            let fitting = refs.take(AUDIT_REFS_MAX).map_while(|reference| {
                left = left.checked_sub(reference.len())?;
                Some(reference)
            });
            noted.shown = Some(Shown { refs: fitting.collect(), n });
        });
    }

    /// The refs that were asked for and are not shown, hidden or missing.
    pub(crate) fn denies(&self, refs: Vec<String>) {
        self.with(|noted| noted.denied = refs);
    }
}

/// A decision as it is written. The writer adds number, time and chain.
#[derive(Serialize)]
struct Decision<'a> {
    kind: &'static str,
    request_id: &'a str,
    method: &'a str,
    door: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    memberships: Option<Memberships>,
    /// By what they were identified: `gateway`, an issuer's name, `key:` and a key's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<&'a str>,
    /// The admin who acts as the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<String>,
    /// The admin's key, by which the record is found; a service that acts for itself has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    actor_user: Option<&'a str>,
    /// Why nobody was identified.
    #[serde(skip_serializing_if = "Option::is_none")]
    unidentified: Option<String>,
    policy: Arc<str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    grant: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    generation: Option<u64>,
    asked: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    returned: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    n_returned: Option<usize>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    truncated: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    denied: Vec<String>,
    outcome: &'static str,
    status: u16,
    code: &'static str,
}

/// How many groups, roles and scopes. Their names belong to the directory, and the grant's fingerprint says what they gave.
#[derive(Serialize)]
struct Memberships {
    groups: usize,
    roles: usize,
    scopes: usize,
}

/// Records one request's decision, and lets its answer go. Where it cannot be recorded and must be, the answer stays here, and
/// a change is not even begun once the log is known to fail.
pub(super) async fn record(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    // A flood is recorded by its first request and the number of those that followed, which the next record tells.
    let is_repeated = request.extensions().get::<Limited>().is_some_and(|limited| limited.is_repeated);
    let is_recorded = is_a_door(request.uri()) && !is_repeated;
    let Some(audit) = state.0.audit.as_ref().filter(|_| is_recorded) else {
        return next.run(request).await;
    };
    let note = request.extensions().get::<Note>().cloned().unwrap_or_default().recorded();
    request.extensions_mut().insert(note.clone());
    let extensions = request.extensions();
    let asked = extensions.get::<Asked>().cloned();
    let request_id = extensions.get::<RequestId>().cloned();
    let door = extensions.get::<MatchedPath>().map(|path| door(path.as_str()).to_owned());
    // Who asks where there is nothing may be looking for something: the path is what was asked, without its parameters.
    if door.is_none() {
        let shut = extensions.get::<Shut>().map(|Shut(uri)| uri);
        note.asks("path", shut.unwrap_or(request.uri()).path());
    }
    if let Some(RefusedBefore(n)) = extensions.get::<RefusedBefore>() {
        note.asks("refused_before", n);
    }
    let method = request.method().clone();
    // All that an admin asks for otherwise than by a safe method changes something, but for the one question with a body.
    let is_change =
        extensions.get::<IsAdmin>().is_some() && !method.is_safe() && door.as_deref() != Some("admin/why_not");
    let policy = Arc::clone(&state.0.policies.in_force().version);
    // What a change did is not undone when its answer stays here, so it is not begun where its record is known to fail.
    let response = if is_change && audit.config().on_failure == OnFailure::Refuse && audit.status().failing {
        ApiError::new(Code::AuditUnavailable).into_response()
    } else {
        next.run(request).await
    };

    let mut noted = Noted::default();
    note.with(|inner| noted = std::mem::take(inner));
    let identified = asked.as_ref().and_then(|Asked(asked)| asked.as_deref().ok());
    let unidentified = asked.as_ref().and_then(|Asked(asked)| asked.as_ref().err().map(ToString::to_string));
    let head = Head {
        request_id: request_id.as_ref().map_or("", |RequestId(id)| id),
        method: method.as_str(),
        door: note.named().or(door.as_deref()).unwrap_or("none"),
        identified,
        unidentified,
        policy,
    };
    let told = || response.extensions().get().map(|Told(error)| error.code);
    let error = response.extensions().get::<ApiError>().map(|error| error.code).or_else(told);
    let body = decision(audit, head, noted, response.status(), error);
    let is_made = is_change && response.status().is_success();
    if audit.record(body, is_made).await {
        return response;
    }
    let mut unrecorded = ApiError::new(Code::AuditUnavailable);
    if is_made {
        // The log began to fail just now. Who is only told to try again would believe that nothing happened.
        let told = "The change is made and not recorded; look at GET /v1/admin/policy before you ask again.";
        unrecorded = unrecorded.detail(told);
    }
    unrecorded.into_response()
}

/// `/v1/admin/why_not` is `admin/why_not`, `/v1/tools/{*ref}` is `tools`.
pub(super) fn door(route: &str) -> &str {
    let below = route.strip_prefix(DOORS).unwrap_or(route).trim_start_matches('/');
    below.split_once("/{").map_or(below, |(door, _)| door)
}

struct Head<'a> {
    request_id: &'a str,
    method: &'a str,
    door: &'a str,
    identified: Option<&'a Identified>,
    unidentified: Option<String>,
    policy: Arc<str>,
}

fn decision(audit: &Audit, head: Head<'_>, noted: Noted, status: StatusCode, error: Option<Code>) -> Vec<u8> {
    let Head { request_id, method, door, identified, unidentified, policy } = head;
    let principal = identified.map(|identified| &*identified.principal);
    let actor = identified.and_then(|identified| identified.actor.as_deref());
    let Noted { query, mut asked, granted, generation, shown, denied, .. } = noted;
    if let Some(query) = query {
        asked.insert("query_hmac".to_owned(), audit.hmac(&query).into());
        if audit.config().queries {
            asked.insert("query".to_owned(), query.into());
        }
    }
    // What was found for an answer that failed in the end was not shown.
    let shown = shown.filter(|_| error.is_none());
    let outcome = match error {
        Some(code) => code.outcome(),
        None if denied.is_empty() => "allow",
        None if shown.as_ref().is_some_and(|shown| shown.n > 0) => "partial",
        None => "deny",
    };
    let decision = Decision {
        kind: "decision",
        request_id,
        method,
        door,
        user: principal.map(|principal| principal.user.as_str()).filter(|user| !user.is_empty()),
        tenant: principal.and_then(|principal| principal.tenant.as_deref()),
        service: principal.and_then(|principal| principal.service.as_deref()),
        memberships: principal.map(|Principal { groups, roles, scopes, .. }| Memberships {
            groups: groups.len(),
            roles: roles.len(),
            scopes: scopes.len(),
        }),
        by: identified.map(|identified| &*identified.by),
        actor: actor.map(ToString::to_string),
        actor_user: actor.map(|admin| admin.user.as_str()).filter(|user| !user.is_empty()),
        unidentified,
        policy: granted.as_ref().map_or(policy, |granted| Arc::clone(&granted.policy_version)),
        grant: granted.as_ref().map(|granted| granted.fingerprint.as_str()),
        generation,
        asked,
        n_returned: shown.as_ref().map(|shown| shown.n),
        truncated: shown.as_ref().is_some_and(|shown| shown.refs.len() < shown.n),
        returned: shown.map(|shown| shown.refs),
        denied,
        outcome,
        status: status.as_u16(),
        code: error.map_or("ok", Code::as_str),
    };
    // It holds texts and numbers only, so this does not fail; and if it did, its absence would be seen.
    serde_json::to_vec(&decision).unwrap_or_else(|_| b"{\"kind\":\"unknown\"}".to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_door_is_named_by_its_route() {
        for (route, expected) in [
            ("/v1/search_tools", "search_tools"),
            ("/v1/tools/{*ref}", "tools"),
            ("/v1/admin/why_not", "admin/why_not"),
            ("/v1/admin/grants/{id}", "admin/grants"),
            ("/mcp", "mcp"),
        ] {
            assert_eq!(door(route), expected);
        }
    }

    #[test]
    fn what_is_noted_is_bounded() {
        let note = Note::default().recorded();
        note.asks("namespaces", vec!["a"]);
        note.asks("long", "x".repeat(AUDIT_ASKED_BYTES_MAX));
        note.asks("none", Vec::<String>::new());
        note.asks("nothing", None::<u8>);
        note.shows((0..500).map(|place| format!("m://a.b{place}")));
        note.with(|noted| {
            let asked = serde_json::json!({ "namespaces": ["a"], "long": "too long to be recorded" });
            assert_eq!(Value::from(noted.asked.clone()), asked);
            let shown = noted.shown.as_ref().expect("some");
            assert_eq!((shown.refs.len(), shown.n), (AUDIT_REFS_MAX, 500));
        });
        note.shows(vec!["x".repeat(AUDIT_RETURNED_BYTES_MAX + 1)].into_iter());
        note.with(|noted| assert!(noted.shown.as_ref().is_some_and(|shown| shown.refs.is_empty() && shown.n == 1)));
    }
}
