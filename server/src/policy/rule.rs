//! [`Rule`]: one rule of a policy, understood; and whom it concerns.

use std::fmt;

use serde::{Deserialize, Serialize};
use shortlist_index::{Annotations, Pattern, Selector};
use utoipa::ToSchema;

use super::written::{WrittenRule, check_note};
use crate::limits::POLICY_LIST_MAX;
use crate::principal::Principal;

/// One rule. Prints in words: `allows group:office: namespaces drive, calendar*; read_only`.
#[derive(Clone, Debug)]
pub struct Rule {
    pub(super) name: RuleName,
    pub(super) effect: Effect,
    pub(super) to: Vec<Subject>,
    pub(super) selector: Selector,
    pub(super) note: Option<String>,
}

/// Whether a rule allows or denies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// The tools are seen, where nothing denies them.
    Allow,
    /// The tools are not seen.
    Deny,
}

/// Which rule is meant: by its place in the policy's file, the first is 1, or by the id that it was given at run time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(untagged)]
pub enum RuleName {
    /// A rule of the file.
    File(usize),
    /// A rule that was added at run time.
    RunTime(String),
}

/// Whom a rule concerns.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Subject {
    Everyone,
    User(String),
    Group(String),
    Role(String),
    Scope(String),
    Tenant(String),
    Service(String),
}

impl Rule {
    /// Understands a rule. The error says what is wrong and what to write.
    pub(super) fn new(name: RuleName, written: WrittenRule) -> Result<Self, String> {
        let WrittenRule { effect, to, refs, namespaces, sources, tags, required_scopes, .. } = written;
        let WrittenRule { scopes_held, read_only, destructive, idempotent, open_world, note, .. } = written;
        if to.is_empty() {
            return Err(r#"`to` is empty; write whom it concerns, such as to = ["everyone"]"#.to_owned());
        }
        let annotations = Annotations { read_only, destructive, idempotent, open_world };
        let lists = [&refs, &namespaces, &sources, &tags, &required_scopes];
        if lists.iter().all(|list| list.is_none()) && !scopes_held && annotations == Annotations::default() {
            // An absent selector never means permission: "every tool" has to be written.
            return Err(r#"it selects nothing; write refs = ["*"] if it is meant for every tool"#.to_owned());
        }
        let lengths = lists.iter().filter_map(|list| Some(list.as_ref()?.len()));
        if lengths.chain([to.len()]).any(|length| length > POLICY_LIST_MAX) {
            return Err(format!(
                "a list has more than the {POLICY_LIST_MAX} entries allowed; use patterns or another rule"
            ));
        }
        check_note(note.as_ref())?;
        Ok(Self {
            name,
            effect,
            to: to.iter().map(|to| Subject::new(to)).collect::<Result<_, _>>()?,
            selector: Selector {
                refs: patterns("refs", refs)?,
                namespaces: patterns("namespaces", namespaces)?,
                sources: patterns("sources", sources)?,
                tags: patterns("tags", tags)?,
                required_scopes: patterns("required_scopes", required_scopes)?,
                scopes_held,
                annotations,
            },
            note,
        })
    }

    /// Which rule it is.
    pub fn name(&self) -> &RuleName {
        &self.name
    }

    /// Why it is there, in its author's words.
    pub fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }

    /// How many bytes what it selects takes in a grant. The texts of its patterns are shared.
    pub(super) fn selector_bytes(&self) -> usize {
        let Selector { refs, namespaces, sources, tags, required_scopes, .. } = &self.selector;
        let n_patterns: usize = [refs, namespaces, sources, tags, required_scopes].map(Vec::len).iter().sum();
        size_of::<Selector>() + n_patterns * size_of::<Pattern>()
    }

    pub(super) fn concerns(&self, principal: &Principal) -> bool {
        self.to.iter().any(|to| to.includes(principal, self.effect))
    }
}

impl Subject {
    pub(super) fn new(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some((_, "")) => Err(format!("{text:?} names nobody after the colon")),
            Some(("user", user)) => Ok(Self::User(user.to_owned())),
            Some(("group", group)) => Ok(Self::Group(group.to_owned())),
            Some(("role", role)) => Ok(Self::Role(role.to_owned())),
            Some(("tenant", tenant)) => Ok(Self::Tenant(tenant.to_owned())),
            Some(("scope", scope)) => Ok(Self::Scope(scope.to_owned())),
            Some(("service", service)) => Ok(Self::Service(service.to_owned())),
            _ if text == "everyone" => Ok(Self::Everyone),
            _ => {
                let text: String = text.chars().take(80).collect();
                let known = r#""user:…", "group:…", "role:…", "tenant:…", "scope:…", "service:…" and "everyone""#;
                Err(format!("`to` takes {known}, not {text:?}"))
            }
        }
    }

    pub(super) fn includes(&self, principal: &Principal, effect: Effect) -> bool {
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

    /// Somebody who is this and nothing else.
    pub(super) fn alone(&self) -> Principal {
        let nobody = Principal::default();
        match self {
            Self::User(user) => Principal::user(user),
            Self::Group(group) => nobody.with_groups([group]),
            Self::Role(role) => nobody.with_roles([role]),
            Self::Tenant(tenant) => nobody.of_tenant(tenant),
            Self::Scope(scope) => nobody.with_scopes([scope]),
            Self::Service(service) => Principal::service(service),
            Self::Everyone => nobody,
        }
    }
}

fn patterns(key: &str, list: Option<Vec<String>>) -> Result<Vec<Pattern>, String> {
    let Some(list) = list else { return Ok(Vec::new()) };
    if list.is_empty() {
        return Err(format!("`{key}` is an empty list; leave it out if it does not matter"));
    }
    list.iter().map(|glob| Pattern::new(glob).map_err(|error| format!("`{key}`: {error}"))).collect()
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let to: Vec<String> = self.to.iter().map(ToString::to_string).collect();
        let verb = match self.effect {
            Effect::Allow => "allows",
            Effect::Deny => "denies",
        };
        let Selector { refs, namespaces, sources, tags, required_scopes, scopes_held, annotations } = &self.selector;
        let lists = [
            ("refs", refs),
            ("namespaces", namespaces),
            ("sources", sources),
            ("tags", tags),
            ("required scopes", required_scopes),
        ];
        let list = |(key, patterns): (&str, &Vec<Pattern>)| {
            let patterns: Vec<&str> = patterns.iter().map(Pattern::as_str).collect();
            (!patterns.is_empty()).then(|| format!("{key} {}", patterns.join(", ")))
        };
        let claims = annotations.named();
        let claim = |(name, claim): (&str, Option<bool>)| claim.map(|claim| format!("{name} = {claim}"));
        let held = scopes_held.then(|| "required scopes held".to_owned());
        let parts: Vec<String> =
            lists.into_iter().filter_map(list).chain(held).chain(claims.into_iter().filter_map(claim)).collect();
        write!(f, "{verb} {}: {}", to.join(", "), parts.join("; "))
    }
}

impl fmt::Display for RuleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(place) => write!(f, "rule {place}"),
            Self::RunTime(id) => write!(f, "run-time rule {id}"),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, name) = match self {
            Self::User(name) => ("user", name),
            Self::Group(name) => ("group", name),
            Self::Role(name) => ("role", name),
            Self::Scope(name) => ("scope", name),
            Self::Tenant(name) => ("tenant", name),
            Self::Service(name) => ("service", name),
            Self::Everyone => return f.write_str("everyone"),
        };
        write!(f, "{kind}:{name}")
    }
}
