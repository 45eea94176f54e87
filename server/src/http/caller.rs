//! How a request over HTTP proves who asks.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::asked::Asked;
use super::audited::Note;
use crate::doors::Caller;
use crate::error::{ApiError, Panicked};
use crate::identity::is_bearer;
use crate::policy::Granted;
use crate::principal::Principal;
use crate::state::AppState;

impl FromRequestParts<AppState> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let unknown = || ApiError::unauthenticated(is_bearer(&parts.headers));
        let Asked(asked) = parts.extensions.get::<Asked>().cloned().ok_or_else(unknown)?;
        let principal = Arc::clone(&asked.map_err(|refusal| unknown().because(refusal))?.principal);
        let note = parts.extensions.get::<Note>().cloned().unwrap_or_default();
        let granted = match state.0.policies.granted_at_once(&principal) {
            Some(granted) => granted,
            None => resolved(state, &principal).await?,
        };
        Ok(Self::granted(principal, granted, note))
    }
}

/// What the principal may see, resolved on a thread that may block, as many at a time as compute.
async fn resolved(state: &AppState, principal: &Arc<Principal>) -> Result<Arc<Granted>, ApiError> {
    let permit = Arc::clone(&state.0.resolving).acquire_owned().await.map_err(ApiError::internal)?;
    let (state, principal) = (state.clone(), Arc::clone(principal));
    let resolve = move || {
        // It goes with the work, which does not end with a caller who hangs up.
        let _permit = permit;
        state.0.policies.granted(&principal)
    };
    tokio::task::spawn_blocking(resolve).await.map_err(|_| ApiError::internal(Panicked))
}
