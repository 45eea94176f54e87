//! [`TokenIssuer`]: somebody whose signed tokens are believed, and how their keys are had.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::Algorithm;

use super::claims::{ClaimNames, Mapping};
use super::fetch::Provider;
use super::fetched::{FetchedKeys, KeyTimes};
use super::keyset::{KeySet, TENANT_MARK, expand};
use super::token::{Presented, Rules, TokenRefusal};
use crate::principal::Principal;

/// An issuer of signed tokens: an identity provider, or a gateway that signs for itself. Cheap to clone.
#[derive(Clone, Debug)]
pub struct TokenIssuer(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    name: Arc<str>,
    issuer: String,
    /// The issuer, or where that is a template, what it is for each tenant.
    issuers: BTreeSet<String>,
    rules: Rules,
    mapping: Mapping,
    keys: Keys,
}

#[derive(Debug)]
enum Keys {
    /// Configured; a gateway's.
    Fixed(KeySet),
    /// By discovery.
    Fetched(FetchedKeys),
}

/// What an issuer is made of.
pub(crate) struct NewIssuer {
    pub(crate) name: String,
    pub(crate) issuer: String,
    pub(crate) audience: BTreeSet<String>,
    pub(crate) algorithms: Vec<Algorithm>,
    pub(crate) access_kind: bool,
    pub(crate) clock_skew: Duration,
    pub(crate) max_age: Option<Duration>,
    pub(crate) tenants: BTreeSet<String>,
    pub(crate) realm: Option<String>,
    pub(crate) claims: ClaimNames,
    /// Whether the tenant's claim was named, rather than left to be the usual one.
    pub(crate) names_tenant: bool,
    pub(crate) keys: NewKeys,
}

/// Where an issuer's keys come from.
pub(crate) enum NewKeys {
    /// One secret for HMAC.
    Secret(Vec<u8>),
    /// A public key in PEM, or a JWK Set.
    Text(String),
    /// By discovery.
    Discovery { document: Option<String>, ca_file: Option<PathBuf>, times: KeyTimes },
}

impl TokenIssuer {
    /// Connects to nothing yet.
    ///
    /// # Errors
    /// A sentence that names the key of the configuration that is wrong.
    pub(crate) fn new(new: NewIssuer) -> Result<Self, String> {
        let NewIssuer { name, issuer, algorithms, keys, .. } = new;
        let name: Arc<str> = name.into();
        let is_template = issuer.contains(TENANT_MARK);
        if is_template && (new.tenants.is_empty() || new.claims.tenant.is_none()) {
            return Err(format!("`issuer` holds {TENANT_MARK}, so `tenants` must list the tenants that are accepted"));
        }
        let keys = match keys {
            NewKeys::Secret(secret) => Keys::Fixed(KeySet::of_secret(&secret)),
            NewKeys::Text(text) if text.trim_start().starts_with('{') => {
                Keys::Fixed(KeySet::of_jwks(text.as_bytes(), false)?)
            }
            NewKeys::Text(text) => Keys::Fixed(KeySet::of_pem(&text)?),
            NewKeys::Discovery { document, ca_file, times } => {
                let provider = Provider::new(&issuer, document.as_deref(), ca_file.as_deref())?;
                Keys::Fetched(FetchedKeys::new(Arc::clone(&name), provider, times))
            }
        };
        if let Keys::Fixed(keys) = &keys
            && let Some(lost) = algorithms.iter().find(|algorithm| !keys.has_kind_for(**algorithm))
        {
            return Err(format!("`algorithms` names {lost:?}, and no configured key is of a kind that it needs"));
        }
        let rules = Rules {
            audience: new.audience,
            algorithms,
            access_kind: new.access_kind,
            clock_skew: new.clock_skew,
            max_age: new.max_age,
        };
        let issuers = match is_template {
            true => new.tenants.iter().map(|tenant| expand(&issuer, tenant)).collect(),
            false => [issuer.clone()].into(),
        };
        // Whoever names the claim says that there are tenants; the usual one is only looked at where it is.
        let by_tenant = new.tenants.len() > 1 || (new.tenants.is_empty() && new.names_tenant);
        let mapping = Mapping { names: new.claims, realm: new.realm, tenants: new.tenants, by_tenant };
        Ok(Self(Arc::new(Inner { name, issuer, issuers, rules, mapping, keys })))
    }

    /// What the operator calls it.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// What is put before the names that it gives.
    pub(crate) fn realm(&self) -> Option<&str> {
        self.0.mapping.realm.as_deref()
    }

    /// What a token of it calls it: one name, or one for each tenant.
    pub(crate) fn issuers(&self) -> &BTreeSet<String> {
        &self.0.issuers
    }

    /// Whether a token that names this as its issuer is one of its own to judge.
    pub(super) fn issues(&self, issuer: &str) -> bool {
        self.0.issuers.contains(issuer)
    }

    /// Whether its key is configured here, as a gateway's is, rather than fetched.
    pub(super) fn is_gateway(&self) -> bool {
        matches!(self.0.keys, Keys::Fixed(_))
    }

    pub(super) fn shared_name(&self) -> Arc<str> {
        Arc::clone(&self.0.name)
    }

    /// Who the token speaks of; `now` is in seconds of Unix time. That the token calls this issuer its own was found out
    /// by whoever chose it, for the tenant it is checked here.
    pub(super) async fn identify(&self, token: &Presented<'_>, now: u64) -> Result<Principal, TokenRefusal> {
        let Inner { issuer, rules, mapping, keys, .. } = &*self.0;
        rules.check(token, now)?;
        let tenant = mapping.tenant(&token.claims)?;
        // One tenant's name of the issuer, and another tenant's claim.
        if issuer.contains(TENANT_MARK) && tenant.map(|tenant| expand(issuer, tenant)).as_deref() != token.issuer().ok()
        {
            return Err(TokenRefusal::Tenant);
        }
        match keys {
            Keys::Fixed(keys) => keys.verify(token, tenant)?,
            Keys::Fetched(keys) => keys.verify(token, tenant).await?,
        }
        mapping.principal(&token.claims)
    }

    /// Fetches the keys anew if it is time to; does not wait for it.
    pub(super) fn refresh(&self) {
        if let Some(keys) = self.fetched_keys() {
            keys.refresh();
        }
    }

    /// The keys, unless they are configured.
    pub(super) fn fetched_keys(&self) -> Option<&FetchedKeys> {
        match &self.0.keys {
            Keys::Fetched(keys) => Some(keys),
            Keys::Fixed(_) => None,
        }
    }
}
