//! [`source_rows`]: the completeness ledger of the sources, for operators.

use std::collections::BTreeSet;

use serde::Serialize;
use shortlist_index::{Health, Manifest, SourceFault, SourceReport, SourceStatus, SourceStatuses};
use utoipa::ToSchema;

/// One source: how it is, and what became of its records. Complete: `n_searchable` = `n_ingested` - `n_rejected` -
/// `n_pending`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct SourceRow {
    /// The operator's name of it.
    pub name: String,
    /// The kind of source.
    pub source_type: String,
    /// `ok`, `stale` (its last good tools serve), `held_back` (it shrank suddenly), `failed` (it was never read).
    pub state: &'static str,
    /// Since when, in seconds of Unix time; null where that is not known here.
    pub since_unix_s: Option<u64>,
    /// How old what serves of it is, in seconds; null where nothing was ever read.
    pub age_s: Option<u64>,
    /// Records that it gave.
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
    /// Attempts that failed since the last one that succeeded.
    pub n_failures: u32,
    /// The last failure, which may be over.
    pub last_fault: Option<FaultRow>,
    /// When it is read next, in seconds of Unix time; null where no schedule runs.
    pub next_due_unix_s: Option<u64>,
}

/// Why an attempt to read a source failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FaultRow {
    /// When, in seconds of Unix time.
    pub at_unix_s: u64,
    /// A word for the kind of failure, such as `unreachable`.
    pub class: String,
    /// A sentence.
    pub reason: String,
}

/// The sources of a generation, and those that were tried and are not in it, by name. `now` is in seconds of Unix time.
pub fn source_rows(manifest: Option<&Manifest>, statuses: &SourceStatuses, now: u64) -> Vec<SourceRow> {
    let reports = manifest.map(|manifest| &manifest.sources);
    let names: BTreeSet<&String> =
        reports.into_iter().flat_map(|reports| reports.keys()).chain(statuses.keys()).collect();
    let unread = SourceReport::default();
    names
        .into_iter()
        .map(|name| {
            let report = reports.and_then(|reports| reports.get(name)).unwrap_or(&unread);
            row(name, report, statuses.get(name), now)
        })
        .collect()
}

/// Where there is no status (a replica has none), what the generation says when it was made.
fn row(name: &str, report: &SourceReport, status: Option<&SourceStatus>, now: u64) -> SourceRow {
    let read = (report.read_unix_s > 0).then_some(report.read_unix_s);
    let health = match (status, &report.stale, read) {
        (Some(status), ..) => status.health,
        (None, _, None) => Health::Failed,
        (None, Some(_), _) => Health::Stale,
        (None, None, _) => Health::Ok,
    };
    let fault = |fault: &SourceFault| FaultRow {
        at_unix_s: fault.at_unix_s,
        class: fault.class.clone(),
        reason: fault.reason.clone(),
    };
    let source_type = if report.source_type.is_empty() {
        status.map(|status| status.source_type.clone()).unwrap_or_default()
    } else {
        report.source_type.clone()
    };
    SourceRow {
        name: name.to_owned(),
        source_type,
        state: health.as_str(),
        since_unix_s: status.map(|status| status.since_unix_s),
        age_s: status
            .and_then(|status| status.succeeded_unix_s)
            .or(read)
            .map(|confirmed| now.saturating_sub(confirmed)),
        n_ingested: report.n_ingested,
        n_rejected: report.n_rejected,
        n_searchable: report.n_searchable,
        n_deprecated: report.n_deprecated,
        n_pending: report.n_pending,
        n_kept: report.n_kept,
        n_touched: report.n_touched,
        n_stripped: report.n_stripped,
        n_failures: status.map_or(0, |status| status.n_failures),
        last_fault: status.and_then(|status| status.last_fault.as_ref()).map(fault),
        next_due_unix_s: status.and_then(|status| status.next_due_unix_s),
    }
}
