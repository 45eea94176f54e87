//! [`Mapping`]: which claims of a token say who the user is and what they belong to.

use std::collections::BTreeSet;

use serde_json::Value;

use super::token::{Claims, TokenRefusal, text};
use crate::limits::{MEMBERSHIPS_MAX, USER_BYTES_MAX};
use crate::principal::Principal;

/// Which claims say what. A name that begins with `/` is a JSON pointer, such as `/realm_access/roles`; a slash in a part of it is
/// written `~1`.
#[derive(Clone, Debug)]
pub(crate) struct ClaimNames {
    /// The user's key: these, each a text, joined by `/`.
    pub(crate) user: Vec<String>,
    /// The tenant.
    pub(crate) tenant: Option<String>,
    /// Each of these three is a list of claims that are taken together. Each claim is an array of texts, or one text.
    pub(crate) groups: Vec<String>,
    pub(crate) roles: Vec<String>,
    /// Here one text has spaces between scopes.
    pub(crate) scopes: Vec<String>,
}

/// From claims to a principal, in names that are the issuer's own.
///
/// Two issuers, or two tenants of one, may both have a group `admins`. So where an issuer has a realm, `realm/` stands before
/// user, tenant, groups and roles, and where it speaks for several tenants, `<tenant>/` stands before groups and roles, and
/// before a user whose key does not begin with the tenant. It does so where several are listed, and where none is and the
/// tenant's claim is named. Scopes are names of what is asked for, not of persons, and stay.
#[derive(Debug)]
pub(super) struct Mapping {
    pub(super) names: ClaimNames,
    pub(super) realm: Option<String>,
    /// The tenants that are accepted; empty where any is.
    pub(super) tenants: BTreeSet<String>,
    /// Whether the names of one tenant are kept apart from those of another.
    pub(super) by_tenant: bool,
}

impl Mapping {
    /// The token's tenant, where it has one, and whether it is accepted.
    pub(super) fn tenant<'c>(&self, claims: &'c Claims) -> Result<Option<&'c str>, TokenRefusal> {
        let Some(name) = &self.names.tenant else { return Ok(None) };
        let tenant = one_text(claims, name)?;
        match tenant {
            // Names without a tenant before them could be those of one.
            None if self.by_tenant || !self.tenants.is_empty() => Err(TokenRefusal::Missing(name.clone())),
            Some(tenant) if !self.tenants.is_empty() && !self.tenants.contains(tenant) => Err(TokenRefusal::Tenant),
            // Where it ends and a name begins must be plain; those that are listed have no slash.
            Some(tenant) if self.by_tenant && tenant.contains('/') => Err(TokenRefusal::Odd(name.clone())),
            tenant => Ok(tenant),
        }
    }

    /// Who the claims speak of. They were verified.
    pub(super) fn principal(&self, claims: &Claims) -> Result<Principal, TokenRefusal> {
        let ClaimNames { user, tenant: tenant_name, groups, roles, scopes } = &self.names;
        self.check_overage(claims)?;
        let tenant = self.tenant(claims)?;
        let realm = self.realm.as_ref().map(|realm| format!("{realm}/")).unwrap_or_default();
        let apart = match tenant {
            Some(tenant) if self.by_tenant => format!("{realm}{tenant}/"),
            _ => realm.clone(),
        };
        let named_by_tenant = user.first() == tenant_name.as_ref();
        let user = user_key(claims, user)?;
        let prefixed = |names: BTreeSet<String>| names.into_iter().map(|name| format!("{apart}{name}")).collect();
        Ok(Principal {
            user: format!("{}{user}", if named_by_tenant { &realm } else { &apart }),
            tenant: tenant.map(|tenant| format!("{realm}{tenant}")),
            groups: prefixed(texts(claims, groups, false)?),
            roles: prefixed(texts(claims, roles, false)?),
            scopes: texts(claims, scopes, true)?,
            service: None,
        })
    }

    /// Entra leaves the groups out of the tokens of users who are in many, and says so. A policy may deny by group, so what
    /// such a token does not say could open what should be shut.
    fn check_overage(&self, claims: &Claims) -> Result<(), TokenRefusal> {
        let ClaimNames { user: _, tenant: _, groups, roles, scopes } = &self.names;
        let mut mapped = groups.iter().chain(roles).chain(scopes);
        let elsewhere = match claims.get("_claim_names") {
            None => false,
            Some(Value::Object(names)) => mapped.any(|name| names.contains_key(&first(name))),
            Some(_) => true,
        };
        if elsewhere {
            return Err(TokenRefusal::Overage("_claim_names"));
        }
        let has_more = claims.get("hasgroups").is_some_and(|value| *value != Value::Bool(false));
        if has_more && !groups.is_empty() { Err(TokenRefusal::Overage("hasgroups")) } else { Ok(()) }
    }
}

