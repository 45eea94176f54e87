//! [`KeySet`]: the keys that may have signed an issuer's tokens.
//!
//! A key is good for one kind of algorithm, and that is fixed when it is read. So a token cannot choose what a key is used
//! for: an RSA key never becomes the secret of an HMAC, and `alg` in a token only picks among what the operator allows.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;

use super::token::{Presented, TokenRefusal};
use crate::limits::ISSUER_KEYS_MAX;

/// Keys by their ids.
#[derive(Default)]
pub(super) struct KeySet {
    keys: Vec<Key>,
}

struct Key {
    /// `None` only where the operator configured the key; an issuer's has one.
    id: Option<String>,
    kind: Kind,
    /// The one algorithm that the key is for, where it says so.
    algorithm: Option<Algorithm>,
    /// Whose tokens it may sign, where the key says so. Entra's keys for all tenants do.
    issuer: Option<String>,
    key: DecodingKey,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Rsa,
    P256,
    P384,
    Ed25519,
    Hmac,
}

impl Kind {
    fn fits(self, algorithm: Algorithm) -> bool {
        use Algorithm::{ES256, ES384, EdDSA, HS256, HS384, HS512, PS256, PS384, PS512, RS256, RS384, RS512};
        match algorithm {
            RS256 | RS384 | RS512 | PS256 | PS384 | PS512 => self == Self::Rsa,
            ES256 => self == Self::P256,
            ES384 => self == Self::P384,
            EdDSA => self == Self::Ed25519,
            HS256 | HS384 | HS512 => self == Self::Hmac,
            _ => false,
        }
    }
}

/// A JWK Set (RFC 7517, section 5), each key for itself: one that cannot be used must not take the others away.
#[derive(Deserialize)]
struct Jwks {
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    r#use: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
    issuer: Option<String>,
}

impl KeySet {
    /// Reads a JWK Set. Keys that cannot verify a signature, and symmetric ones, which nobody may publish, are left out;
    /// so are those without an id where `ids_needed`.
    ///
    /// # Errors
    /// A sentence, when it is no set of keys or holds none that can be used.
    pub(super) fn of_jwks(json: &[u8], ids_needed: bool) -> Result<Self, String> {
        let Jwks { keys } = serde_json::from_slice(json)
            .map_err(|_| "it is no JWK Set: a JSON object with the list `keys` was expected".to_owned())?;
        if keys.len() > ISSUER_KEYS_MAX {
            return Err(format!("it has {} keys, more than the {ISSUER_KEYS_MAX} allowed", keys.len()));
        }
        let n_all = keys.len();
        let keys: Vec<Key> = keys
            .into_iter()
            .filter_map(|key| serde_json::from_value::<Jwk>(key).ok())
            .filter(|key| key.kid.is_some() || !ids_needed)
            .filter_map(Jwk::usable)
            .collect();
        match keys.is_empty() {
            true => Err(format!("none of its {n_all} keys can be used: RSA, P-256, P-384 or Ed25519, for signatures")),
            false => Ok(Self { keys }),
        }
    }

    /// Reads one public key in PEM.
    ///
    /// # Errors
    /// A sentence, when it is none, or a private one.
    pub(super) fn of_pem(pem: &str) -> Result<Self, String> {
        if pem.contains("PRIVATE KEY") {
            return Err("it is a private key; here belongs the public one: `openssl pkey -in KEY -pubout`".to_owned());
        }
        let bytes = pem.as_bytes();
        let rsa = || Some((Kind::Rsa, DecodingKey::from_rsa_pem(bytes).ok()?));
        let curve = || {
            let key = DecodingKey::from_ec_pem(bytes).ok()?;
            // An uncompressed point: one byte, then two coordinates.
            match key.try_get_as_bytes().ok()?.len() {
                65 => Some((Kind::P256, key)),
                97 => Some((Kind::P384, key)),
                _ => None,
            }
        };
        let edwards = || Some((Kind::Ed25519, DecodingKey::from_ed_pem(bytes).ok()?));
        let (kind, key) = rsa().or_else(curve).or_else(edwards).ok_or(
            "it is no public key in PEM of RSA, P-256, P-384 or Ed25519, nor a JWK Set in JSON (a certificate is \
             turned into a key by `openssl x509 -pubkey -noout`)",
        )?;
        Ok(Self { keys: vec![Key { id: None, kind, algorithm: None, issuer: None, key }] })
    }

