//! [`Policies`]: the policy in force, reloaded when its file changes, and each principal's grant under it.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use moka::sync::Cache;
use shortlist_index::Grant;

use super::Policy;
use super::file::{self, PolicyError};
use crate::limits::{GRANTS_KEPT, KEPT_IDLE};
use crate::principal::Principal;

/// How long a changed file must stay the same to be taken.
const SETTLE_TIME: Duration = Duration::from_millis(30);

/// A principal's grant under one policy.
#[derive(Debug)]
pub(crate) struct Granted {
    pub(crate) grant: Grant,
    pub(crate) fingerprint: String,
    /// Whether their searches compare every vector.
    pub(crate) exact: bool,
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
            let exact = current.policy.is_exact(principal);
            Arc::new(Granted { fingerprint: grant.fingerprint(), grant, exact })
        })
    }

    /// The policy in force, as long as the caller holds it.
    pub(crate) fn policy(&self) -> Policy {
        self.current.load().policy.clone()
    }

    /// Whether the policy in force calls the principal an admin.
    pub(crate) fn is_admin(&self, principal: &Principal) -> bool {
        self.current.load().policy.is_admin(principal)
    }

    /// Whether a policy was ever loaded.
    pub(crate) fn is_loaded(&self) -> bool {
        self.current.load().loaded
    }

    /// Looks at the file, and puts a good changed one into force. Blocks on the disk; a change is known by its content.
    ///
    /// A broken file leaves the policy before it in force; a file that is gone takes it away, and nothing is visible. A
    /// file that still changes while it is looked at is left for the next look: half of a policy may well parse, and
    /// allow more than the whole. Whoever replaces a policy by renaming a finished file needs no such luck.
    pub(crate) fn reload(&self) {
        let mut last_seen = self.last_seen.lock().unwrap_or_else(PoisonError::into_inner);
        let text = file::read(&self.path);
        let seen = Seen::of(&text);
        if last_seen.as_ref() == Some(&seen) {
            return;
        }
        std::thread::sleep(SETTLE_TIME);
        if Seen::of(&file::read(&self.path)) != seen {
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
                drop(before);
                self.put_into_force(policy, true);
            }
            Err(error) => {
                let is_gone = !self.path.exists();
                if is_gone && self.is_loaded() {
                    self.put_into_force(Policy::nothing(), false);
                }
                let effect = match self.is_loaded() {
                    true => "the policy before it stays in force",
                    false => "nothing is visible to anybody",
                };
                tracing::error!(error = %error, "policy refused: {effect}");
            }
        }
    }

    fn put_into_force(&self, policy: Policy, loaded: bool) {
        let version = self.current.load().version + 1;
        self.current.store(Arc::new(InForce { policy, version, loaded }));
        // The grants of the policy before are of no more use.
        self.grants.invalidate_all();
    }
}

impl Seen {
    fn of(text: &Result<String, PolicyError>) -> Self {
        match text {
            Ok(text) => Self::Text(file::digest(text)),
            Err(error) => Self::Unreadable(error.to_string()),
        }
    }
}
