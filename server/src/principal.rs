//! [`Principal`]: who asks. Made by an identity check, or by an operator's command; `index` never learns of it.

use std::collections::BTreeSet;
use std::fmt;

/// Who asks, as the policy sees them.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Principal {
    /// The user's key, in the words of whoever identified them.
    pub user: String,
    /// The groups they belong to.
    pub groups: BTreeSet<String>,
    /// The OAuth scopes they hold.
    pub scopes: BTreeSet<String>,
}

impl Principal {
    /// A user without groups or scopes.
    pub fn user(user: impl Into<String>) -> Self {
        Self { user: user.into(), ..Self::default() }
    }

    /// With these groups too.
    #[must_use]
    pub fn with_groups<S: Into<String>>(mut self, groups: impl IntoIterator<Item = S>) -> Self {
        self.groups.extend(groups.into_iter().map(Into::into));
        self
    }

    /// With these scopes too.
    #[must_use]
    pub fn with_scopes<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.scopes.extend(scopes.into_iter().map(Into::into));
        self
    }
}

/// A principal does not belong into logs, so `Debug` gives counts only.
impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Principal(…, {} groups, {} scopes)", self.groups.len(), self.scopes.len())
    }
}
