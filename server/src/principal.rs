//! [`Principal`]: who asks. Made by an identity check, or by an operator's command; `index` never learns of it.

use std::collections::BTreeSet;
use std::fmt;

/// Who asks, as the policy sees them: a user, a service, or a service for a user.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Principal {
    /// The user's key, in the words of whoever identified them; empty where a service asks for itself.
    pub user: String,
    /// The tenant that the user belongs to, where the identity says one.
    pub tenant: Option<String>,
    /// The groups they belong to.
    pub groups: BTreeSet<String>,
    /// The roles that they were given.
    pub roles: BTreeSet<String>,
    /// The OAuth scopes they hold.
    pub scopes: BTreeSet<String>,
    /// The service that asks, for itself or for the user. What a service is allowed counts only where it asks for itself,
    /// what it is denied counts always.
    pub service: Option<String>,
}

impl Principal {
    /// A user without groups or scopes.
    pub fn user(user: impl Into<String>) -> Self {
        Self { user: user.into(), ..Self::default() }
    }

    /// A service that asks for itself.
    pub fn service(name: impl Into<String>) -> Self {
        Self { service: Some(name.into()), ..Self::default() }
    }

    /// With these groups too.
    #[must_use]
    pub fn with_groups<S: Into<String>>(mut self, groups: impl IntoIterator<Item = S>) -> Self {
        self.groups.extend(groups.into_iter().map(Into::into));
        self
    }

    /// With these roles too.
    #[must_use]
    pub fn with_roles<S: Into<String>>(mut self, roles: impl IntoIterator<Item = S>) -> Self {
        self.roles.extend(roles.into_iter().map(Into::into));
        self
    }

    /// About how many bytes it takes.
    pub(crate) fn n_bytes(&self) -> usize {
        let Self { user, tenant, groups, roles, scopes, service } = self;
        let names = [groups, roles, scopes].into_iter().flatten().chain(tenant).chain(service).chain([user]);
        size_of::<Self>() + names.map(|name| size_of::<String>() + name.len()).sum::<usize>()
    }

    /// Of this tenant.
    #[must_use]
    pub fn of_tenant(mut self, tenant: impl Into<String>) -> Self {
        self.tenant = Some(tenant.into());
        self
    }

    /// With these scopes too.
    #[must_use]
    pub fn with_scopes<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.scopes.extend(scopes.into_iter().map(Into::into));
        self
    }
}

/// Who it is, for what is kept about an admin's change: `user:alice`, `service:hub`, `service:hub for user:alice`.
impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.service, self.user.as_str()) {
            (Some(service), "") => write!(f, "service:{service}")?,
            (Some(service), user) => write!(f, "service:{service} for user:{user}")?,
            (None, user) => write!(f, "user:{user}")?,
        }
        self.tenant.as_ref().map_or(Ok(()), |tenant| write!(f, " of tenant:{tenant}"))
    }
}

/// A principal does not belong into logs, so `Debug` gives counts only.
impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { groups, roles, scopes, .. } = self;
        write!(f, "Principal(…, {} groups, {} roles, {} scopes)", groups.len(), roles.len(), scopes.len())
    }
}
