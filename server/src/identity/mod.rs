//! From a request to who asks: [`Identifier`] makes an [`Identified`] of it, or says to the operator why not.
//!
//! There are four kinds of identity, and a request carries one: a token that an issuer or a gateway signed, the key of a
//! service (`Authorization: Bearer` for either), or headers from a gateway. Two in one request are refused, for whoever put
//! the second one there may not be who put the first. A service with the right to ask for users names one in the headers of a
//! gateway. Whatever is wrong, the caller gets the same 401; the reason goes to the log.

mod api_keys;
mod claims;
mod fetch;
mod fetched;
mod gateway;
mod headers;
mod issuer;
mod key_file;
mod keyset;
mod refusal;
#[cfg(test)]
mod signer;
#[cfg(test)]
mod tests;
mod token;

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;

use self::api_keys::{ApiKeys, PREFIX};
use self::headers::{ACT_AS, ASKS, only};
use self::token::{Presented, TokenRefusal, shown};
use crate::clock::unix_s;
use crate::limits::TOKEN_BYTES_MAX;
use crate::principal::Principal;

#[doc(hidden)]
pub use self::fetch::read_discovery;
pub use self::gateway::HeaderIdentity;
pub use self::headers::{
    ACT_AS_HEADER, GROUPS_HEADER, ROLES_HEADER, SCOPES_HEADER, SECRET_HEADER, TENANT_HEADER, TOKEN_HEADER, USER_HEADER,
};
pub use self::issuer::TokenIssuer;
pub use self::key_file::{ApiKey, KeyFile, KeyFileError};

pub(crate) use self::claims::ClaimNames;
pub(crate) use self::fetched::{FetchedKeys, KeyTimes};
pub(crate) use self::headers::identity_headers;
pub(crate) use self::issuer::{NewIssuer, NewKeys};
pub(crate) use self::refusal::IdentityRefusal;

/// The kind of `Authorization` that is read (RFC 6750).
const BEARER: &str = "Bearer";

/// Whose word about who asks is taken.
#[derive(Clone, Debug)]
pub struct Identities {
    /// A peer that names users in headers.
    pub gateway: Option<HeaderIdentity>,
    /// Whose signed tokens are believed.
    pub issuers: Vec<TokenIssuer>,
    /// The file of the services' keys. It need not be there.
    pub keys_file: PathBuf,
}

impl Identities {
    /// Whether nobody could ever be identified.
    pub fn is_nobody(&self) -> bool {
        self.gateway.is_none() && self.issuers.is_empty() && !self.keys_file.exists()
    }
}

/// Who asks, and how that is known.
#[derive(Clone, Debug)]
pub(crate) struct Identified {
    /// Whom the answer is for: what they may see is what is shown.
    pub(crate) principal: Arc<Principal>,
    /// By what they were identified: `gateway`, the name of an issuer, or `key:` and a key's id. For the audit.
    pub(crate) by: Arc<str>,
    /// The admin who acts as the principal, where one does. For the audit, which must say who really asked; and whoever
    /// acts as somebody else is no admin meanwhile.
    pub(crate) actor: Option<Arc<Principal>>,
}

/// Finds out who asks.
pub(crate) struct Identifier {
    gateway: Option<HeaderIdentity>,
    issuers: Vec<TokenIssuer>,
    keys: ApiKeys,
}

impl Identifier {
    pub(crate) fn new(identities: Identities) -> Self {
        let Identities { gateway, issuers, keys_file } = identities;
        Self { gateway, issuers, keys: ApiKeys::new(KeyFile::new(keys_file)) }
    }

    /// The identity providers whose tokens are accepted. A gateway's are not for clients to ask for.
    pub(crate) fn authorization_servers(&self) -> Vec<String> {
        let providers = self.issuers.iter().filter(|issuer| !issuer.is_gateway());
        providers.flat_map(TokenIssuer::issuers).cloned().collect()
    }

    /// Takes over changed API keys, and fetches issuers' keys where it is time to. Blocks on the disk alone.
    pub(crate) fn refresh(&self) {
        self.keys.reload();
        self.issuers.iter().for_each(TokenIssuer::refresh);
    }

    /// The issuers whose keys are fetched, by name, with these keys.
    pub(crate) fn fetched_keys(&self) -> impl Iterator<Item = (Arc<str>, &FetchedKeys)> {
        self.issuers.iter().filter_map(|issuer| Some((issuer.shared_name(), issuer.fetched_keys()?)))
    }

    /// Who asks. `peer` is the address at the other end of the connection, never one from a header.
    pub(crate) async fn identify(
        &self,
        peer: Option<IpAddr>,
        headers: &HeaderMap,
    ) -> Result<Identified, IdentityRefusal> {
        let kinds = ["authorization", TOKEN_HEADER, SECRET_HEADER];
        let mut kinds = kinds.into_iter().filter(|kind| headers.contains_key(*kind));
        let kind = kinds.next();
        if let (Some(one), Some(other)) = (kind, kinds.next()) {
            return Err(IdentityRefusal::Ambiguous(one, other));
        }
        match kind {
            Some(TOKEN_HEADER) => {
                let token = only(headers, TOKEN_HEADER, TOKEN_BYTES_MAX)?.unwrap_or_default();
                self.by_token(token, true, headers).await
            }
            Some("authorization") => {
                let bearer = bearer(headers)?;
                match bearer.starts_with(PREFIX) {
                    true => self.by_key(bearer, headers),
                    false => self.by_token(bearer, false, headers).await,
                }
            }
            _ => self.by_gateway(peer, headers),
        }
    }

