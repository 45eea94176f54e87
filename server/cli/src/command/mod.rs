//! One file for each command.

pub mod assets;
pub mod bench;
pub mod demo;
pub mod details;
pub mod generations;
pub mod namespaces;
pub mod search;
pub mod serve;
pub mod sync;

use anyhow::Result;
use shortlist_index::{Snapshot, Store};

use crate::places::PlaceArgs;

/// The generation that serves. Damaged newer ones are reported, for the operator should know.
fn open(places: &PlaceArgs) -> Result<Snapshot> {
    let opened = Store::new(&places.home()).open_current()?;
    for (number, error) in &opened.refused {
        eprintln!("warning: generation {number} was refused: {error}");
    }
    Ok(opened.snapshot)
}
