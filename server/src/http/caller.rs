//! [`Caller`]: the proof that a request was identified. A handler that wants to see anything must ask for it.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;

use crate::error::{ApiError, Code};
use crate::policy::Granted;
use crate::principal::Principal;
use crate::state::AppState;

/// Who asks, and what they may see under the policy in force.
pub(super) struct Caller {
    pub(super) principal: Principal,
    pub(super) granted: Arc<Granted>,
}

impl FromRequestParts<AppState> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| address.ip());
        let principal = state
            .0
            .identity
            .identify(peer, &parts.headers)
            .map_err(|refusal| ApiError::new(Code::Unauthenticated).because(refusal))?;
        let granted = state.0.policies.granted(&principal);
        Ok(Self { principal, granted })
    }
}