    fn by_gateway(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> Result<Identified, IdentityRefusal> {
        let Some(gateway) = &self.gateway else {
            let any = headers.contains_key(SECRET_HEADER) || ASKS.is_in(headers);
            return Err(if any { IdentityRefusal::NoGateway } else { IdentityRefusal::Nothing });
        };
        Ok(identified(gateway.identify(peer, headers)?, "gateway".into()))
    }

    fn by_key(&self, presented: &str, headers: &HeaderMap) -> Result<Identified, IdentityRefusal> {
        let key = self.keys.check(presented, unix_s())?;
        let service = Principal::service(key.service);
        let principal = match ASKS.is_in(headers) {
            false => service,
            true if !key.on_behalf_of => return Err(IdentityRefusal::NotOnBehalfOf(key.id)),
            true => Principal { service: service.service, ..ASKS.read(headers)? },
        };
        Ok(identified(principal, format!("key:{}", key.id).into()))
    }

    async fn by_token(
        &self,
        token: &str,
        is_gateway: bool,
        headers: &HeaderMap,
    ) -> Result<Identified, IdentityRefusal> {
        if ASKS.is_in(headers) {
            return Err(IdentityRefusal::Ambiguous("a token", "headers that name somebody"));
        }
        let token = Presented::read(token).map_err(IdentityRefusal::Unreadable)?;
        // Only chooses by whose rules and keys it is judged.
        let claimed = token.issuer().map_err(IdentityRefusal::Unreadable)?;
        let is_meant = |issuer: &&TokenIssuer| issuer.issues(claimed) && (issuer.is_gateway() || !is_gateway);
        let issuer = self.issuers.iter().find(is_meant);
        let issuer = issuer.ok_or_else(|| IdentityRefusal::Issuer(shown(claimed)))?;
        let by = issuer.shared_name();
        let refused = |refusal| IdentityRefusal::Token { by: Arc::clone(&by), refusal };
        let principal = issuer.identify(&token, unix_s()).await.map_err(refused)?;
        if issuer.realm().is_none() && self.is_of_a_realm(&principal) {
            return Err(refused(TokenRefusal::OtherRealm));
        }
        Ok(identified(principal, by))
    }

    /// Whether a name of the principal looks as if an issuer with a realm had given it.
    fn is_of_a_realm(&self, principal: &Principal) -> bool {
        let Principal { user, tenant, groups, roles, scopes: _, service: _ } = principal;
        let mut names = groups.iter().chain(roles).chain(tenant).chain([user]);
        let realms: Vec<&str> = self.issuers.iter().filter_map(TokenIssuer::realm).collect();
        names.any(|name| name.split_once('/').is_some_and(|(first, _)| realms.contains(&first)))
    }
}

impl Identified {
    /// As whom an admin asks to be treated, by the headers `X-Shortlist-Act-As…`; themselves without them. To others it is
    /// refused as any identity is, so that nobody learns who is an admin. The service that sends the request stays: what it is
    /// denied counts for whomever it speaks.
    pub(crate) fn acting(
        self,
        headers: &HeaderMap,
        is_admin: impl FnOnce(&Principal) -> bool,
    ) -> Result<Self, IdentityRefusal> {
        if !ACT_AS.is_in(headers) {
            return Ok(self);
        }
        if !is_admin(&self.principal) {
            return Err(IdentityRefusal::NotAdmin);
        }
        let principal = Arc::new(Principal { service: self.principal.service.clone(), ..ACT_AS.read(headers)? });
        Ok(Self { principal, by: self.by, actor: Some(self.principal) })
    }
}

/// Whether a request tried to identify itself by a bearer token, which the answer to a refusal repeats (RFC 6750, section 3).
pub(crate) fn is_bearer(headers: &HeaderMap) -> bool {
    headers.contains_key(TOKEN_HEADER)
        || headers.get_all(AUTHORIZATION).iter().any(|value| {
            value.as_bytes().get(..BEARER.len()).is_some_and(|kind| kind.eq_ignore_ascii_case(BEARER.as_bytes()))
        })
}

fn identified(principal: Principal, by: Arc<str>) -> Identified {
    Identified { principal: Arc::new(principal), by, actor: None }
}

/// What stands behind `Bearer` in the one `Authorization` header.
fn bearer(headers: &HeaderMap) -> Result<&str, IdentityRefusal> {
    let value = only(headers, "authorization", BEARER.len() + 1 + TOKEN_BYTES_MAX)?.unwrap_or_default();
    let (kind, token) = value.split_once(' ').ok_or(IdentityRefusal::Scheme)?;
    if !kind.eq_ignore_ascii_case(BEARER) {
        return Err(IdentityRefusal::Scheme);
    }
    Ok(token.trim_ascii())
}
