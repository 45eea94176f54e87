//! [`HeaderIdentity`]: who asks, by headers from a peer that has authenticated the user.
//!
//! Nobody else may set these headers, so they count only when the connection comes from a configured address **and**
//! carries the shared secret.

use std::net::IpAddr;

use axum::http::HeaderMap;

use super::headers::{ASKS, SECRET_HEADER, only};
use super::refusal::IdentityRefusal;
use crate::limits::USER_BYTES_MAX;
use crate::network::Network;
use crate::principal::Principal;
use crate::secret::Secret;

/// Whose identity headers are believed.
#[derive(Clone, Debug)]
pub struct HeaderIdentity {
    /// Where the peer's connections come from.
    pub peers: Vec<Network>,
    /// What the peer proves itself with.
    pub secret: Secret,
}

impl HeaderIdentity {
    /// Who asks. `peer` is the address at the other end of the connection, never one from a header.
    pub(super) fn identify(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> Result<Principal, IdentityRefusal> {
        if !peer.is_some_and(|address| self.peers.iter().any(|network| network.contains(address))) {
            return Err(IdentityRefusal::Peer);
        }
        let secret = only(headers, SECRET_HEADER, USER_BYTES_MAX)?.ok_or(IdentityRefusal::Missing(SECRET_HEADER))?;
        if !self.secret.is(secret.as_bytes()) {
            return Err(IdentityRefusal::Secret);
        }
        ASKS.read(headers)
    }
}

#[cfg(test)]
mod tests {
    use super::super::headers::{GROUPS_HEADER, ROLES_HEADER, SCOPES_HEADER, TENANT_HEADER, USER_HEADER};
    use super::*;
    use crate::limits::{MEMBERSHIPS_BYTES_MAX, MEMBERSHIPS_MAX};

    const PEER: Option<IpAddr> = Some(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST));

    fn identity() -> HeaderIdentity {
        HeaderIdentity {
            peers: vec!["127.0.0.1".parse().expect("an address")],
            secret: Secret::new("0123456789abcdef").expect("long enough"),
        }
    }

    fn headers(extra: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for &(name, value) in [(SECRET_HEADER, "0123456789abcdef"), (USER_HEADER, "alice")].iter().chain(extra) {
            headers.append(name, value.parse().expect("a header value"));
        }
        headers
    }

    #[test]
    fn groups_have_commas_and_scopes_have_spaces_between_them() {
        let who = identity().identify(
            PEER,
            &headers(&[
                (GROUPS_HEADER, "Domain Users, eng,,"),
                (SCOPES_HEADER, "https://a.b/c,d  https://e"),
                (ROLES_HEADER, "Reader"),
                (TENANT_HEADER, "acme"),
            ]),
        );
        let expected = Principal::user("alice")
            .with_groups(["Domain Users", "eng"])
            .with_scopes(["https://a.b/c,d", "https://e"])
            .with_roles(["Reader"])
            .of_tenant("acme");
        assert_eq!(who, Ok(expected));
    }

    #[test]
    fn anything_that_is_wrong_refuses() {
        let check = |peer: Option<IpAddr>, headers: &HeaderMap, expected: IdentityRefusal| {
            assert_eq!(identity().identify(peer, headers), Err(expected));
        };
        check(None, &headers(&[]), IdentityRefusal::Peer);
        check("127.0.0.2".parse().ok(), &headers(&[]), IdentityRefusal::Peer);
        check(PEER, &headers(&[(USER_HEADER, "bob")]), IdentityRefusal::Repeated(USER_HEADER));
        check(PEER, &headers(&[(SECRET_HEADER, "0123456789abcdef")]), IdentityRefusal::Repeated(SECRET_HEADER));
        check(PEER, &HeaderMap::new(), IdentityRefusal::Missing(SECRET_HEADER));

        let mut wrong = headers(&[]);
        wrong.insert(SECRET_HEADER, "0123456789abcdeF".parse().expect("a header value"));
        check(PEER, &wrong, IdentityRefusal::Secret);
        let mut nobody = headers(&[]);
        nobody.insert(USER_HEADER, " ".parse().expect("a header value"));
        check(PEER, &nobody, IdentityRefusal::Missing(USER_HEADER));
        nobody.insert(USER_HEADER, "ü".parse().expect("a header value"));
        check(PEER, &nobody, IdentityRefusal::Unprintable(USER_HEADER));
    }

    #[test]
    fn the_limits_hold_at_their_edges() {
        let who = |name: &'static str, value: String| {
            let mut headers = headers(&[]);
            headers.insert(name, value.parse().expect("a header value"));
            identity().identify(PEER, &headers)
        };
        assert!(who(USER_HEADER, "u".repeat(USER_BYTES_MAX)).is_ok());
        assert_eq!(who(USER_HEADER, "u".repeat(257)), Err(IdentityRefusal::TooLong(USER_HEADER, 257)));
        let scopes = |n: usize| (0..n).map(|i| format!("s{i}")).collect::<Vec<_>>().join(" ");
        assert!(who(SCOPES_HEADER, scopes(MEMBERSHIPS_MAX)).is_ok());
        assert_eq!(who(SCOPES_HEADER, scopes(301)), Err(IdentityRefusal::TooMany(SCOPES_HEADER, 301)));
        assert!(who(GROUPS_HEADER, "g".repeat(MEMBERSHIPS_BYTES_MAX)).is_ok());
        assert!(who(GROUPS_HEADER, "g".repeat(MEMBERSHIPS_BYTES_MAX + 1)).is_err());
    }
}
