//! [`Asked`]: who a request comes from, found once, before anything else looks at it.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::Uri;
use axum::middleware::Next;
use axum::response::Response;

use super::openapi;
use crate::identity::{Identified, IdentityRefusal};
use crate::state::AppState;

/// What the path of every door begins with.
pub(super) const DOORS: &str = "/v1/";
/// What all admin doors begin with.
const ADMIN_DOORS: &str = "/v1/admin";
/// A path without a route.
const NOWHERE: &str = "/v1/nowhere";

/// Who asks and how that is known, or why it is not. Stands in the extensions of every request to a door.
#[derive(Clone)]
pub(super) struct Asked(pub(super) Result<Arc<Identified>, IdentityRefusal>);

/// Where a request went that was sent to [`NOWHERE`], for the audit log.
#[derive(Clone)]
pub(super) struct Shut(pub(super) Uri);

/// The proof that an admin asks, and acts as nobody else.
#[derive(Clone)]
pub(super) struct IsAdmin(());

/// Whether a request goes to a door, or where one could be, and so needs an identity and is a decision. The document of the
/// doors is public.
pub(super) fn is_a_door(uri: &Uri) -> bool {
    uri.path().starts_with(DOORS) && uri.path() != openapi::PATH
}

/// Identifies. What begins with [`ADMIN_DOORS`] is shut, in every method, to whoever is no admin: the request goes to where
/// there is no route, so that it is answered, logged and timed as any other of that kind.
pub(super) async fn identify(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    if is_a_door(request.uri()) {
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| address.ip());
        let policies = &state.0.policies;
        let identified = state.0.identity.identify(peer, request.headers()).await;
        let identified = identified.and_then(|asks| asks.acting(request.headers(), |asks| policies.is_admin(asks)));
        if request.uri().path().starts_with(ADMIN_DOORS) {
            let is_admin = |asks: &Identified| asks.actor.is_none() && policies.is_admin(&asks.principal);
            if identified.as_ref().is_ok_and(is_admin) {
                request.extensions_mut().insert(IsAdmin(()));
            } else {
                let shut = std::mem::replace(request.uri_mut(), Uri::from_static(NOWHERE));
                request.extensions_mut().insert(Shut(shut));
            }
        }
        request.extensions_mut().insert(Asked(identified.map(Arc::new)));
    }
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_public_needs_no_identity() {
        let needs = |path: &'static str| is_a_door(&Uri::from_static(path));
        assert!(needs("/v1/nowhere") && needs("/v1/openapi.json/") && needs("/v1/admin"));
        assert!(!needs("/livez") && !needs("/v1/openapi.json") && !needs("/v1"));
    }
}
