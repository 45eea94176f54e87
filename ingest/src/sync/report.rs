//! [`SyncReport`]: what a pass did.

use std::collections::BTreeMap;

use serde::Serialize;
use shortlist_index::{Health, Rejection};

use super::delta::Delta;
use super::reading::Reading;

/// The most rejections of one source that a report repeats.
const REJECTIONS_TOLD_MAX: usize = 1_000;

/// What a pass did.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SyncReport {
    /// The generation that serves now.
    pub generation: u64,
    /// Whether this pass made it; `false` when nothing had changed.
    pub published: bool,
    /// Whether it was made as a delta over the base of the one before, rather than built whole.
    pub is_delta: bool,
    /// The sources by name.
    pub sources: BTreeMap<String, SourceSync>,
    /// Sources that are no longer configured, with how many tools went with each.
    pub removed_sources: BTreeMap<String, u64>,
    /// Texts that were embedded; all others came from the cache.
    pub n_embedded: usize,
    /// Size of the new generation's files; 0 when none was made.
    pub bytes: u64,
    /// Each step with its seconds, in order.
    pub seconds: Vec<(String, f64)>,
    /// What did not stop the pass and should be looked at.
    pub warnings: Vec<String>,
}

/// One source in a pass. Complete: `n_searchable` = `n_ingested` - `n_rejected` - `n_pending`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SourceSync {
    /// The kind of source.
    pub source_type: String,
    /// How its reading ended.
    pub outcome: Outcome,
    /// Whether it was read to its end, in this pass or an earlier one; one that never was has no tools in the generation.
    pub was_read: bool,
    /// Records it gave, in this pass or the last complete one.
    pub n_ingested: u64,
    /// Of these, those that became no tool.
    pub n_rejected: u64,
    /// Of these, those that are not searchable until an operator approves their text.
    pub n_pending: u64,
    /// Of these, those that are tools of the generation.
    pub n_searchable: u64,
    /// Of the searchable, those that are deprecated.
    pub n_deprecated: u64,
    /// Of the searchable, those that serve at their approved text while another one is not approved.
    pub n_kept: u64,
    /// Of the searchable, those whose prose lost characters that cannot be seen.
    pub n_touched: u64,
    /// How many such characters.
    pub n_stripped: u64,
    /// The first 1,000 rejections, with their reasons; the generation keeps them all.
    pub rejections: Vec<Rejection>,
    /// Tools that the generation before did not have.
    pub n_added: u64,
    /// Tools that say something else than before.
    pub n_changed: u64,
    /// Tools that are gone.
    pub n_removed: u64,
    /// Tools that are what they were.
    pub n_unchanged: u64,
}

/// How the reading of a source ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was read to its end.
    Read,
    /// It said that nothing changed.
    Unchanged,
    /// It was not read in this pass, for it was not its turn.
    NotDue,
    /// It could not be read, for this reason; its last good tools are kept.
    Stale(String),
    /// It was read and lost more of its tools than is allowed; those it had are kept until an operator says otherwise.
    HeldBack {
        /// Tools it had.
        had: u64,
        /// Tools it came with.
        has: u64,
    },
    /// It could not be read, for this reason, and never was before.
    Failed(String),
}

impl Outcome {
    /// What it says of the source's health; `None` where the source was not read.
    pub fn health(&self) -> Option<Health> {
        match self {
            Self::Read | Self::Unchanged => Some(Health::Ok),
            Self::NotDue => None,
            Self::Stale(_) => Some(Health::Stale),
            Self::HeldBack { .. } => Some(Health::HeldBack),
            Self::Failed(_) => Some(Health::Failed),
        }
    }
}

impl SyncReport {
    pub(super) fn new(readings: &BTreeMap<String, Reading>, delta: &Delta) -> Self {
        let source = |(name, reading): (&String, &Reading)| {
            let counts = delta.sources.get(name).copied().unwrap_or_default();
            let report = &reading.report;
            let sync = SourceSync {
                source_type: report.source_type.clone(),
                outcome: reading.outcome.clone(),
                was_read: report.read_unix_s > 0,
                n_ingested: report.n_ingested,
                n_rejected: report.n_rejected,
                n_searchable: report.n_searchable,
                n_deprecated: report.n_deprecated,
                n_pending: report.n_pending,
                n_kept: report.n_kept,
                n_touched: report.n_touched,
                n_stripped: report.n_stripped,
                rejections: report.rejections.iter().take(REJECTIONS_TOLD_MAX).cloned().collect(),
                n_added: counts.n_added,
                n_changed: counts.n_changed,
                n_removed: counts.n_removed,
                n_unchanged: counts.n_unchanged,
            };
            (name.clone(), sync)
        };
        Self {
            generation: 0,
            published: false,
            is_delta: false,
            sources: readings.iter().map(source).collect(),
            removed_sources: delta.removed_sources.clone(),
            n_embedded: 0,
            bytes: 0,
            seconds: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Tools of the generation, over all sources.
    pub fn n_tools(&self) -> u64 {
        self.sources.values().map(|source| source.n_searchable).sum()
    }

    /// Whether a source could not be read in this pass, or was held back.
    pub fn has_failures(&self) -> bool {
        self.sources
            .values()
            .any(|source| matches!(source.outcome, Outcome::Stale(_) | Outcome::HeldBack { .. } | Outcome::Failed(_)))
    }
}
