//! [`Secret`]: a shared secret that cannot be printed.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use thiserror::Error;

use crate::limits::SECRET_BYTES_MIN;

/// A secret shared with a peer. It has no `Display`, its `Debug` tells nothing, and it is compared in constant time.
#[derive(Clone)]
pub struct Secret(Box<[u8]>);

/// The secret is too short to be one.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "the shared secret has {bytes} bytes, and at least {SECRET_BYTES_MIN} are needed; make one with `openssl rand -hex 32`"
)]
pub struct SecretError {
    /// How long it was.
    pub bytes: usize,
}

impl Secret {
    /// Takes a secret; white space around it is not part of it, since files end with a newline.
    ///
    /// # Errors
    /// [`SecretError`] when it is shorter than 16 bytes.
    pub fn new(secret: &str) -> Result<Self, SecretError> {
        let secret = secret.trim();
        if secret.len() < SECRET_BYTES_MIN {
            return Err(SecretError { bytes: secret.len() });
        }
        Ok(Self(secret.as_bytes().into()))
    }

    /// One for this process alone, which has nobody to keep it from: it only tells its own cursors from made-up ones.
    pub(crate) fn for_this_process() -> Self {
        Self(fastrand::u128(..).to_be_bytes().into())
    }

    /// Whether `candidate` is the secret. Both are hashed first, so the time does not depend on the length either.
    pub(crate) fn is(&self, candidate: &[u8]) -> bool {
        Sha256::digest(&self.0).ct_eq(&Sha256::digest(candidate)).into()
    }

    /// The secret itself, for whoever verifies with it.
    pub(crate) fn reveal(&self) -> &[u8] {
        &self.0
    }

    /// A key for one purpose, from which neither the secret nor another purpose's key can be found.
    pub(crate) fn derive_key(&self, purpose: &str) -> [u8; 32] {
        keyed(&self.0, &[purpose.as_bytes()])
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// HMAC-SHA256 over the parts, each with its length, so that no two lists of parts give the same bytes.
pub(crate) fn keyed(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    // HMAC takes a key of any length, so this branch is never taken; a panic would be worse than an unusable result.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return [0; 32] };
    for part in parts {
        mac.update(&(part.len() as u64).to_le_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_print_and_compares_whole() {
        let secret = Secret::new("0123456789abcdef\n").expect("long enough");
        assert_eq!(format!("{secret:?}"), "Secret(…)");
        assert!(secret.is(b"0123456789abcdef"));
        assert!(!secret.is(b"0123456789abcdef\n") && !secret.is(b"0123456789abcde") && !secret.is(b""));
        assert_eq!(Secret::new("  short  ").map(|_| ()), Err(SecretError { bytes: 5 }));
    }

    #[test]
    fn each_purpose_has_its_own_key() {
        let secret = Secret::new("0123456789abcdef").expect("long enough");
        assert_ne!(secret.derive_key("a"), secret.derive_key("b"));
        assert_ne!(keyed(b"k", &[b"ab", b"c"]), keyed(b"k", &[b"a", b"bc"]));
    }
}
