//! [`Policy`]: which principals may see which tools. Default deny; deny wins.
//!
//! A policy is a file of rules, in TOML or, of the same shape, in JSON; [`schema`] is its JSON Schema:
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
//! there is none. Whose searches are to compare every vector, where sketches may hide one, is named in `exact` likewise
//! (`everyone` is possible there).
//!
//! `to` names `user:…`, `group:…`, `role:…`, `tenant:…`, `scope:…` (whoever holds it), `service:…` or `everyone`; these are
//! exact. What a rule selects is
//! `refs`, `namespaces`, `sources`, `tags`, `required_scopes` (lists of patterns with `*`), `scopes_held`, `read_only`,
//! `destructive`, `idempotent` and `open_world`: every one that is written must match, and within a list any entry is enough.
//!
//! To the file's rules come those that admins add while the server runs: the run-time rules of the home. They cannot change
//! who is an admin.

mod rule;
mod written;

mod file;
mod run_time;
mod versions;

mod granted;
mod in_force;
mod store;

mod check;
mod diff;

use std::fmt;
use std::path::Path;

use serde::Serialize;
use shortlist_index::{Grant, Pattern, Tool};
use utoipa::ToSchema;

use crate::principal::Principal;
use rule::Subject;
use run_time::RunTimeRules;
use versions::Versions;

pub use check::{Finding, check};
pub use diff::{Change, diff};
pub use file::PolicyError;
pub use rule::{Effect, Rule, RuleName};
pub use versions::RunTimeError;
pub use written::{WrittenRule, schema};

pub(crate) use granted::Granted;
pub(crate) use in_force::{FileState, InForce};
pub(crate) use run_time::{Made, RunTimeRule, VersionRow};
pub(crate) use store::{ChangeError, Policies, Request};

/// Rules in the order of their file, then those that were added at run time.
#[derive(Clone, Debug)]
pub struct Policy {
    admins: Vec<Subject>,
    exact: Vec<Subject>,
    rules: Vec<Rule>,
    /// Of the file's text.
    digest: String,
    /// The version of the rules that were added at run time; `None` without any.
    run_time: Option<String>,
}

/// The rules that decide about one tool for one principal. It is seen where some rule allows it and none denies it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct RulesFor {
    /// The rules that allow it, by their positions in the file (the first is 1) or their ids.
    pub allowed_by: Vec<RuleName>,
    /// The rules that deny it.
    pub denied_by: Vec<RuleName>,
}

/// Half a sentence: `denied by rule 3, and no rule allows it`.
impl fmt::Display for RulesFor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |rules: &[RuleName]| rules.iter().map(RuleName::to_string).collect::<Vec<_>>().join(", ");
        match (self.allowed_by.as_slice(), self.denied_by.as_slice()) {
            ([], []) => f.write_str("no rule allows it"),
            (allowed, []) => write!(f, "allowed by {}, and no rule denies it", list(allowed)),
            ([], denied) => write!(f, "denied by {}, and no rule allows it", list(denied)),
            (allowed, denied) => write!(f, "denied by {}, though allowed by {}", list(denied), list(allowed)),
        }
    }
}

/// What these rules give the principal whom they concern.
fn grant_of(rules: &[&Rule], principal: &Principal) -> Grant {
    let selectors =
        |effect| rules.iter().filter(|rule| rule.effect == effect).map(|rule| rule.selector.clone()).collect();
    Grant::new(selectors(Effect::Allow), selectors(Effect::Deny), principal.scopes.clone())
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
        Self { admins: Vec::new(), exact: Vec::new(), rules: Vec::new(), digest: "none".to_owned(), run_time: None }
    }

    /// The policy in force over a home: the file's rules and those that were added at run time.
    ///
    /// # Errors
    /// When either cannot be read; then nothing may be shown.
    pub fn in_force(file: &Path, home: &Path) -> Result<Self, PolicyError> {
        let policy = Self::load(file)?;
        let rules = Versions::of(home).newest().map_err(|source| PolicyError::RunTime(Box::new(source)))?;
        Ok(policy.with(&rules))
    }

    /// With the rules that were added at run time.
    pub(crate) fn with(mut self, run_time: &RunTimeRules) -> Self {
        self.rules.extend(run_time.understood().iter().cloned());
        self.run_time = run_time.tag();
        self
    }

    /// Without its rules, for where it is not known what they are. Its admins still are, so that they can mend it.
    pub(crate) fn shut(mut self) -> Self {
        self.rules.clear();
        self.run_time = Some("refused".to_owned());
        self
    }

    /// What the principal may see.
    pub fn grant(&self, principal: &Principal) -> Grant {
        grant_of(&self.concerning(principal).collect::<Vec<_>>(), principal)
    }

    fn concerning(&self, principal: &Principal) -> impl Iterator<Item = &Rule> {
        self.rules.iter().filter(move |rule| rule.concerns(principal))
    }

    /// Whether the principal may ask at the admin doors, which look past every grant.
    pub fn is_admin(&self, principal: &Principal) -> bool {
        self.admins.iter().any(|admin| admin.includes(principal, Effect::Allow))
    }

    /// Whether the principal's searches compare every vector, so that no answer misses a neighbour.
    pub fn is_exact(&self, principal: &Principal) -> bool {
        self.exact.iter().any(|to| to.includes(principal, Effect::Allow))
    }

    /// Which rules decide about one tool for the principal.
    pub fn rules_for(&self, principal: &Principal, tool: &Tool) -> RulesFor {
        let deciding = |effect: Effect| {
            let decides = |rule: &&Rule| {
                rule.effect == effect && rule.concerns(principal) && rule.selector.picks(tool, &principal.scopes)
            };
            self.rules.iter().filter(decides).map(|rule| rule.name.clone()).collect()
        };
        RulesFor { allowed_by: deciding(Effect::Allow), denied_by: deciding(Effect::Deny) }
    }

    /// All rules: the file's in their order, then those that were added at run time.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The patterns over refs of all rules.
    pub(crate) fn ref_patterns(&self) -> impl Iterator<Item = &Pattern> {
        self.rules.iter().flat_map(|rule| &rule.selector.refs)
    }

    /// How many rules it has.
    pub fn n_rules(&self) -> usize {
        self.rules.len()
    }

    /// SHA-256 of the file's text in hexadecimal, or `none` for [`Policy::nothing`].
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The version of all of it, such as `3f2a9c1b04de+12.9b01cc2e`: the beginning of the file's digest, the number of the
    /// last change at run time and the beginning of what it left behind. Equal versions, equal rules.
    pub fn version(&self) -> String {
        let file: String = self.digest.chars().take(12).collect();
        format!("{file}+{}", self.run_time.as_deref().unwrap_or("0"))
    }
}
