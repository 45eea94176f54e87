//! [`Caller`]: the proof that a request was identified. A handler that wants to see anything must ask for it.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::asked::Asked;
use super::audited::Note;
use crate::error::ApiError;
use crate::identity::is_bearer;
use crate::policy::Granted;
use crate::principal::Principal;
use crate::state::AppState;

/// Who asks, and what they may see under the policy in force.
pub(super) struct Caller {
    pub(super) principal: Arc<Principal>,
    pub(super) granted: Arc<Granted>,
    /// Where the handler says what it decides.
    pub(super) note: Note,
}

impl FromRequestParts<AppState> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let unknown = || ApiError::unauthenticated(is_bearer(&parts.headers));
        let Asked(asked) = parts.extensions.get::<Asked>().cloned().ok_or_else(unknown)?;
        let principal = Arc::clone(&asked.map_err(|refusal| unknown().because(refusal))?.principal);
        let granted = state.0.policies.granted(&principal);
        let note = parts.extensions.get::<Note>().cloned().unwrap_or_default();
        note.granted(&granted);
        Ok(Self { principal, granted, note })
    }
}
