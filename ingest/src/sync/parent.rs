//! [`Parent`]: the generation that serves while the next is made.

use std::collections::BTreeMap;

use shortlist_index::{DeltaCounts, Embedder, Snapshot, SourceReport, Store, StoreError, Tool, ToolRef};

use super::delta::Delta;
use super::error::SyncError;
use super::reading::Reading;
use crate::source::Source;

/// The generation that serves, where there is one.
pub(super) struct Parent {
    pub(super) snapshot: Option<Snapshot>,
    /// Newer generations that did not open, with the reason.
    refused: Vec<String>,
}

impl Parent {
    /// Opens what serves. A store whose generations are all damaged is like an empty one: reading the sources again is
    /// how it heals.
    pub(super) fn open(store: &Store) -> Result<Self, SyncError> {
        match store.open_current() {
            Ok(opened) => Ok(Self {
                refused: opened
                    .refused
                    .iter()
                    .map(|(number, why)| format!("generation {number} was refused: {why}"))
                    .collect(),
                snapshot: Some(opened.snapshot),
            }),
            Err(StoreError::Empty(_)) => Ok(Self { snapshot: None, refused: Vec::new() }),
            Err(error @ (StoreError::NoneOpens { .. } | StoreError::Gone { .. })) => {
                Ok(Self { snapshot: None, refused: vec![error.to_string()] })
            }
            Err(error) => Err(error.into()),
        }
    }

    pub(super) fn warnings(&self) -> Vec<String> {
        self.refused.clone()
    }

    pub(super) fn number(&self) -> Option<u64> {
        self.snapshot.as_ref().map(Snapshot::number)
    }

    pub(super) fn reports(&self) -> Option<&BTreeMap<String, SourceReport>> {
        self.snapshot.as_ref().map(|snapshot| &snapshot.manifest().sources)
    }

    /// The tools that a source has in the parent.
    pub(super) fn tools_of(&self, name: &str) -> Vec<Tool> {
        self.snapshot.iter().flat_map(|snapshot| snapshot.tools_of(name)).collect()
    }

    /// Their refs alone. Costs a pass over the refs of all sources.
    pub(super) fn refs_of(&self, name: &str) -> Vec<ToolRef> {
        let hashes = self.snapshot.iter().flat_map(|snapshot| snapshot.content_hashes());
        hashes.map(|(reference, _)| reference).filter(|reference| reference.source() == name).collect()
    }

    /// What the parent says of a source.
    pub(super) fn report(&self, name: &str) -> Option<&SourceReport> {
        self.reports()?.get(name)
    }

    /// What is known of a source from its last complete pass, of whatever kind it was then. A source that was never read
    /// is not known.
    pub(super) fn known(&self, source: &dyn Source) -> Option<&SourceReport> {
        self.report(source.name()).filter(|report| report.read_unix_s > 0)
    }

    /// The generation that a delta can be laid over: this one, if the vectors are the model's and base and delta together
    /// stay within `percent_max` of each other.
    pub(super) fn base_for(&self, delta: &Delta, embedder: &dyn Embedder, percent_max: usize) -> Option<&Snapshot> {
        let snapshot = self.snapshot.as_ref().filter(|_| self.refused.is_empty())?;
        let manifest = snapshot.manifest();
        let same_model = manifest.embedder == *embedder.fingerprint() && manifest.dimension == embedder.dimension();
        let before = manifest.delta.unwrap_or(DeltaCounts { n_base: manifest.n_tools, ..DeltaCounts::default() });
        let n_moved = before.n_hidden.max(before.n_delta) + delta.n_moved();
        (same_model && n_moved * 100 <= before.n_base * percent_max).then_some(snapshot)
    }

    /// All tools of the next generation: those that were read, and the parent's where a source was not.
    pub(super) fn all_tools(&self, readings: &mut BTreeMap<String, Reading>) -> Vec<Tool> {
        let mut tools = Vec::new();
        for (name, reading) in readings {
            match reading.keeps_the_parents() {
                true => tools.extend(self.tools_of(name)),
                false => tools.append(&mut reading.tools),
            }
        }
        tools
    }

    /// Whether a generation of these readings would say what the parent says. Bookmarks and times of reading do not count:
    /// they are not worth a build, and a source that is asked with an old bookmark answers as well. Nor does a source that
    /// has just failed; but one that the parent calls stale and that is read again deserves to be called well.
    pub(super) fn is_what_would_be_built(
        &self,
        readings: &BTreeMap<String, Reading>,
        delta: &Delta,
        embedder: &dyn Embedder,
    ) -> bool {
        let Some(snapshot) = self.snapshot.as_ref().filter(|_| self.refused.is_empty()) else { return false };
        let manifest = snapshot.manifest();
        let told = |report: &SourceReport| SourceReport {
            state: BTreeMap::new(),
            read_unix_s: 0,
            stale: None,
            ..report.clone()
        };
        delta.is_empty()
            && manifest.embedder == *embedder.fingerprint()
            && manifest.dimension == embedder.dimension()
            && manifest.sources.len() == readings.len()
            && manifest.sources.iter().all(|(name, report)| {
                readings.get(name).is_some_and(|reading| {
                    let recovered = report.stale.is_some() && reading.report.stale.is_none();
                    !recovered && told(&reading.report) == told(report)
                })
            })
    }
}