/// The parts joined by `/`. Only the last may hold one: else two users could have the same key.
fn user_key(claims: &Claims, names: &[String]) -> Result<String, TokenRefusal> {
    let mut key = String::new();
    for (position, name) in names.iter().enumerate() {
        let part = one_text(claims, name)?.ok_or_else(|| TokenRefusal::Missing(name.clone()))?;
        let is_last = position + 1 == names.len();
        if part.trim() != part || part.contains(char::is_control) || (part.contains('/') && !is_last) {
            return Err(TokenRefusal::Odd(name.clone()));
        }
        key += part;
        if !is_last {
            key.push('/');
        }
    }
    Ok(key)
}

fn one_text<'c>(claims: &'c Claims, name: &str) -> Result<Option<&'c str>, TokenRefusal> {
    match nested(claims, name) {
        None => text(claims, name),
        Some(Some(Value::String(text))) if (1..=USER_BYTES_MAX).contains(&text.len()) => Ok(Some(text)),
        Some(None) => Ok(None),
        Some(Some(_)) => Err(TokenRefusal::Odd(name.to_owned())),
    }
}

/// What a name that is a JSON pointer points to; `None` for a name that is none.
fn nested<'c>(claims: &'c Claims, name: &str) -> Option<Option<&'c Value>> {
    let (_, rest) = name.strip_prefix('/')?.split_once('/').unwrap_or_default();
    let value = claims.get(&first(name));
    Some(if rest.is_empty() { value } else { value.and_then(|value| value.pointer(&format!("/{rest}"))) })
}

/// The claim that is looked at for a name: the first part of a JSON pointer, unescaped (RFC 6901, section 4), or the name itself.
fn first(name: &str) -> String {
    let Some(parts) = name.strip_prefix('/') else { return name.to_owned() };
    parts.split('/').next().unwrap_or_default().replace("~1", "/").replace("~0", "~")
}

/// The texts of some claims. One that is absent has none; one of another type refuses.
fn texts(claims: &Claims, names: &[String], are_words: bool) -> Result<BTreeSet<String>, TokenRefusal> {
    let mut found = BTreeSet::new();
    for name in names {
        let odd = || TokenRefusal::Odd(name.clone());
        match nested(claims, name).unwrap_or_else(|| claims.get(name)) {
            None => {}
            Some(Value::String(text)) if are_words => {
                found.extend(text.split_ascii_whitespace().map(str::to_owned));
            }
            Some(Value::String(text)) => {
                found.insert(text.clone());
            }
            Some(Value::Array(entries)) => {
                for entry in entries {
                    found.insert(entry.as_str().ok_or_else(odd)?.to_owned());
                }
            }
            Some(_) => return Err(odd()),
        }
        if found.len() > MEMBERSHIPS_MAX {
            return Err(TokenRefusal::TooMany(name.clone(), found.len()));
        }
        if found.iter().any(|entry| entry.is_empty() || entry.len() > USER_BYTES_MAX) {
            return Err(odd());
        }
    }
    Ok(found)
}
