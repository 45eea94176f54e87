//! What a pass leaves in the statuses of the sources.

use std::collections::BTreeMap;

use shortlist_index::{SourceFault, SourceStatus, SourceStatuses, Store, WriteLock};

use super::reading::Reading;

/// The statuses before a pass. What cannot be read of them is begun anew, with a warning.
pub(super) fn before(store: &Store, warnings: &mut Vec<String>) -> SourceStatuses {
    store.statuses().unwrap_or_else(|error| {
        warnings.push(error.to_string());
        SourceStatuses::new()
    })
}

/// The statuses after these readings.
pub(super) fn after(before: &SourceStatuses, readings: &BTreeMap<String, Reading>, now: u64) -> SourceStatuses {
    let status = |(name, reading): (&String, &Reading)| {
        // One that was not read is as it was.
        let Some(health) = reading.outcome.health() else { return Some((name.clone(), before.get(name)?.clone())) };
        let fault = reading.fault.as_ref().map(|(class, reason)| SourceFault::new(now, class, reason));
        let status = SourceStatus::after(before.get(name), &reading.report.source_type, health, now, fault);
        Some((name.clone(), status))
    };
    readings.iter().filter_map(status).collect()
}

/// Writes them, where sources were asked. They are told, not served: a disk that refuses is a warning.
pub(super) fn write(store: &Store, lock: &WriteLock, statuses: Option<&SourceStatuses>, warnings: &mut Vec<String>) {
    if let Some(Err(error)) = statuses.map(|statuses| store.set_statuses(lock, statuses)) {
        warnings.push(error.to_string());
    }
}
