//! [`InForce`]: the policy that decides now, and how the file and the run-time rules are that it was made of.

use std::sync::Arc;

use serde::Serialize;
use shortlist_index::Snapshot;
use utoipa::ToSchema;

use super::Policy;
use super::run_time::RunTimeRules;

/// The policy in force, with what it was made of.
pub(crate) struct InForce {
    pub(crate) policy: Arc<Policy>,
    pub(crate) version: Arc<str>,
    pub(crate) file: FileState,
    pub(crate) run_time: RunTimeState,
    /// Raised with each policy, so that no grant of an earlier one is found in the cache.
    pub(crate) serial: u64,
}

impl InForce {
    /// Looks for what the rules' patterns match in this generation, before anybody waits for it.
    pub(crate) fn prepare(&self, snapshot: &Snapshot) {
        snapshot.prepare(self.policy.ref_patterns());
    }
}

/// How the policy's file is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct FileState {
    /// Whether a good one is in force. Without it nothing is visible, whatever was added at run time.
    pub(crate) loaded: bool,
    /// SHA-256 of the text that is in force.
    pub(crate) digest: Option<String>,
    /// Its rules.
    pub(crate) n_rules: usize,
    /// Why what stands there now is not in force; null where it is.
    pub(crate) refusal: Option<String>,
}

/// The rules that were added at run time, or why it is not known which they are; nothing is visible then.
pub(crate) type RunTimeState = Result<Arc<RunTimeRules>, Arc<str>>;
