//! The sections `[[issuer]]` and `[[gateway_token]]`: whose signed tokens are believed.
//!
//! ```toml
//! [[issuer]]
//! name = "entra"                                              # in the log
//! issuer = "https://login.microsoftonline.com/<tenant>/v2.0"  # as the tokens and the discovery document say it
//! audience = "api://shortlist"                                # or a list
//!
//! [[gateway_token]]
//! name = "hub"
//! issuer = "https://hub.example"
//! audience = "shortlist"
//! key_file = "hub.pem"                                        # a public key or a JWK Set; or secret_file, secret_env
//! ```

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jsonwebtoken::{Algorithm, AlgorithmFamily};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::duration::parse_duration;
use super::file::{read, secret};
use crate::identity::{ClaimNames, KeyTimes, NewIssuer, NewKeys, TokenIssuer};
use crate::limits::{
    CLOCK_SKEW, CLOCK_SKEW_MAX, GATEWAY_TOKEN_AGE_MAX, ISSUERS_MAX, KEYS_ATTEMPT, KEYS_KEEP, KEYS_REFRESH,
    USER_BYTES_MAX,
};

/// What the times of an issuer's keys may be: never so short that the issuer is flooded, nor longer than keys are for.
const KEY_TIMES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(30 * 24 * 3_600));

/// An identity provider.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IssuerFile {
    name: String,
    issuer: String,
    audience: OneOrMany,
    /// Where the discovery document is, should it not be below the issuer.
    discovery_url: Option<String>,
    algorithms: Option<Vec<Algorithm>>,
    /// `"at+jwt"` where the provider marks its access tokens so (RFC 9068), and no other token is wanted.
    r#type: Option<AccessKind>,
    /// The tenants that are accepted; left out, any. Where several are listed, or none is and `claims` names the tenant's claim,
    /// the names of each are kept apart: `group:<tenant>/admins`.
    tenants: Option<Vec<String>>,
    realm: Option<String>,
    clock_skew: Option<Time>,
    max_age: Option<Time>,
    /// How often its keys are fetched, the least time between two fetches, and how long they are believed without one.
    refresh_keys: Option<Time>,
    retry_keys: Option<Time>,
    keep_keys: Option<Time>,
    ca_file: Option<PathBuf>,
    claims: Option<ClaimsFile>,
}

/// A gateway that signs for itself.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GatewayTokenFile {
    name: String,
    issuer: String,
    audience: OneOrMany,
    key_file: Option<PathBuf>,
    secret_file: Option<PathBuf>,
    secret_env: Option<String>,
    algorithms: Option<Vec<Algorithm>>,
    realm: Option<String>,
    clock_skew: Option<Time>,
    max_age: Option<Time>,
    claims: Option<ClaimsFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClaimsFile {
    user: Option<OneOrMany>,
    /// Named here, every token must have it, unless the list is empty.
    tenant: Option<OneOrMany>,
    groups: Option<OneOrMany>,
    roles: Option<OneOrMany>,
    scopes: Option<OneOrMany>,
}

#[derive(Deserialize)]
enum AccessKind {
    #[serde(rename = "at+jwt")]
    AtJwt,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    fn list(self) -> Vec<String> {
        match self {
            Self::One(one) => vec![one],
            Self::Many(many) => many,
        }
    }
}

#[derive(Clone, Copy)]
struct Time(Duration);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse_duration(&text).map(Self).map_err(D::Error::custom)
    }
}

