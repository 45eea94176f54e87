//! [`Presented`]: a signed token (a JWT, RFC 7519) as it was sent, and the [`Rules`] that one must obey besides its signature.
//!
//! Everything that can be refused without a key is refused first, so that nobody can make this server fetch keys, or wait
//! for them, with a token that could not be accepted anyway. Nothing of a token is believed before its signature is.

use std::collections::BTreeSet;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use thiserror::Error;

use crate::limits::{MEMBERSHIPS_MAX, TOKEN_BYTES_MAX, TOKEN_WORDS_CHARS_MAX, USER_BYTES_MAX};

/// The kinds of token that are taken where none is configured. Entra writes `JWT` for access tokens; others, and those
/// without a kind, are told from ID tokens by their audience. A logout token or the like has a kind of its own.
const KINDS: [&str; 3] = ["jwt", "at+jwt", "application/at+jwt"];
/// The kinds that say "access token" (RFC 9068).
const ACCESS_KINDS: [&str; 2] = ["at+jwt", "application/at+jwt"];

/// Why a token was refused. No text of it holds a token; names that an operator needs to see are escaped and cut.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum TokenRefusal {
    #[error("it has {0} bytes, more than the {TOKEN_BYTES_MAX} allowed")]
    TooLong(usize),
    #[error("it is not three parts of base64url with a JSON object in the first two")]
    Malformed,
    #[error("its algorithm is not one that is known here; `none` is never accepted")]
    UnknownAlgorithm,
    #[error("its algorithm {0:?} is not among the configured `algorithms`")]
    Algorithm(Algorithm),
    #[error("its header has `crit`, so it demands something that is not known here")]
    Critical,
    #[error("its kind (`typ`) is not that of an access token")]
    Kind,
    #[error("the claim `{0}` is missing")]
    Missing(String),
    #[error("the claim `{0}` is not of the type it should be, or is empty or too long")]
    Odd(String),
    #[error("the claim `{0}` has {1} entries, more than the {MEMBERSHIPS_MAX} allowed")]
    TooMany(String, usize),
    #[error("its audience is {0}; add it to `audience` if it is this server's")]
    Audience(String),
    #[error("it has expired; if it has not, compare the clocks")]
    Expired,
    #[error("it is not valid yet; if it should be, compare the clocks")]
    NotYet,
    #[error("it is older, or lives longer, than `max_age` allows")]
    TooOld,
    #[error("it is bound to a key of the caller's (`cnf`), and that the caller holds that key cannot be proved here")]
    Bound,
    #[error("its tenant is not among the configured `tenants`")]
    Tenant,
    #[error(
        "its user is in more groups than fit into a token (`{0}` says so), and without all of them a denial could be \
         missed; let the issuer send only the groups assigned to this application, or app roles, or map no groups"
    )]
    Overage(&'static str),
    #[error("it names somebody in the words of another issuer's realm")]
    OtherRealm,
    #[error("it does not say which key signed it (`kid`)")]
    NoKeyId,
    #[error("the issuer has no such key, of a type that fits the algorithm")]
    UnknownKey,
    #[error("its signature is wrong")]
    Signature,
    #[error("the issuer's keys cannot be had, or are too old to be believed; see the log of the attempts")]
    NoKeys,
    #[error("too many requests wait for the issuer's keys already")]
    Crowded,
}

impl TokenRefusal {
    /// A word for the kind of it, for the metrics.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::TooLong(_) | Self::Malformed => "token_unreadable",
            Self::UnknownAlgorithm | Self::Algorithm(_) => "token_algorithm",
            Self::Critical | Self::Kind | Self::Missing(_) | Self::Odd(_) | Self::TooMany(..) => "token_claims",
            Self::Audience(_) => "token_audience",
            Self::Expired | Self::NotYet | Self::TooOld => "token_time",
            Self::Bound => "token_bound",
            Self::Tenant => "token_tenant",
            Self::Overage(_) => "token_overage",
            Self::OtherRealm => "token_realm",
            Self::NoKeyId | Self::UnknownKey => "token_key",
            Self::Signature => "token_signature",
            Self::NoKeys | Self::Crowded => "issuer_keys",
        }
    }
}

/// The claims of a token.
pub(super) type Claims = Map<String, Value>;

/// A token taken apart, of which nothing is proved yet.
pub(super) struct Presented<'t> {
    pub(super) algorithm: Algorithm,
    pub(super) key_id: Option<String>,
    kind: Option<String>,
    pub(super) claims: Claims,
    /// What is signed.
    pub(super) message: &'t str,
    /// In base64url.
    pub(super) signature: &'t str,
}

/// `jwk`, `jku`, `x5u` and `x5c`, by which a token would bring its own key, are not read at all.
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    crit: Option<Value>,
}

