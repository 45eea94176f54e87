//! `shortlist publish`.

use anyhow::{Context, Result};
use shortlist_index::Store;
use shortlist_ingest::remote::{PublishOptions, Remote};

use crate::args::PublishArgs;
use crate::places::PlaceArgs;
use crate::{print, remote};

/// Sends a generation that is here, or makes one current again that is kept there.
pub fn run(places: &PlaceArgs, args: &PublishArgs) -> Result<()> {
    let store = Store::new(&places.home());
    let number = match args.generation {
        Some(number) => number,
        None => store.current()?.context("there is no generation yet; run `shortlist sync` or `shortlist rebuild`")?,
    };
    let target = Remote::open(&args.to)?;
    let options = PublishOptions { keep_older: args.keep, ..PublishOptions::default() };
    let published = remote::publish(&target, &store, number, &options)?;
    if args.json { print::json(&published) } else { Ok(print::line(remote::summary(target.location(), &published))?) }
}
