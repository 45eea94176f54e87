//! [`Policies`]: the policy in force, reloaded when its file changes, and each principal's grant under it.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use moka::sync::Cache;
use shortlist_index::Grant;

use super::Policy;
use super::file::{self, PolicyError};
use crate::limits::{GRANTS_KEPT, KEPT_IDLE};
use crate::principal::Principal;

/// A principal's grant under one policy.
#[derive(Debug)]
pub(crate) struct Granted {
    pub(crate) grant: Grant,
    pub(crate) fingerprint: String,
}

/// The policy in force.
pub(crate) struct Policies {
    path: PathBuf,
    current: ArcSwap<InForce>,
    /// What the last look saw, so that a file that stays broken is reported once. Held only for the length of a look.
    last_seen: Mutex<Option<Seen>>,
    grants: Cache<(u64, Principal), Arc<Granted>>,
}

struct InForce {
    policy: Policy,
    /// Raised with each policy, so that no grant of an earlier one is found in the cache.
    version: u64,
    /// Whether it came from the file, rather than being the policy that a server has without one.
    loaded: bool,
}

#[derive(PartialEq, Eq)]
enum Seen {
    Text(String),
    Unreadable(String),
}

impl Policies {
    /// Nothing is visible until the first good [`Policies::reload`].
    pub(crate) fn new(path: PathBuf) -> Self {
        let nothing = InForce { policy: Policy::nothing(), version: 0, loaded: false };
        Self {
            path,
            current: ArcSwap::from_pointee(nothing),
            last_seen: Mutex::new(None),
            grants: Cache::builder().max_capacity(GRANTS_KEPT).time_to_idle(KEPT_IDLE).build(),
        }
    }

    /// What the principal may see now.
    pub(crate) fn granted(&self, principal: &Principal) -> Arc<Granted> {
        let current = self.current.load();
        self.grants.get_with((current.version, principal.clone()), || {
            let grant = current.policy.grant(principal);
            Arc::new(Granted { fingerprint: grant.fingerprint(), grant })
        })
    }

    /// Whether a policy was ever loaded.
    pub(crate) fn is_loaded(&self) -> bool {
        self.current.load().loaded
    }

    /// Looks at the file, and puts a good changed one into force. Blocks on the disk; a change is known by its content.
    pub(crate) fn reload(&self) {
        let mut last_seen = self.last_seen.lock().unwrap_or_else(PoisonError::into_inner);
        let text = file::read(&self.path);
        let seen = match &text {
            Ok(text) => Seen::Text(file::digest(text)),
            Err(error) => Seen::Unreadable(error.to_string()),
        };
        if last_seen.as_ref() == Some(&seen) {
            return;
        }
        *last_seen = Some(seen);
        let in_file = |source| PolicyError::InFile { path: self.path.clone(), source: Box::new(source) };
        match text.and_then(|text| Policy::parse(&text).map_err(in_file)) {
            Ok(policy) => {
                let before = self.current.load();
                if before.loaded && before.policy.digest() == policy.digest() {
                    // It was broken for a while and is what it was before.
                    return;
                }
                tracing::info!(
                    policy.digest = policy.digest(),
                    policy.n_rules = policy.n_rules(),
                    "policy is in force"
                );
                let version = before.version + 1;
                drop(before);
                self.current.store(Arc::new(InForce { policy, version, loaded: true }));
            }
            Err(error) => {
                let loaded = self.is_loaded();
                let effect =
                    if loaded { "the policy before it stays in force" } else { "nothing is visible to anybody" };
                tracing::error!(error = %error, "policy refused: {effect}");
            }
        }
    }
}
