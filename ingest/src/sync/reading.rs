//! [`Reading`]: what one source gave in this pass.

use std::collections::{BTreeMap, HashMap};

use shortlist_index::{REJECTIONS_KEPT_MAX, Rejection, Snapshot, SourceReport, Tool, ToolRef};

use super::observer::Steps;
use super::report::Outcome;
use crate::handling::Handling;
use crate::normalize::{Normalized, rejection};
use crate::source::{Fetched, Record, Source};

/// How many records pass between two words to the observer.
const TELL_EVERY: u64 = 256;
/// The most tools of one source, ten times what an index is built for.
const TOOLS_MAX: usize = 2_000_000;

/// What one source gave: its tools, or the reason to keep the parent's.
pub(super) struct Reading {
    pub(super) outcome: Outcome,
    /// What the next generation's manifest says of it.
    pub(super) report: SourceReport,
    /// Its tools; none where they are the parent's.
    pub(super) tools: Vec<Tool>,
    /// Why it was not read, or not taken: a word and a sentence.
    pub(super) fault: Option<(&'static str, String)>,
}

/// What may be made of what a source gives.
#[derive(Clone, Copy)]
pub(super) struct Terms<'o> {
    pub(super) handling: &'o Handling,
    /// An operator's word that this reading is to be taken however much it shrank.
    pub(super) accept_shrink: bool,
    /// The source is to be read although it may not have changed.
    pub(super) read_anew: bool,
    pub(super) now: u64,
}

impl Reading {
    /// Reads a source. `known` is what its last complete pass left. When it was of another kind then, its state means
    /// nothing to this source, but its tools are still the last good ones.
    pub(super) fn of(
        source: &dyn Source,
        known: Option<&SourceReport>,
        terms: Terms<'_>,
        steps: &mut Steps<'_>,
    ) -> Self {
        let now = terms.now;
        let mut pile = Pile::default();
        let same_type = known.filter(|report| report.source_type == source.source_type());
        let since = same_type.filter(|_| !terms.read_anew).map(|report| &report.state);
        let fetched = source.fetch(since, &mut |record| {
            pile.take(source, record);
            if pile.n_ingested.is_multiple_of(TELL_EVERY) {
                steps.observer.fetched(source.name(), pile.n_ingested);
            }
        });
        let (class, reason) = match (fetched, same_type) {
            (Ok(Fetched::Complete(state)), _) => {
                steps.observer.fetched(source.name(), pile.n_ingested);
                let reading = pile.into_reading(source, state, now);
                return match known {
                    Some(known) => reading.unless_shrunk(source, known, terms),
                    None => reading,
                };
            }
            (Ok(Fetched::Unchanged), Some(known)) => {
                return Self {
                    outcome: Outcome::Unchanged,
                    report: SourceReport { read_unix_s: now, stale: None, ..known.clone() },
                    tools: Vec::new(),
                    fault: None,
                };
            }
            (Ok(Fetched::Unchanged), None) => {
                ("contract", format!("source {:?} says that nothing changed and was never read", source.name()))
            }
            (Err(error), _) => (error.class(), error.to_string()),
        };
        match known {
            // The report stays that of the kind that was read, for the tools are.
            Some(known) => Self {
                outcome: Outcome::Stale(reason.clone()),
                report: SourceReport { stale: Some(reason.clone()), ..known.clone() },
                tools: Vec::new(),
                fault: Some((class, reason)),
            },
            None => Self::failed(source, class, reason),
        }
    }

    /// The sources of a generation as they stand in it, with their tools.
    pub(super) fn of_snapshot(snapshot: &Snapshot) -> BTreeMap<String, Self> {
        let reading = |(name, report): (&String, &SourceReport)| {
            let tools = snapshot.tools().filter(|tool| tool.reference.source() == name).collect();
            (name.clone(), Self { outcome: Outcome::Read, report: report.clone(), tools, fault: None })
        };
        snapshot.manifest().sources.iter().map(reading).collect()
    }

    /// A source whose turn it is not: what the parent says of it stays.
    pub(super) fn not_due(source: &dyn Source, report: Option<&SourceReport>) -> Self {
        let unread = || SourceReport { source_type: source.source_type().to_owned(), ..SourceReport::default() };
        Self {
            outcome: Outcome::NotDue,
            report: report.cloned().unwrap_or_else(unread),
            tools: Vec::new(),
            fault: None,
        }
    }

    /// Whether its tools are to be taken from the parent.
    pub(super) fn keeps_the_parents(&self) -> bool {
        matches!(self.outcome, Outcome::Unchanged | Outcome::NotDue | Outcome::Stale(_) | Outcome::HeldBack { .. })
    }