/// All issuers, checked each and against each other.
pub(super) fn issuers(
    folder: &Path,
    gateways: Vec<GatewayTokenFile>,
    providers: Vec<IssuerFile>,
) -> Result<Vec<TokenIssuer>, String> {
    if gateways.len() + providers.len() > ISSUERS_MAX {
        return Err(format!("there are more than the {ISSUERS_MAX} issuers allowed"));
    }
    let mut realms = BTreeSet::new();
    for provider in &providers {
        if !realms.insert(provider.realm.clone()) {
            let name = &provider.name;
            return Err(match &provider.realm {
                Some(realm) => format!("[[issuer]] {name:?}: the `realm` {realm:?} is another issuer's"),
                None => format!(
                    "[[issuer]] {name:?}: it has no `realm`, and neither has another. Write realm = {name:?}, so that \
                     the groups of one are never those of the other: it is put before the names that it gives, as in \
                     \"group:{name}/admins\""
                ),
            });
        }
    }
    let mut all: Vec<TokenIssuer> = Vec::new();
    for gateway in gateways {
        let name = gateway.name.clone();
        let issuer = gateway.issuer(folder).and_then(TokenIssuer::new);
        all.push(issuer.map_err(|reason| format!("[[gateway_token]] {name:?}: {reason}"))?);
    }
    for provider in providers {
        let name = provider.name.clone();
        let issuer = provider.issuer(folder).and_then(TokenIssuer::new);
        all.push(issuer.map_err(|reason| format!("[[issuer]] {name:?}: {reason}"))?);
    }
    let (mut names, mut issuers) = (BTreeSet::new(), BTreeSet::new());
    for one in &all {
        if !names.insert(one.name()) {
            return Err(format!("two issuers have the `name` {:?}", one.name()));
        }
        if let Some(twice) = one.issuers().iter().find(|issuer| !issuers.insert(issuer.as_str())) {
            return Err(format!("two issuers have the `issuer` {twice:?}, and a token could not be told to be of one"));
        }
    }
    Ok(all)
}

