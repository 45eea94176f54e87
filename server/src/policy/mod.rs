//! [`Policy`]: which principals may see which tools. Default deny; deny wins.
//!
//! A policy is a TOML file of rules:
//!
//! ```toml
//! [[rule]]
//! effect = "allow"
//! to = ["group:engineering", "user:alice"]
//! namespaces = ["drive", "calendar"]
//!
//! # Everybody sees the tools whose OAuth scopes they hold …
//! [[rule]]
//! effect = "allow"
//! to = ["everyone"]
//! scopes_held = true
//!
//! # … but nothing that may delete.
//! [[rule]]
//! effect = "deny"
//! to = ["everyone"]
//! refs = ["*.delete", "*.trash"]
//! ```
//!
//! An operator who may ask at the admin doors is named in `admins = ["user:…", "group:…"]`, above the rules; without it
//! there is none. Whose searches are to compare every vector, where a graph may miss one, is named in `exact` likewise
//! (`everyone` is possible there).
//!
//! `to` names `user:…`, `group:…`, `role:…`, `tenant:…`, `scope:…` (whoever holds it), `service:…` or `everyone`; these are
//! exact. What a rule selects is
//! `refs`, `namespaces`, `sources`, `tags`, `required_scopes` (lists of patterns with `*`), `scopes_held` and `read_only`:
//! every one that is written must match, and within a list any entry is enough.

mod file;
mod store;

use std::path::Path;

use serde::Serialize;
use shortlist_index::{Grant, Selector, Tool};
use utoipa::ToSchema;

use crate::principal::Principal;

pub use file::PolicyError;
pub(crate) use store::{Granted, Policies};

/// Rules in the order of their file.
#[derive(Clone, Debug)]
pub struct Policy {
    admins: Vec<Subject>,
    exact: Vec<Subject>,
    rules: Vec<Rule>,
    digest: String,
}

#[derive(Clone, Debug)]
struct Rule {
    effect: Effect,
    to: Vec<Subject>,
    selector: Selector,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effect {
    Allow,
    Deny,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Subject {
    User(String),
    Group(String),
    Role(String),
    Scope(String),
    Tenant(String),
    Service(String),
    Everyone,
}

/// The rules that decide about one tool for one principal. It is seen where some rule allows it and none denies it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct RulesFor {
    /// Positions of the rules that allow it; the first rule of the file is 1.
    pub allowed_by: Vec<usize>,
    /// Positions of the rules that deny it.
    pub denied_by: Vec<usize>,
}

impl Policy {
    /// Reads a policy's text.
    ///
    /// # Errors
    /// [`PolicyError`] names the rule and says what to write instead.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        file::parse(text)
    }

    /// Reads a policy file.
    ///
    /// # Errors
    /// [`PolicyError`], with the file's name.
    pub fn load(path: &Path) -> Result<Self, PolicyError> {
        file::load(path)
    }

    /// The policy without rules: nobody sees anything.
    pub fn nothing() -> Self {
        Self { admins: Vec::new(), exact: Vec::new(), rules: Vec::new(), digest: "none".to_owned() }
    }

    /// What the principal may see.
    pub fn grant(&self, principal: &Principal) -> Grant {
        let selectors = |effect: Effect| {
            let concerning = |rule: &&Rule| rule.effect == effect && rule.concerns(principal);
            self.rules.iter().filter(concerning).map(|rule| rule.selector.clone()).collect()
        };
        Grant::new(selectors(Effect::Allow), selectors(Effect::Deny), principal.scopes.clone())
    }

    /// Whether the principal may ask at the admin doors, which look past every grant.
    pub fn is_admin(&self, principal: &Principal) -> bool {
        self.admins.iter().any(|admin| admin.includes(principal, Effect::Allow))
    }

    /// Whether the principal's searches compare every vector, so that no answer misses a neighbour.
    pub fn is_exact(&self, principal: &Principal) -> bool {
        self.exact.iter().any(|to| to.includes(principal, Effect::Allow))
    }

    /// Which rules decide about one tool for the principal, by their positions in the file; the first is 1.
    pub fn rules_for(&self, principal: &Principal, tool: &Tool) -> RulesFor {
        let deciding = |effect: Effect| {
            let decides = |rule: &Rule| {
                rule.effect == effect && rule.concerns(principal) && rule.selector.picks(tool, &principal.scopes)
            };
            (1..).zip(&self.rules).filter(|(_, rule)| decides(rule)).map(|(number, _)| number).collect()
        };
        RulesFor { allowed_by: deciding(Effect::Allow), denied_by: deciding(Effect::Deny) }
    }

    /// How many rules it has.
    pub fn n_rules(&self) -> usize {
        self.rules.len()
    }

    /// The version: SHA-256 of its text in hexadecimal, or `none` for [`Policy::nothing`].
    pub fn digest(&self) -> &str {
        &self.digest
    }
}

impl Rule {
    fn concerns(&self, principal: &Principal) -> bool {
        self.to.iter().any(|to| to.includes(principal, self.effect))
    }
}

impl Subject {
    fn includes(&self, principal: &Principal, effect: Effect) -> bool {
        match self {
            Self::User(user) => principal.user == *user,
            Self::Group(group) => principal.groups.contains(group),
            Self::Role(role) => principal.roles.contains(role),
            Self::Tenant(tenant) => principal.tenant.as_ref() == Some(tenant),
            // What a service may see for itself is nothing that it may see for a user.
            Self::Service(service) => {
                principal.service.as_ref() == Some(service) && (effect == Effect::Deny || principal.user.is_empty())
            }
            Self::Scope(scope) => principal.scopes.contains(scope),
            Self::Everyone => true,
        }
    }
}
