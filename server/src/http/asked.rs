//! [`Asked`]: who a request comes from, found once, before anything else looks at it.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::Uri;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::{mcp, openapi};
use crate::error::ApiError;
use crate::identity::{Identified, IdentityRefusal};
use crate::origin::Origin;
use crate::rate::Limited;
use crate::state::AppState;

/// What the path of every door begins with, but for [`mcp::PATH`].
pub(super) const DOORS: &str = "/v1/";
/// What all admin doors begin with.
pub(super) const ADMIN_DOORS: &str = "/v1/admin";
/// A path without a route.
const NOWHERE: &str = "/v1/nowhere";

/// Who asks and how that is known, or why it is not. Stands in the extensions of every request to a door.
#[derive(Clone)]
pub(super) struct Asked(pub(super) Result<Arc<Identified>, IdentityRefusal>);

/// Where a request went that was sent to [`NOWHERE`], for the audit log.
#[derive(Clone)]
pub(super) struct Shut(pub(super) Uri);

/// How many requests of the caller were refused as too early since the last that was not, for the audit log.
#[derive(Clone, Copy)]
pub(super) struct RefusedBefore(pub(super) u64);

/// The proof that an admin asks, and acts as nobody else.
#[derive(Clone)]
pub(super) struct IsAdmin(());

/// Whether a request goes to a door, or where one could be, and so needs an identity and is a decision. The document of the
/// doors is public.
pub(super) fn is_a_door(uri: &Uri) -> bool {
    let below_mcp = uri.path().strip_prefix(mcp::PATH);
    let is_mcp = below_mcp.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    is_mcp || (uri.path().starts_with(DOORS) && uri.path() != openapi::PATH)
}

/// Identifies. What begins with [`ADMIN_DOORS`] is shut, in every method, to whoever is no admin: the request goes to where
/// there is no route, so that it is answered, logged and timed as any other of that kind.
pub(super) async fn identify(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    if is_a_door(request.uri()) {
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| address.ip());
        let policies = &state.0.policies;
        let (origin, rates) = (peer.map(Origin::of), &state.0.rates);
        // What is not looked at is refused, and what is looked at is counted.
        let (identified, counted) = match rates.before(origin, request.headers()) {
            Some(limited) => (Err(IdentityRefusal::Limited), Err(limited)),
            None => {
                let identified = state.0.identity.identify(peer, request.headers()).await;
                let headers = request.headers();
                // Before anybody acts as somebody else: who is known pays for it themselves, and so does who may not.
                let counted = rates.count(origin, headers, &identified);
                (identified.and_then(|asks| asks.acting(headers, |asks| policies.is_admin(asks))), counted)
            }
        };
        match counted {
            Ok(0) => {}
            Ok(n_refused) => drop(request.extensions_mut().insert(RefusedBefore(n_refused))),
            Err(limited) => drop(request.extensions_mut().insert(limited)),
        }
        if request.uri().path().starts_with(ADMIN_DOORS) {
            let is_admin = |asks: &Identified| asks.actor.is_none() && policies.is_admin(&asks.principal);
            if identified.as_ref().is_ok_and(is_admin) {
                request.extensions_mut().insert(IsAdmin(()));
            } else {
                let shut = std::mem::replace(request.uri_mut(), Uri::from_static(NOWHERE));
                request.extensions_mut().insert(Shut(shut));
            }
        }
        if let Err(refusal) = &identified {
            state.0.metrics.refused(refusal.kind());
        }
        request.extensions_mut().insert(Asked(identified.map(Arc::new)));
    }
    next.run(request).await
}

/// Refuses what came too early. Inside of what gives ids, logs and records, and outside of everything that works.
pub(super) async fn refuse(request: Request, next: Next) -> Response {
    match request.extensions().get::<Limited>() {
        Some(&limited) => ApiError::rate_limited(limited).into_response(),
        None => next.run(request).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_public_needs_no_identity() {
        let needs = |path: &'static str| is_a_door(&Uri::from_static(path));
        assert!(needs("/mcp") && needs("/mcp/x") && !needs("/mcpx"));
        assert!(needs("/v1/nowhere") && needs("/v1/openapi.json/") && needs("/v1/admin"));
        assert!(!needs("/livez") && !needs("/v1/openapi.json") && !needs("/v1"));
    }
}