    /// Whether it was not read, now or before.
    pub(super) fn has_nothing(&self) -> bool {
        match self.outcome {
            Outcome::Failed(_) => true,
            Outcome::NotDue => self.report.read_unix_s == 0,
            _ => false,
        }
    }

    /// The reading, or the parent's tools where too many of them are gone. The parent's report stays with its bookmarks, so
    /// the same reading is judged the same the next time.
    fn unless_shrunk(self, source: &dyn Source, known: &SourceReport, terms: Terms<'_>) -> Self {
        // What waits in quarantine was given as well, now and then.
        let (had, has) = (known.n_searchable + known.n_pending, self.report.n_searchable);
        if terms.accept_shrink || !terms.handling.holds_back(had, has) {
            return self;
        }
        let name = source.name();
        let reason = format!(
            "source {name:?} gave {has} tools where it had {had}, so it is held back; if that is right, \
             `shortlist sync --accept-shrink {name}` takes it (or a larger shrink_max), and until then the {had} serve"
        );
        Self {
            outcome: Outcome::HeldBack { had, has },
            report: SourceReport { stale: Some(reason.clone()), ..known.clone() },
            tools: Vec::new(),
            fault: Some(("shrunk", reason)),
        }
    }

    fn failed(source: &dyn Source, class: &'static str, reason: String) -> Self {
        Self {
            outcome: Outcome::Failed(reason.clone()),
            report: SourceReport {
                source_type: source.source_type().to_owned(),
                stale: Some(reason.clone()),
                ..SourceReport::default()
            },
            tools: Vec::new(),
            fault: Some((class, reason)),
        }
    }
}

/// Records as they come.
#[derive(Default)]
struct Pile {
    n_ingested: u64,
    n_rejected: u64,
    n_touched: u64,
    n_stripped: u64,
    tools: Vec<Tool>,
    rejections: Vec<Rejection>,
    /// Where in `tools` each ref stands.
    refs: HashMap<ToolRef, usize>,
}

impl Pile {
    fn take(&mut self, source: &dyn Source, record: Record) {
        // A catalog whose pages shift while they are read gives a record on both of two pages; it is one record.
        if record.as_ref().is_ok_and(|tool| self.first_of(tool) == Some(tool)) {
            return;
        }
        self.n_ingested += 1;
        match record.and_then(|normalized| self.checked(source, normalized)) {
            Ok(Normalized { tool, n_stripped }) => {
                self.n_touched += u64::from(n_stripped > 0);
                self.n_stripped += n_stripped;
                self.refs.insert(tool.reference.clone(), self.tools.len());
                self.tools.push(tool);
            }
            Err(rejection) => {
                self.n_rejected += 1;
                if self.rejections.len() < REJECTIONS_KEPT_MAX {
                    self.rejections.push(rejection);
                }
            }
        }
    }

    /// What only somebody who sees all of a source's records can check.
    fn checked(&self, source: &dyn Source, tool: Normalized) -> Result<Normalized, Rejection> {
        let refuse = |reason: String| Err(rejection(&tool.provenance.foreign_id, reason));
        if tool.reference.source() != source.name() {
            return refuse(format!("its ref {} is not one of source {:?}", tool.reference, source.name()));
        }
        if let Some(first) = self.first_of(&tool) {
            let first = &first.provenance.foreign_id;
            return refuse(format!("its ref {} is already that of the record {first:?}", tool.reference));
        }
        if self.tools.len() >= TOOLS_MAX {
            return refuse(format!("the source has more than the {TOOLS_MAX} tools allowed"));
        }
        Ok(tool)
    }

    /// The tool that has the same ref already.
    fn first_of(&self, tool: &Tool) -> Option<&Tool> {
        self.refs.get(&tool.reference).and_then(|&place| self.tools.get(place))
    }

    fn into_reading(self, source: &dyn Source, state: crate::source::SourceState, now: u64) -> Reading {
        Reading {
            outcome: Outcome::Read,
            report: SourceReport {
                source_type: source.source_type().to_owned(),
                n_ingested: self.n_ingested,
                n_rejected: self.n_rejected,
                n_searchable: self.tools.len() as u64,
                n_deprecated: self.tools.iter().filter(|tool| tool.deprecation.is_some()).count() as u64,
                n_pending: 0,
                n_kept: 0,
                pending: Vec::new(),
                rejections: self.rejections,
                n_touched: self.n_touched,
                n_stripped: self.n_stripped,
                state,
                read_unix_s: now,
                stale: None,
            },
            tools: self.tools,
            fault: None,
        }
    }
}
