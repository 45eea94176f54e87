//! [`Delta`]: what is new, changed or gone, by content hash.

use std::collections::{BTreeMap, HashMap};

use shortlist_index::{ContentHash, ToolRef};

use super::parent::Parent;
use super::reading::Reading;

/// Counts of one source against the parent generation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SourceDelta {
    pub(super) n_added: u64,
    pub(super) n_changed: u64,
    pub(super) n_removed: u64,
    pub(super) n_unchanged: u64,
}

/// The whole catalog against the parent generation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Delta {
    pub(super) sources: BTreeMap<String, SourceDelta>,
    /// Sources that are gone from the configuration, with how many tools each had.
    pub(super) removed_sources: BTreeMap<String, u64>,
}

impl Delta {
    /// Whether the tools are the parent's.
    pub(super) fn is_empty(&self) -> bool {
        self.removed_sources.is_empty()
            && self.sources.values().all(|d| (d.n_added, d.n_changed, d.n_removed) == (0, 0, 0))
    }
}

/// Compares, in one pass over the parent, and gives unread sources their tools of the parent.
pub(super) fn compare(parent: &Parent, readings: &mut BTreeMap<String, Reading>) -> Delta {
    let mut delta = Delta::default();
    let mut known: HashMap<ToolRef, ContentHash> = HashMap::new();
    for name in parent.reports().into_iter().flat_map(BTreeMap::keys) {
        if !readings.contains_key(name) {
            delta.removed_sources.insert(name.clone(), 0);
        }
    }
    for tool in parent.snapshot.iter().flat_map(|snapshot| snapshot.tools()) {
        match readings.get_mut(tool.reference.source()) {
            Some(reading) if reading.keeps_the_parents() => reading.tools.push(tool),
            Some(_) => {
                known.insert(tool.reference.clone(), tool.content_hash());
            }
            None => *delta.removed_sources.entry(tool.reference.source().to_owned()).or_default() += 1,
        }
    }
    for (name, reading) in readings.iter() {
        let counts = delta.sources.entry(name.clone()).or_default();
        if reading.keeps_the_parents() {
            counts.n_unchanged = reading.tools.len() as u64;
            continue;
        }
        for tool in &reading.tools {
            match known.remove(&tool.reference) {
                None => counts.n_added += 1,
                Some(hash) if hash == tool.content_hash() => counts.n_unchanged += 1,
                Some(_) => counts.n_changed += 1,
            }
        }
    }
    for reference in known.keys() {
        delta.sources.entry(reference.source().to_owned()).or_default().n_removed += 1;
    }
    delta
}
