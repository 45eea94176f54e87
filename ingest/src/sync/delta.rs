//! [`Delta`]: what is new, changed or gone, by content hash.

use std::collections::{BTreeMap, HashMap};

use shortlist_index::{ContentHash, Tool, ToolRef};

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
    /// Of each source, the places in its reading of the tools that are new or changed.
    changed: BTreeMap<String, Vec<usize>>,
    /// Tools that are gone.
    removed: Vec<ToolRef>,
}

impl Delta {
    /// Whether the tools are the parent's.
    pub(super) fn is_empty(&self) -> bool {
        self.removed_sources.is_empty() && self.n_moved() == 0
    }

    /// How many tools are not what they were.
    pub(super) fn n_moved(&self) -> usize {
        self.changed.values().map(Vec::len).sum::<usize>() + self.removed.len()
    }

    /// Takes the tools that are new or changed out of the readings, and the refs of those that are gone.
    pub(super) fn into_parts(self, readings: &mut BTreeMap<String, Reading>) -> (Vec<Tool>, Vec<ToolRef>) {
        let mut changed = Vec::new();
        for (name, places) in self.changed {
            let Some(reading) = readings.get_mut(&name) else { continue };
            let mut places = places.into_iter().peekable();
            let tools = std::mem::take(&mut reading.tools).into_iter().enumerate();
            changed.extend(tools.filter(|(place, _)| places.next_if_eq(place).is_some()).map(|(_, tool)| tool));
        }
        (changed, self.removed)
    }
}

/// Compares, in one pass over the parent's refs and hashes. The tools of unread sources are the parent's and are not looked
/// at.
pub(super) fn compare(parent: &Parent, readings: &BTreeMap<String, Reading>) -> Delta {
    let mut delta = Delta::default();
    let mut known: HashMap<ToolRef, ContentHash> = HashMap::new();
    for name in parent.reports().into_iter().flat_map(BTreeMap::keys) {
        if !readings.contains_key(name) {
            delta.removed_sources.insert(name.clone(), 0);
        }
    }
    for name in readings.keys() {
        delta.sources.insert(name.clone(), SourceDelta::default());
    }
    for (reference, hash) in parent.snapshot.iter().flat_map(|snapshot| snapshot.content_hashes()) {
        match readings.get(reference.source()) {
            Some(reading) if reading.keeps_the_parents() => {
                delta.sources.entry(reference.source().to_owned()).or_default().n_unchanged += 1;
            }
            Some(_) => drop(known.insert(reference, hash)),
            None => {
                *delta.removed_sources.entry(reference.source().to_owned()).or_default() += 1;
                delta.removed.push(reference);
            }
        }
    }
    for (name, reading) in readings.iter().filter(|(_, reading)| !reading.keeps_the_parents()) {
        let counts = delta.sources.entry(name.clone()).or_default();
        let mut changed = Vec::new();
        for (place, tool) in reading.tools.iter().enumerate() {
            match known.remove(&tool.reference) {
                Some(hash) if hash == tool.content_hash() => {
                    counts.n_unchanged += 1;
                    continue;
                }
                Some(_) => counts.n_changed += 1,
                None => counts.n_added += 1,
            }
            changed.push(place);
        }
        delta.changed.insert(name.clone(), changed);
    }
    for reference in known.into_keys() {
        delta.sources.entry(reference.source().to_owned()).or_default().n_removed += 1;
        delta.removed.push(reference);
    }
    delta
}
