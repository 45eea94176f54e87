//! Generations to and from a remote, with progress.

use std::path::Path;

use anyhow::{Context, Result, bail};
use shortlist_index::{Snapshot, Store};
use shortlist_ingest::remote::{PublishOptions, Published, Puller, Remote};
use shortlist_ingest::sync::SyncReport;
use tempfile::TempDir;

use crate::print;
use crate::progress::TransferBar;

/// Where a new generation is published, if it is: known before it is built, for it gets a number above all that were given
/// out there.
pub struct Target(Option<Remote>);

impl Target {
    /// Looks at the remote, and keeps its numbers out of the store's.
    pub fn open(url: Option<&str>, store: &Store) -> Result<Self> {
        let Some(url) = url else { return Ok(Self(None)) };
        let remote = Remote::open(url)?;
        if let Some(state) = remote.state()? {
            store.number_above(&store.lock()?, state.highest)?;
        }
        Ok(Self(Some(remote)))
    }

    /// Publishes what a pass made, unless a source has no tools in it that should have some: nobody elsewhere is to lose
    /// them by that. Where it made nothing new, what could not be published before still is, and a roll-back there stays.
    pub fn publish(&self, store: &Store, report: &SyncReport, keep_older: usize) -> Result<Option<Published>> {
        let Some(remote) = &self.0 else { return Ok(None) };
        // In a pass in which one that failed before is not due, it has failed all the same.
        if let Some((name, _)) = report.sources.iter().find(|(_, source)| !source.was_read) {
            bail!(
                "{name} could not be read and has no earlier tools, so nothing was published to {}; make it readable, or \
                 take it out of the configuration",
                remote.location()
            );
        }
        let leave_rolled_back = !report.published;
        let options = PublishOptions { keep_older, leave_rolled_back, ..PublishOptions::default() };
        publish(remote, store, report.generation, &options).map(Some)
    }

    /// What a publish to it did, in a line.
    pub fn summary(&self, published: &Published) -> String {
        summary(self.0.as_ref().map_or("", Remote::location), published)
    }
}

/// Sends a generation and makes it current there.
pub fn publish(remote: &Remote, store: &Store, number: u64, options: &PublishOptions) -> Result<Published> {
    let published = remote.publish(store, number, &TransferBar::new("sending"), options)?;
    for warning in &published.warnings {
        print::say(format!("warning: {warning}"));
    }
    Ok(published)
}

/// What a publish did, in a line.
pub fn summary(remote: &str, published: &Published) -> String {
    let what = if published.changed { "is current now" } else { "was current already" };
    format!(
        "generation {} {what} at {remote}: {} files of {:.1} MB sent, {} old objects removed",
        published.generation,
        published.n_sent,
        published.bytes_sent as f64 / 1e6,
        published.n_removed
    )
}

/// A generation from wherever it is: a generation's folder, a store's, or a remote. The folder holds what had to be fetched,
/// for as long as the snapshot is used.
pub fn snapshot(from: &str) -> Result<(Snapshot, Option<TempDir>)> {
    let path = Path::new(from);
    if path.join("manifest.json").is_file() {
        return Ok((Snapshot::open(path, None)?, None));
    }
    let is_url = from.contains("://");
    if !is_url && !Store::new(path).list()?.is_empty() {
        let opened = Store::new(path).open_current()?;
        for (number, error) in &opened.refused {
            print::say(format!("warning: generation {number} was refused: {error}"));
        }
        return Ok((opened.snapshot, None));
    }
    if !is_url && !path.join("CURRENT").is_file() {
        bail!("{from} is no generation, no folder of generations, and no remote");
    }
    let remote = Remote::open(from)?;
    let folder = tempfile::tempdir().context("no temporary folder can be made")?;
    let store = Store::new(folder.path());
    Puller::new(&remote, store.clone(), 0).pull(&TransferBar::new("fetching"))?;
    Ok((store.open_current()?.snapshot, Some(folder)))
}
