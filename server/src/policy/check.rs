//! [`check`]: what in a good policy is probably not meant.

use std::collections::BTreeMap;

use serde::Serialize;
use shortlist_index::{Grant, Picked, Selector, Snapshot};

use super::Policy;
use super::rule::{Effect, Rule, RuleName, Subject};

/// Something that a reviewer should look at. The policy is in force all the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// `selects_nothing`, `shadowed`, `allows_everything`, `repeated_subject`, `needless_subject` or `repeated_rule`.
    pub kind: &'static str,
    /// The rule; `None` where it is about `admins`.
    pub rule: Option<RuleName>,
    /// A sentence.
    pub text: String,
}

/// Looks for rules that do nothing or too much. Without a generation, only for what the text alone shows. Costs the
/// selection of every rule.
pub fn check(policy: &Policy, snapshot: Option<&Snapshot>) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(repeated(&policy.admins).map(|text| Finding { kind: "repeated_subject", rule: None, text }));
    let mut said = BTreeMap::new();
    let mut denied = BTreeMap::new();
    for rule in &policy.rules {
        let mut find = |kind, text| findings.push(Finding { kind, rule: Some(rule.name.clone()), text });
        if let Some(text) = repeated(&rule.to) {
            find("repeated_subject", text);
        }
        if rule.to.len() > 1 && rule.to.contains(&Subject::Everyone) {
            find("needless_subject", "`to` names everyone, so the others in it make no difference".to_owned());
        }
        if let Some(first) = said.insert(format!("{:?}", (rule.effect, &rule.to, &rule.selector)), &rule.name) {
            find("repeated_rule", format!("it says the same as {first}"));
        }
        // Whose scopes are held is another for each asker: what the rule may select for somebody.
        let widest = Selector { scopes_held: false, ..rule.selector.clone() };
        let picked = snapshot.map(|snapshot| (snapshot, picked(snapshot, vec![widest])));
        if picked.as_ref().is_some_and(|(_, picked)| picked.is_empty()) {
            find("selects_nothing", "it selects no tool of the catalog that serves".to_owned());
            continue;
        }
        if rule.effect == Effect::Deny {
            continue;
        }
        let every_tool = match &picked {
            Some((snapshot, picked)) => !rule.selector.scopes_held && picked.len() == snapshot.n_tools() as u64,
            None => selects_everything(&rule.selector),
        };
        if every_tool && rule.to.contains(&Subject::Everyone) {
            find("allows_everything", "it allows every tool to everyone; what is not meant so needs a deny".to_owned());
        }
        if let Some((snapshot, picked)) = &picked {
            let is_denied = |subject: &&Subject| {
                let denies = || self::picked(snapshot, denies_to(policy, subject));
                picked.is_within(denied.entry((*subject).clone()).or_insert_with(denies))
            };
            let shut: Vec<String> = rule.to.iter().filter(is_denied).map(ToString::to_string).collect();
            if !shut.is_empty() {
                let whom =
                    if shut.len() == rule.to.len() { "everybody it concerns".to_owned() } else { shut.join(", ") };
                find("shadowed", format!("other rules deny all that it allows, to {whom}"));
            }
        }
    }
    findings
}

fn picked(snapshot: &Snapshot, selectors: Vec<Selector>) -> Picked {
    snapshot.picked(&Grant::new(selectors, Vec::new(), Default::default()))
}

/// What is denied to somebody who is this and nothing else, whatever scopes they hold.
fn denies_to(policy: &Policy, subject: &Subject) -> Vec<Selector> {
    let principal = subject.alone();
    let denies = |rule: &&Rule| rule.effect == Effect::Deny && !rule.selector.scopes_held && rule.concerns(&principal);
    policy.rules.iter().filter(denies).map(|rule| rule.selector.clone()).collect()
}

/// Whether a selector picks every tool of every catalog.
fn selects_everything(selector: &Selector) -> bool {
    let Selector { refs, namespaces, sources, tags, required_scopes, scopes_held, annotations } = selector;
    let any = |list: &[shortlist_index::Pattern]| list.is_empty() || list.iter().any(|pattern| pattern.as_str() == "*");
    let asks_more =
        !tags.is_empty() || !required_scopes.is_empty() || *scopes_held || *annotations != Default::default();
    !asks_more && [refs, namespaces, sources].into_iter().all(|list| any(list))
}

fn repeated(subjects: &[Subject]) -> Option<String> {
    let mut seen = std::collections::BTreeSet::new();
    let twice: Vec<String> =
        subjects.iter().filter(|&subject| !seen.insert(subject)).map(ToString::to_string).collect();
    (!twice.is_empty()).then(|| format!("it names {} more than once", twice.join(", ")))
}