impl IssuerFile {
    fn issuer(self, folder: &Path) -> Result<NewIssuer, String> {
        let times = KeyTimes {
            refresh: within("refresh_keys", self.refresh_keys, KEYS_REFRESH, KEY_TIMES)?,
            attempt: within("retry_keys", self.retry_keys, KEYS_ATTEMPT, KEY_TIMES)?,
            keep: within("keep_keys", self.keep_keys, KEYS_KEEP, KEY_TIMES)?,
        };
        if times.keep < times.refresh {
            return Err("`keep_keys` is shorter than `refresh_keys`, so there would be times without keys".to_owned());
        }
        let algorithms = algorithms(self.algorithms, &[Algorithm::RS256])?;
        if algorithms.iter().any(|algorithm| algorithm.family() == AlgorithmFamily::Hmac) {
            return Err("`algorithms` names one of HMAC (HS…), whose key nobody can publish".to_owned());
        }
        let ca_file = self.ca_file.map(|path| folder.join(path));
        let tenants = tenants(self.tenants)?;
        let names_tenant = names_tenant(self.claims.as_ref());
        let claims = claims(self.claims, &["tid", "oid"])?;
        if !tenants.is_empty() && claims.tenant.is_none() {
            return Err("`tenants` are listed, and `claims` names no claim for the tenant".to_owned());
        }
        Ok(NewIssuer {
            issuer: named("issuer", self.issuer)?,
            audience: audience(self.audience)?,
            algorithms,
            access_kind: matches!(self.r#type, Some(AccessKind::AtJwt)),
            clock_skew: clock_skew(self.clock_skew)?,
            max_age: self.max_age.map(|Time(age)| age),
            tenants,
            realm: realm(self.realm)?,
            names_tenant,
            claims,
            keys: NewKeys::Discovery { document: self.discovery_url, ca_file, times },
            name: named("name", self.name)?,
        })
    }
}

impl GatewayTokenFile {
    fn issuer(self, folder: &Path) -> Result<NewIssuer, String> {
        let secret = secret(folder, self.secret_file, self.secret_env)?;
        let (keys, usual) = match (self.key_file, secret) {
            (Some(path), None) => {
                let path = folder.join(path);
                let text = read(&path).map_err(|reason| format!("`key_file` {}: {reason}", path.display()))?;
                (NewKeys::Text(text), Algorithm::RS256)
            }
            (None, Some(secret)) => (NewKeys::Secret(secret.reveal().to_vec()), Algorithm::HS256),
            _ => {
                return Err("write one of `key_file` (a public key in PEM, or a JWK Set), `secret_file` and \
                            `secret_env` (for HS256)"
                    .to_owned());
            }
        };
        Ok(NewIssuer {
            issuer: named("issuer", self.issuer)?,
            audience: audience(self.audience)?,
            algorithms: algorithms(self.algorithms, &[usual])?,
            access_kind: false,
            clock_skew: clock_skew(self.clock_skew)?,
            max_age: Some(self.max_age.map_or(GATEWAY_TOKEN_AGE_MAX, |Time(age)| age)),
            tenants: BTreeSet::new(),
            realm: realm(self.realm)?,
            names_tenant: names_tenant(self.claims.as_ref()),
            claims: claims(self.claims, &["sub"])?,
            keys,
            name: named("name", self.name)?,
        })
    }
}

fn named(key: &str, text: String) -> Result<String, String> {
    match text.trim() == text && (1..=USER_BYTES_MAX).contains(&text.len()) {
        true => Ok(text),
        false => Err(format!("`{key}` is empty, too long or has white space around it")),
    }
}

fn audience(audience: OneOrMany) -> Result<BTreeSet<String>, String> {
    let audience: BTreeSet<String> = audience.list().into_iter().collect();
    match audience.is_empty() || audience.contains("") {
        true => Err("`audience` is empty; write what the tokens for this server say in `aud`".to_owned()),
        false => Ok(audience),
    }
}

fn algorithms(configured: Option<Vec<Algorithm>>, usual: &[Algorithm]) -> Result<Vec<Algorithm>, String> {
    let algorithms = configured.unwrap_or_else(|| usual.to_vec());
    if algorithms.is_empty() {
        Err("`algorithms` is empty; leave it out for the usual".to_owned())
    } else {
        Ok(algorithms)
    }
}

fn clock_skew(time: Option<Time>) -> Result<Duration, String> {
    within("clock_skew", time, CLOCK_SKEW, (Duration::ZERO, CLOCK_SKEW_MAX))
}

fn within(
    key: &str,
    time: Option<Time>,
    usual: Duration,
    (least, most): (Duration, Duration),
) -> Result<Duration, String> {
    let time = time.map_or(usual, |Time(time)| time);
    match (least..=most).contains(&time) {
        true => Ok(time),
        false => Err(format!("`{key}` may be from {least:?} to {most:?}")),
    }
}

/// Stands before names with a slash, so it holds none.
fn realm(realm: Option<String>) -> Result<Option<String>, String> {
    let is_good =
        |realm: &String| !realm.is_empty() && realm.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    match realm {
        Some(realm) if !is_good(&realm) => Err("`realm` takes letters, digits and `._-`".to_owned()),
        realm => Ok(realm),
    }
}

fn tenants(tenants: Option<Vec<String>>) -> Result<BTreeSet<String>, String> {
    let Some(tenants) = tenants else { return Ok(BTreeSet::new()) };
    let is_good = |tenant: &String| !tenant.is_empty() && !tenant.contains('/') && tenant.trim() == tenant;
    match !tenants.is_empty() && tenants.iter().all(is_good) {
        true => Ok(tenants.into_iter().collect()),
        false => Err("`tenants` lists the ids of tenants, without slashes; leave it out to accept any".to_owned()),
    }
}

/// Whether the tenant's claim is said.
fn names_tenant(file: Option<&ClaimsFile>) -> bool {
    file.is_some_and(|file| file.tenant.is_some())
}

fn claims(file: Option<ClaimsFile>, user: &[&str]) -> Result<ClaimNames, String> {
    let (mut user, mut tenant) = (user.iter().map(|&name| name.to_owned()).collect(), vec!["tid".to_owned()]);
    let (mut groups, mut roles) = (vec!["groups".to_owned()], vec!["roles".to_owned()]);
    let mut scopes = vec!["scp".to_owned(), "scope".to_owned()];
    if let Some(file) = file {
        let given = [
            (&mut user, file.user),
            (&mut tenant, file.tenant),
            (&mut groups, file.groups),
            (&mut roles, file.roles),
            (&mut scopes, file.scopes),
        ];
        given.into_iter().for_each(|(names, given): (&mut Vec<String>, _)| {
            if let Some(given) = given {
                *names = given.list();
            }
        });
    }
    let all = [&user, &tenant, &groups, &roles, &scopes];
    if all.into_iter().flatten().any(|name| name.trim_start_matches('/').is_empty()) {
        return Err("`claims` has an empty name; leave a list empty, as in groups = [], to read no claim".to_owned());
    }
    if user.is_empty() || tenant.len() > 1 {
        return Err("`claims` takes one claim or more for `user`, and one at most for `tenant`".to_owned());
    }
    Ok(ClaimNames { user, tenant: tenant.pop(), groups, roles, scopes })
}
