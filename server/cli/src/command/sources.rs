//! `shortlist sources`.

use anyhow::{Context, Result};
use shortlist_index::{Store, StoreError};
use shortlist_server::{SourceRow, source_rows};

use crate::args::{SourcesAction, SourcesArgs};
use crate::places::PlaceArgs;
use crate::print;

/// Shows the ledger.
pub fn run(places: &PlaceArgs, args: &SourcesArgs) -> Result<()> {
    match &args.action {
        None | Some(SourcesAction::List) => list(places, args.json),
        Some(SourcesAction::Rejections { name }) => rejections(places, name, args.json),
    }
}

fn list(places: &PlaceArgs, as_json: bool) -> Result<()> {
    let now = super::unix_s();
    // Before the first generation there are still sources that failed.
    let snapshot = match Store::new(&places.home()).open_current() {
        Err(StoreError::Empty(_)) => None,
        opened => Some(opened?.snapshot),
    };
    let rows = source_rows(snapshot.as_ref().map(|snapshot| snapshot.manifest()), &super::statuses(places), now);
    if as_json {
        return print::json(&rows);
    }
    if rows.is_empty() {
        return Ok(print::line("no source was read yet; run `shortlist sync`")?);
    }
    let width = rows.iter().map(|row| row.name.len()).max().unwrap_or(0).max(4);
    print::line(format!(
        "{:width$}  {:<16} {:<9} {:>7}  {:>9} = {:>8} - {:>8} - {:>7}  {:>10} {:>8}  next",
        "name", "type", "state", "age", "tools", "records", "rejected", "pending", "deprecated", "stripped"
    ))?;
    for row in &rows {
        print::line(format!(
            "{:width$}  {:<16} {:<9} {:>7}  {:>9} = {:>8} - {:>8} - {:>7}  {:>10} {:>8}  {}",
            row.name,
            row.source_type,
            row.state,
            row.age_s.map_or("never".to_owned(), age),
            row.n_searchable,
            row.n_ingested,
            row.n_rejected,
            row.n_pending,
            row.n_deprecated,
            row.n_stripped,
            row.next_due_unix_s.map_or("-".to_owned(), |due| age(due.saturating_sub(now)))
        ))?;
        if let Some(line) = trouble(row, now) {
            print::line(format!("{:width$}    {line}", ""))?;
        }
    }
    Ok(())
}

/// What is wrong with a source, in a line.
fn trouble(row: &SourceRow, now: u64) -> Option<String> {
    let fault = row.last_fault.as_ref().filter(|_| row.state != "ok")?;
    let since = row.since_unix_s.map_or(String::new(), |since| format!(" for {}", age(now.saturating_sub(since))));
    let failures = if row.n_failures > 0 { format!(", {} failures", row.n_failures) } else { String::new() };
    Some(format!("{}{since}{failures}; {}: {}", row.state.replace('_', " "), fault.class, fault.reason))
}

/// Seconds in the unit that says most.
fn age(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{} min", seconds / 60),
        7_200..=172_799 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

fn rejections(places: &PlaceArgs, name: &str, as_json: bool) -> Result<()> {
    let snapshot = super::open(places)?;
    let sources = &snapshot.manifest().sources;
    let report = sources.get(name).with_context(|| {
        let names: Vec<&str> = sources.keys().map(String::as_str).collect();
        format!("there is no source {name:?}; there are {}", names.join(", "))
    })?;
    if as_json {
        return print::json(&report.rejections);
    }
    for rejection in &report.rejections {
        print::line(format!("{}: {}", rejection.record, rejection.reason))?;
    }
    let n_kept = report.rejections.len() as u64;
    if n_kept < report.n_rejected {
        print::say(format!("{n_kept} of {} rejections were kept with their reasons", report.n_rejected));
    }
    Ok(())
}
