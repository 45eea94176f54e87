//! [`diff`]: who gains and who loses tools when one policy follows another.

use std::collections::BTreeSet;

use shortlist_index::{Snapshot, ToolRef};

use super::Policy;
use super::rule::Subject;
use crate::principal::Principal;

/// What a change of policy does to somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Who, such as `group:office`.
    pub who: String,
    /// Tools that they saw before, in all versions.
    pub n_before: u64,
    /// Tools that they see afterwards.
    pub n_after: u64,
    /// Tools that they see afterwards and did not before, in ref order.
    pub gained: Vec<ToolRef>,
    /// Tools that they saw before and do not afterwards.
    pub lost: Vec<ToolRef>,
}

/// Compares what is seen in a catalog: by everyone, by each subject that a rule of either policy names (somebody who is
/// that and nothing else), and by each of `more`. All of them are given, changed or not.
pub fn diff(before: &Policy, after: &Policy, more: &[(String, Principal)], snapshot: &Snapshot) -> Vec<Change> {
    let rules = before.rules.iter().chain(&after.rules);
    let mut subjects: BTreeSet<&Subject> = rules.flat_map(|rule| &rule.to).collect();
    subjects.insert(&Subject::Everyone);
    let subjects = subjects.into_iter().map(|subject| (subject.to_string(), subject.alone()));
    subjects
        .chain(more.iter().cloned())
        .map(|(who, principal)| {
            let [seen_before, seen_after] = [before, after].map(|policy| snapshot.picked(&policy.grant(&principal)));
            Change {
                who,
                n_before: seen_before.len(),
                n_after: seen_after.len(),
                gained: snapshot.refs(&seen_after.without(&seen_before)).collect(),
                lost: snapshot.refs(&seen_before.without(&seen_after)).collect(),
            }
        })
        .collect()
}
