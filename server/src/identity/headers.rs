//! Headers that describe somebody: a user, and what they belong to. Whoever may set them is decided elsewhere.

use std::collections::BTreeSet;

use axum::http::HeaderMap;

use super::refusal::IdentityRefusal;
use crate::limits::{MEMBERSHIPS_BYTES_MAX, MEMBERSHIPS_MAX, USER_BYTES_MAX};
use crate::principal::Principal;

/// Carries the secret shared with the peer.
pub const SECRET_HEADER: &str = "x-shortlist-secret";
/// Carries a token that a gateway signed, in place of `Authorization`.
pub const TOKEN_HEADER: &str = "x-shortlist-token";
/// Names the user.
pub const USER_HEADER: &str = "x-shortlist-user";
/// Names the user's groups, with commas between them (a group's name may hold spaces).
pub const GROUPS_HEADER: &str = "x-shortlist-groups";
/// Names the user's roles, with commas between them.
pub const ROLES_HEADER: &str = "x-shortlist-roles";
/// Names the user's tenant.
pub const TENANT_HEADER: &str = "x-shortlist-tenant";
/// Names the scopes the user holds, with spaces between them, as OAuth writes them (RFC 6749, section 3.3).
pub const SCOPES_HEADER: &str = "x-shortlist-scopes";
/// Names the user whom an admin wants to be for this request.
pub const ACT_AS_HEADER: &str = "x-shortlist-act-as";

/// The headers that describe one person.
#[derive(Clone, Copy)]
pub(super) struct Description {
    user: &'static str,
    groups: &'static str,
    roles: &'static str,
    tenant: &'static str,
    scopes: &'static str,
}

/// Who asks, in the words of a gateway or of a service.
pub(super) const ASKS: Description = Description {
    user: USER_HEADER,
    groups: GROUPS_HEADER,
    roles: ROLES_HEADER,
    tenant: TENANT_HEADER,
    scopes: SCOPES_HEADER,
};

/// Whom an admin wants to be.
pub(super) const ACT_AS: Description = Description {
    user: ACT_AS_HEADER,
    groups: "x-shortlist-act-as-groups",
    roles: "x-shortlist-act-as-roles",
    tenant: "x-shortlist-act-as-tenant",
    scopes: "x-shortlist-act-as-scopes",
};

/// Every header that can say who asks.
pub(crate) fn identity_headers() -> impl Iterator<Item = &'static str> {
    let credentials = ["authorization", TOKEN_HEADER, SECRET_HEADER];
    credentials.into_iter().chain([ASKS, ACT_AS].into_iter().flat_map(Description::names))
}

impl Description {
    fn names(self) -> [&'static str; 5] {
        let Self { user, groups, roles, tenant, scopes } = self;
        [user, groups, roles, tenant, scopes]
    }

    /// Whether any of them came, even an empty one.
    pub(super) fn is_in(&self, headers: &HeaderMap) -> bool {
        self.names().into_iter().any(|name| headers.contains_key(name))
    }

    /// Whom they describe. The user must be named.
    pub(super) fn read(&self, headers: &HeaderMap) -> Result<Principal, IdentityRefusal> {
        let name = |header: &'static str| -> Result<Option<String>, IdentityRefusal> {
            let name = only(headers, header, USER_BYTES_MAX)?.map(str::trim).filter(|name| !name.is_empty());
            Ok(name.map(str::to_owned))
        };
        Ok(Principal {
            user: name(self.user)?.ok_or(IdentityRefusal::Missing(self.user))?,
            tenant: name(self.tenant)?,
            service: None,
            groups: list(headers, self.groups, |c| c == ',')?,
            roles: list(headers, self.roles, |c| c == ',')?,
            scopes: list(headers, self.scopes, |c| c == ' ' || c == '\t')?,
        })
    }
}

/// The one value of a header. Two values are refused: a proxy that appends instead of replacing would let a caller choose.
pub(super) fn only<'h>(
    headers: &'h HeaderMap,
    name: &'static str,
    bytes_max: usize,
) -> Result<Option<&'h str>, IdentityRefusal> {
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