    /// One secret, for HMAC.
    pub(super) fn of_secret(secret: &[u8]) -> Self {
        let key = DecodingKey::from_secret(secret);
        Self { keys: vec![Key { id: None, kind: Kind::Hmac, algorithm: None, issuer: None, key }] }
    }

    /// Whether some key is of a kind that this algorithm needs.
    pub(super) fn has_kind_for(&self, algorithm: Algorithm) -> bool {
        self.keys.iter().any(|key| key.fits(algorithm))
    }

    /// Whether a key might have signed the token.
    pub(super) fn knows(&self, token: &Presented<'_>) -> bool {
        self.candidates(token).next().is_some()
    }

    /// Proves the signature. `tenant` is the token's.
    pub(super) fn verify(&self, token: &Presented<'_>, tenant: Option<&str>) -> Result<(), TokenRefusal> {
        let issuer = token.issuer()?;
        let speaks_for = |of: &str| of == issuer || tenant.is_some_and(|tenant| expand(of, tenant) == issuer);
        let mut any = false;
        for key in self.candidates(token).filter(|key| key.issuer.as_deref().is_none_or(speaks_for)) {
            any = true;
            let good =
                jsonwebtoken::crypto::verify(token.signature, token.message.as_bytes(), &key.key, token.algorithm);
            if good.is_ok_and(|good| good) {
                return Ok(());
            }
        }
        Err(if any { TokenRefusal::Signature } else { TokenRefusal::UnknownKey })
    }

    /// Those of the token's key id, and those without one, that fit its algorithm.
    fn candidates<'k>(&'k self, token: &'k Presented<'_>) -> impl Iterator<Item = &'k Key> {
        let of_id = |key: &&Key| key.id.is_none() || key.id == token.key_id;
        self.keys.iter().filter(of_id).filter(|key| key.fits(token.algorithm))
    }
}

/// Counts only: keys of a [`KeySet`] may be secrets.
impl std::fmt::Debug for KeySet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeySet({} keys)", self.keys.len())
    }
}

impl Key {
    fn fits(&self, algorithm: Algorithm) -> bool {
        self.kind.fits(algorithm) && self.algorithm.is_none_or(|own| own == algorithm)
    }
}

/// Entra's way to write the issuers of all tenants at once.
pub(super) const TENANT_MARK: &str = "{tenantid}";

/// The issuer of one tenant.
pub(super) fn expand(issuer: &str, tenant: &str) -> String {
    issuer.replace(TENANT_MARK, tenant)
}

impl Jwk {
    fn usable(self) -> Option<Key> {
        let Self { kty, kid, alg, r#use, key_ops, crv, x, y, n, e, issuer } = self;
        let for_signatures = r#use.as_deref().is_none_or(|of| of == "sig")
            && key_ops.is_none_or(|operations| operations.iter().any(|operation| operation == "verify"));
        if !for_signatures {
            return None;
        }
        let algorithm = match alg {
            Some(alg) => Some(alg.parse::<Algorithm>().ok()?),
            None => None,
        };
        let of_bytes = |text: &str, bytes: usize| URL_SAFE_NO_PAD.decode(text).is_ok_and(|value| value.len() == bytes);
        let on_curve = |kind: Kind, bytes: usize| {
            let (x, y) = (x.as_deref()?, y.as_deref()?);
            let whole = of_bytes(x, bytes) && of_bytes(y, bytes);
            whole.then(|| DecodingKey::from_ec_components(x, y).ok().map(|key| (kind, key)))?
        };
        let (kind, key) = match (kty.as_str(), crv.as_deref()) {
            ("RSA", _) => (Kind::Rsa, DecodingKey::from_rsa_components(&n?, &e?).ok()?),
            ("EC", Some("P-256")) => on_curve(Kind::P256, 32)?,
            ("EC", Some("P-384")) => on_curve(Kind::P384, 48)?,
            ("OKP", Some("Ed25519")) => {
                let x = x.as_deref().filter(|x| of_bytes(x, 32))?;
                (Kind::Ed25519, DecodingKey::from_ed_components(x).ok()?)
            }
            _ => return None,
        };
        let key = Key { id: kid, kind, algorithm, issuer, key };
        key.algorithm.is_none_or(|algorithm| kind.fits(algorithm)).then_some(key)
    }
}
