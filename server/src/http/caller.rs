//! How a request over HTTP proves who asks.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::asked::Asked;
use super::audited::Note;
use crate::doors::Caller;
use crate::error::ApiError;
use crate::identity::is_bearer;
use crate::state::AppState;

impl FromRequestParts<AppState> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let unknown = || ApiError::unauthenticated(is_bearer(&parts.headers));
        let Asked(asked) = parts.extensions.get::<Asked>().cloned().ok_or_else(unknown)?;
        let principal = Arc::clone(&asked.map_err(|refusal| unknown().because(refusal))?.principal);
        let note = parts.extensions.get::<Note>().cloned().unwrap_or_default();
        Ok(Self::new(state, principal, note))
    }
}