impl<'t> Presented<'t> {
    /// Takes a token apart.
    pub(super) fn read(token: &'t str) -> Result<Self, TokenRefusal> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenRefusal::TooLong(token.len()));
        }
        let (message, signature) = token.rsplit_once('.').ok_or(TokenRefusal::Malformed)?;
        let (header, claims) = message.split_once('.').ok_or(TokenRefusal::Malformed)?;
        let header: Header = json(header)?;
        // Its base64 is checked with the signature.
        if claims.contains('.') || signature.is_empty() {
            return Err(TokenRefusal::Malformed);
        }
        if header.crit.is_some() {
            return Err(TokenRefusal::Critical);
        }
        Ok(Self {
            algorithm: header.alg.parse().map_err(|_| TokenRefusal::UnknownAlgorithm)?,
            key_id: header.kid,
            kind: header.typ,
            claims: json(claims)?,
            message,
            signature,
        })
    }

    /// Who says that they made it.
    pub(super) fn issuer(&self) -> Result<&str, TokenRefusal> {
        text(&self.claims, "iss")?.ok_or_else(|| TokenRefusal::Missing("iss".to_owned()))
    }
}

fn json<T: DeserializeOwned>(part: &str) -> Result<T, TokenRefusal> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenRefusal::Malformed)?;
    object(&bytes).ok_or(TokenRefusal::Malformed)
}

/// A JSON object. Without the look at its beginning, a list of the values would do too.
pub(super) fn object<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    bytes.trim_ascii_start().starts_with(b"{").then(|| serde_json::from_slice(bytes).ok())?
}

/// What the tokens of one issuer must be like.
#[derive(Debug)]
pub(super) struct Rules {
    /// One of these is the token's audience.
    pub(super) audience: BTreeSet<String>,
    pub(super) algorithms: Vec<Algorithm>,
    /// Whether the token must say that it is an access token.
    pub(super) access_kind: bool,
    /// By how much the issuer's clock and ours may differ.
    pub(super) clock_skew: Duration,
    /// How long a token may live, and how old it may be. Without it, as the issuer says.
    pub(super) max_age: Option<Duration>,
}

impl Rules {
    /// Everything about a token but its issuer, its tenant and its signature. `now` is in seconds of Unix time.
    pub(super) fn check(&self, token: &Presented<'_>, now: u64) -> Result<(), TokenRefusal> {
        if !self.algorithms.contains(&token.algorithm) {
            return Err(TokenRefusal::Algorithm(token.algorithm));
        }
        let kinds = if self.access_kind { &ACCESS_KINDS[..] } else { &KINDS[..] };
        let is_kind = match &token.kind {
            Some(kind) => kinds.iter().any(|known| kind.eq_ignore_ascii_case(known)),
            None => !self.access_kind,
        };
        if !is_kind {
            return Err(TokenRefusal::Kind);
        }
        if token.claims.contains_key("cnf") {
            return Err(TokenRefusal::Bound);
        }
        self.check_audience(&token.claims)?;
        self.check_times(&token.claims, now)
    }

    fn check_audience(&self, claims: &Claims) -> Result<(), TokenRefusal> {
        let odd = || TokenRefusal::Odd("aud".to_owned());
        let audience = claims.get("aud").ok_or_else(|| TokenRefusal::Missing("aud".to_owned()))?;
        let audience: Vec<&str> = match audience {
            Value::String(one) => vec![one],
            Value::Array(several) => several.iter().map(Value::as_str).collect::<Option<_>>().ok_or_else(odd)?,
            _ => return Err(odd()),
        };
        match audience.iter().any(|name| self.audience.contains(*name)) {
            true => Ok(()),
            false => Err(TokenRefusal::Audience(shown(&audience.join(" ")))),
        }
    }

    fn check_times(&self, claims: &Claims, now: u64) -> Result<(), TokenRefusal> {
        let (now, skew) = (now as f64, self.clock_skew.as_secs_f64());
        let expires = time(claims, "exp")?.ok_or_else(|| TokenRefusal::Missing("exp".to_owned()))?;
        let (not_before, issued) = (time(claims, "nbf")?, time(claims, "iat")?);
        if now >= expires + skew {
            return Err(TokenRefusal::Expired);
        }
        if [not_before, issued].into_iter().flatten().any(|begins| begins > now + skew) {
            return Err(TokenRefusal::NotYet);
        }
        let Some(max_age) = self.max_age.map(|age| age.as_secs_f64()) else { return Ok(()) };
        let issued = issued.ok_or_else(|| TokenRefusal::Missing("iat".to_owned()))?;
        match expires - issued > max_age || now - issued > max_age + skew {
            true => Err(TokenRefusal::TooOld),
            false => Ok(()),
        }
    }
}

/// A claim that is a text where it is there at all.
pub(super) fn text<'c>(claims: &'c Claims, name: &str) -> Result<Option<&'c str>, TokenRefusal> {
    match claims.get(name) {
        None => Ok(None),
        Some(Value::String(text)) if (1..=USER_BYTES_MAX).contains(&text.len()) => Ok(Some(text)),
        Some(_) => Err(TokenRefusal::Odd(name.to_owned())),
    }
}

/// Seconds of Unix time, which may have a fraction (RFC 7519, section 2).
fn time(claims: &Claims, name: &str) -> Result<Option<f64>, TokenRefusal> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    let time = value.as_f64().filter(|time| time.is_finite() && *time >= 0.0);
    time.map(Some).ok_or_else(|| TokenRefusal::Odd(name.to_owned()))
}

/// Somebody else's words, for a log.
pub(super) fn shown(words: &str) -> String {
    let cut: String = words.chars().take(TOKEN_WORDS_CHARS_MAX).collect();
    format!("{cut:?}")
}
