//! `shortlist sync`.

use std::path::Path;

use anyhow::{Context, Result, bail};
use shortlist_index::{Embedder, Store};
use shortlist_ingest::config::Config;
use shortlist_ingest::source::Source;
use shortlist_ingest::source::jsonl::Jsonl;
use shortlist_ingest::sync::{Outcome, SyncOptions, SyncReport, sync};

use crate::args::SyncArgs;
use crate::models::Sessions;
use crate::places::PlaceArgs;
use crate::progress::{AssetBar, SyncBar};
use crate::{models, print};

/// Reads every source and publishes what is new.
pub fn run(places: &PlaceArgs, args: &SyncArgs) -> Result<()> {
    let sources = if args.jsonl.is_empty() { configured(places, &args.config)? } else { named(&args.jsonl)? };
    let (_, embedder) = models::load(places, false, Sessions::PerCore)?;
    let report = sync_into(&places.home(), embedder.as_ref(), &sources, args.keep)?;
    let printed = if args.json { print::json(&report) } else { summary(&report) };
    // Said even when nobody reads the report.
    if report.has_failures() { bail!("not every source could be read; its last good tools are kept") } else { printed }
}

/// One pass into the store in `home`, with progress.
pub fn sync_into(
    home: &Path,
    embedder: &dyn Embedder,
    sources: &[Box<dyn Source>],
    keep_older: usize,
) -> Result<SyncReport> {
    let options = SyncOptions { keep_older };
    Ok(sync(sources, &Store::new(home), embedder, &mut SyncBar::new(), &options)?)
}

fn configured(places: &PlaceArgs, file: &Path) -> Result<Vec<Box<dyn Source>>> {
    let config =
        Config::read(file).context("name a configuration with --config, or a catalog with --jsonl NAME=FILE")?;
    Ok(config.open(&places.home(), &places.assets(), &AssetBar::new(), &|name| std::env::var(name).ok()))
}

fn named(files: &[String]) -> Result<Vec<Box<dyn Source>>> {
    files
        .iter()
        .map(|named| {
            let (name, file) = named.split_once('=').context("write --jsonl NAME=FILE")?;
            shortlist_index::check_source(name)?;
            Ok(Box::new(Jsonl::new(name, file)) as Box<dyn Source>)
        })
        .collect()
}

/// What a pass did, in a few lines.
pub fn summary(report: &SyncReport) -> Result<()> {
    for (name, source) in &report.sources {
        let outcome = match &source.outcome {
            Outcome::Read => String::new(),
            Outcome::Unchanged => " (unchanged)".to_owned(),
            Outcome::Stale(reason) => format!(" (STALE: {reason})"),
            Outcome::Failed(reason) => format!(" (FAILED: {reason})"),
        };
        print::line(format!(
            "{name}: {} tools = {} records - {} rejected; {} new, {} changed, {} gone{outcome}",
            source.n_searchable,
            source.n_ingested,
            source.n_rejected,
            source.n_added,
            source.n_changed,
            source.n_removed
        ))?;
        for rejection in source.rejections.iter().take(3) {
            print::line(format!("    rejected {}: {}", rejection.record, rejection.reason))?;
        }
    }
    for (name, n_tools) in &report.removed_sources {
        eprintln!("warning: {name} is no longer a source, and its {n_tools} tools are gone with it");
    }
    for warning in &report.warnings {
        eprintln!("warning: {warning}");
    }
    let seconds: f64 = report.seconds.iter().map(|(_, seconds)| seconds).sum();
    let what = if report.published { "published" } else { "unchanged:" };
    print::line(format!(
        "{what} generation {}: {} tools, {} texts embedded, {seconds:.1} s",
        report.generation,
        report.n_tools(),
        report.n_embedded
    ))?;
    Ok(())
}
