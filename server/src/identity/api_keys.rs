//! [`ApiKeys`]: the keys of services, as a running server knows them.
//!
//! A key is `slk_<id>_<secret>`: the id finds the record, the secret is 256 random bits, of which the record holds the SHA-256
//! alone. A slow hash, as passwords need, would protect nothing here: nobody can try 2^256 secrets, however fast they are
//! hashed. It would only let anybody keep this server busy with wrong keys.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::key_file::{ApiKey, KeyFile};
use super::refusal::IdentityRefusal;

/// What every key begins with, so that one in a log or a repository can be recognised.
pub(crate) const PREFIX: &str = "slk_";

/// The keys in force, reloaded when their file changes.
#[derive(Debug)]
pub(crate) struct ApiKeys {
    file: KeyFile,
    current: ArcSwap<BTreeMap<String, ApiKey>>,
    /// What the last look saw, so that a file is said once. Held only for the length of a look.
    last_seen: Mutex<Option<Result<Vec<ApiKey>, String>>>,
}

impl ApiKeys {
    pub(crate) fn new(file: KeyFile) -> Self {
        Self { file, current: ArcSwap::default(), last_seen: Mutex::default() }
    }

    /// Takes over what the file says now. Blocks on the disk.
    ///
    /// A file that is gone or broken leaves no key in force, unlike a broken policy: it is only ever replaced whole, by our
    /// own command, so what is broken may be a revocation, and that must not be lost.
    pub(crate) fn reload(&self) {
        let mut last_seen = self.last_seen.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = self.file.list().map_err(|error| error.to_string());
        if last_seen.as_ref() == Some(&seen) {
            return;
        }
        match &seen {
            Ok(keys) => tracing::info!(n_keys = keys.len(), "API keys are in force"),
            Err(error) => {
                tracing::error!(error, "the file of API keys was refused: no key is accepted until it is good")
            }
        }
        let keys = seen.iter().flatten().map(|key| (key.id.clone(), key.clone())).collect();
        self.current.store(Arc::new(keys));
        *last_seen = Some(seen);
    }

    /// The record of a key; `now` is in seconds of Unix time.
    pub(super) fn check(&self, presented: &str, now: u64) -> Result<ApiKey, IdentityRefusal> {
        let parts = presented.strip_prefix(PREFIX).and_then(|rest| rest.split_once('_'));
        let (id, secret) = parts.ok_or(IdentityRefusal::Key)?;
        let keys = self.current.load();
        let key = keys.get(id).ok_or(IdentityRefusal::Key)?;
        let is_it: bool = digest(secret).as_bytes().ct_eq(key.sha256.as_bytes()).into();
        match (is_it, key.expires_unix_s) {
            (false, _) => Err(IdentityRefusal::Key),
            (true, Some(expires)) if now >= expires => Err(IdentityRefusal::KeyExpired(key.id.clone())),
            (true, _) => Ok(key.clone()),
        }
    }
}

/// What a record holds of a secret.
pub(super) fn digest(secret: &str) -> String {
    shortlist_index::hex(&Sha256::digest(secret.as_bytes()))
}
