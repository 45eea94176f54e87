//! From a request to its [`Principal`]: today by headers from a peer that has authenticated the user.
//!
//! Nobody else may set these headers, so they count only when the connection comes from a configured address **and**
//! carries the shared secret. Whatever is wrong, the caller gets the same 401; the reason goes to the log. Another kind
//! of identity (a bearer token, an API key) becomes another variant of the check in [`HeaderIdentity::identify`]'s place.

use std::collections::BTreeSet;
use std::net::IpAddr;

use axum::http::HeaderMap;
use thiserror::Error;

use crate::limits::{MEMBERSHIPS_BYTES_MAX, MEMBERSHIPS_MAX, USER_BYTES_MAX};
use crate::network::Network;
use crate::principal::Principal;
use crate::secret::Secret;

/// Carries the secret shared with the peer.
pub const SECRET_HEADER: &str = "x-shortlist-secret";
/// Names the user; required.
pub const USER_HEADER: &str = "x-shortlist-user";
/// Names the user's groups, with commas between them (a group's name may hold spaces).
pub const GROUPS_HEADER: &str = "x-shortlist-groups";
/// Names the user's roles, with commas between them.
pub const ROLES_HEADER: &str = "x-shortlist-roles";
/// Names the user's tenant.
pub const TENANT_HEADER: &str = "x-shortlist-tenant";
/// Names the scopes the user holds, with spaces between them, as OAuth writes them (RFC 6749, section 3.3).
pub const SCOPES_HEADER: &str = "x-shortlist-scopes";

/// Whose identity headers are believed.
#[derive(Clone, Debug)]
pub struct HeaderIdentity {
    /// Where the peer's connections come from.
    pub peers: Vec<Network>,
    /// What the peer proves itself with.
    pub secret: Secret,
}

/// Why a request has no principal. For the operator's log; callers are never told.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum IdentityRefusal {
    #[error("the connection comes from an address that is not a configured peer; add it to the peers if it is one")]
    Peer,
    #[error("the header {0} is missing")]
    Missing(&'static str),
    #[error("the header {0} stands there more than once")]
    Repeated(&'static str),
    #[error("the header {0} is not printable ASCII")]
    Unprintable(&'static str),
    #[error("the header {0} has {1} bytes, more than allowed")]
    TooLong(&'static str, usize),
    #[error("the header {0} lists {1} entries, more than the {MEMBERSHIPS_MAX} allowed")]
    TooMany(&'static str, usize),
    #[error("the shared secret is wrong; compare the peer's configuration with this server's")]
    Secret,
}

impl HeaderIdentity {
    /// Who asks. `peer` is the address at the other end of the connection, never one from a header.
    pub(crate) fn identify(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> Result<Principal, IdentityRefusal> {
        if !peer.is_some_and(|address| self.peers.iter().any(|network| network.contains(address))) {
            return Err(IdentityRefusal::Peer);
        }
        let secret = only(headers, SECRET_HEADER, USER_BYTES_MAX)?.ok_or(IdentityRefusal::Missing(SECRET_HEADER))?;
        if !self.secret.is(secret.as_bytes()) {
            return Err(IdentityRefusal::Secret);
        }
        let name = |header: &'static str| -> Result<Option<String>, IdentityRefusal> {
            let name = only(headers, header, USER_BYTES_MAX)?.map(str::trim).filter(|name| !name.is_empty());
            Ok(name.map(str::to_owned))
        };
        Ok(Principal {
            user: name(USER_HEADER)?.ok_or(IdentityRefusal::Missing(USER_HEADER))?,
            tenant: name(TENANT_HEADER)?,
            service: None,
            groups: list(headers, GROUPS_HEADER, |c| c == ',')?,
            roles: list(headers, ROLES_HEADER, |c| c == ',')?,
            scopes: list(headers, SCOPES_HEADER, |c| c == ' ' || c == '\t')?,
        })
    }
}

/// The one value of a header. Two values are refused: a proxy that appends instead of replacing would let a caller choose.
fn only<'h>(headers: &'h HeaderMap, name: &'static str, bytes_max: usize) -> Result<Option<&'h str>, IdentityRefusal> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(IdentityRefusal::Repeated(name));
    }
    if value.len() > bytes_max {
        return Err(IdentityRefusal::TooLong(name, value.len()));
    }
    value.to_str().map(Some).map_err(|_| IdentityRefusal::Unprintable(name))
}

fn list(
    headers: &HeaderMap,
    name: &'static str,
    separates: fn(char) -> bool,
) -> Result<BTreeSet<String>, IdentityRefusal> {
    let text = only(headers, name, MEMBERSHIPS_BYTES_MAX)?.unwrap_or_default();
    let entries: BTreeSet<String> =
        text.split(separates).map(str::trim).filter(|entry| !entry.is_empty()).map(str::to_owned).collect();
    if entries.len() > MEMBERSHIPS_MAX { Err(IdentityRefusal::TooMany(name, entries.len())) } else { Ok(entries) }
}

#[cfg(test)]
mod tests {
    use super::*;

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
