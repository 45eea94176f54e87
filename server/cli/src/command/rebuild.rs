//! `shortlist rebuild`.

use anyhow::Result;
use shortlist_index::Store;
use shortlist_ingest::sync::{self, SyncOptions};

use super::sync::{finish, sources};
use crate::args::RebuildArgs;
use crate::models;
use crate::models::Sessions;
use crate::places::PlaceArgs;
use crate::progress::SyncBar;
use crate::remote::{self, Target};

/// Builds a whole generation: of every source read anew, or of another generation's tools.
pub fn run(places: &PlaceArgs, args: &RebuildArgs) -> Result<()> {
    let store = Store::new(&places.home());
    let target = Target::open(args.publish_to.as_deref(), &store)?;
    let options = SyncOptions { keep_older: args.keep, fresh: true, ..SyncOptions::default() };
    let report = match &args.from {
        Some(from) => {
            let (snapshot, _folder) = remote::snapshot(from)?;
            let (_, embedder) = models::load(places, false, Sessions::PerCore)?;
            sync::rebuild(&snapshot, &store, embedder.as_ref(), &mut SyncBar::new(), &options)?
        }
        None => {
            let (sources, handling) = sources(places, &args.config, &args.jsonl)?;
            let options = SyncOptions { handling, ..options };
            let (_, embedder) = models::load(places, false, Sessions::PerCore)?;
            sync::sync(&sources, &store, embedder.as_ref(), &mut SyncBar::new(), &options)?
        }
    };
    let published = target.publish(&store, &report, args.keep);
    finish(&report, published, &target, args.json)
}
