//! [`Caller`]: the proof that a request was identified. A door that shows anything must ask for it.

use std::sync::Arc;

use crate::http::Note;
use crate::policy::Granted;
use crate::principal::Principal;
use crate::state::AppState;

/// Who asks, and what they may see under the policy in force.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) principal: Arc<Principal>,
    pub(crate) granted: Arc<Granted>,
    /// Where the door says what it decides.
    pub(crate) note: Note,
}

impl Caller {
    /// The caller that was identified as this principal.
    pub(crate) fn new(state: &AppState, principal: Arc<Principal>, note: Note) -> Self {
        let granted = state.0.policies.granted(&principal);
        Self::granted(principal, granted, note)
    }

    /// A caller to whom this was granted.
    pub(crate) fn granted(principal: Arc<Principal>, granted: Arc<Granted>, note: Note) -> Self {
        note.granted(&granted);
        Self { principal, granted, note }
    }
}
