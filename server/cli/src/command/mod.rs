//! One file for each command.

pub mod assets;
pub mod audit;
pub mod bench;
pub mod demo;
pub mod details;
pub mod generations;
pub mod keys;
pub mod mcp;
pub mod namespaces;
pub mod policy;
pub mod publish;
pub mod quarantine;
pub mod rebuild;
pub mod search;
pub mod serve;
pub mod sources;
pub mod sync;
pub mod why_not;

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use shortlist_index::{Snapshot, SourceStatuses, Store};

use crate::places::PlaceArgs;
use crate::print;

/// How the sources are. What cannot be read is reported and empty: everything else can be told without it.
fn statuses(places: &PlaceArgs) -> SourceStatuses {
    Store::new(&places.home()).statuses().unwrap_or_else(|error| {
        print::say(format!("warning: {error}"));
        SourceStatuses::new()
    })
}

/// Now, in seconds of Unix time; 0 where the clock is before 1970.
fn unix_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

/// The generation that serves. Damaged newer ones are reported, for the operator should know.
fn open(places: &PlaceArgs) -> Result<Snapshot> {
    let opened = Store::new(&places.home()).open_current()?;
    for (number, error) in &opened.refused {
        print::say(format!("warning: generation {number} was refused: {error}"));
    }
    Ok(opened.snapshot)
}
