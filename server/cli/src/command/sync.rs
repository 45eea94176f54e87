//! `shortlist sync`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::Path;
use std::sync::mpsc;

use anyhow::{Context, Error, Result, bail, ensure};
use shortlist_index::{Embedder, Store};
use shortlist_ingest::config::{Config, ConfigError};
use shortlist_ingest::handling::Handling;
use shortlist_ingest::remote::Published;
use shortlist_ingest::source::Source;
use shortlist_ingest::source::jsonl::Jsonl;
use shortlist_ingest::sync::{Outcome, SyncOptions, SyncReport, sync};
use shortlist_ingest::watch::{Wake, watch};

use crate::args::SyncArgs;
use crate::models::Sessions;
use crate::places::PlaceArgs;
use crate::progress::{AssetBar, SyncBar};
use crate::remote::Target;
use crate::{models, print};

/// Reads every source and publishes what is new.
pub fn run(places: &PlaceArgs, args: &SyncArgs) -> Result<()> {
    let store = Store::new(&places.home());
    let target = Target::open(args.publish_to.as_deref(), &store)?;
    let (sources, handling) = sources(places, &args.config, &args.jsonl)?;
    let accept_shrink: BTreeSet<String> = args.accept_shrink.iter().cloned().collect();
    if let Some(unknown) = accept_shrink.iter().find(|&name| !sources.iter().any(|source| source.name() == name)) {
        bail!("--accept-shrink names {unknown:?}, and no source is called so");
    }
    let options = SyncOptions { keep_older: args.keep, handling, accept_shrink, ..SyncOptions::default() };
    let (_, embedder) = models::load(places, false, Sessions::PerCore)?;
    if args.watch {
        return follow((&store, &target), args, &sources, embedder.as_ref(), &options);
    }
    let report = sync_into(&places.home(), embedder.as_ref(), &sources, &options)?;
    let published = target.publish(&store, &report, args.keep);
    finish(&report, published, &target, args.json)
}

/// One pass into the store in `home`, with progress.
pub fn sync_into(
    home: &Path,
    embedder: &dyn Embedder,
    sources: &[Box<dyn Source>],
    options: &SyncOptions,
) -> Result<SyncReport> {
    Ok(sync(sources, &Store::new(home), embedder, &mut SyncBar::new(), options)?)
}

/// Passes on a schedule, until SIGINT or SIGTERM.
fn follow(
    (store, target): (&Store, &Target),
    args: &SyncArgs,
    sources: &[Box<dyn Source>],
    embedder: &dyn Embedder,
    options: &SyncOptions,
) -> Result<()> {
    let (waker, wakes) = mpsc::channel();
    let stopper = waker.clone();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.spawn(async move {
        super::serve::stop_signal().await;
        print::say("stopping after the pass that runs");
        // The watch is gone only when it has ended already.
        let _ = stopper.send(Wake::Stop);
    });
    let mut lost = None;
    watch(sources, store, embedder, options, &mut SyncBar::new(), (waker.clone(), wakes), &mut |pass| {
        let told = match pass {
            Ok(report) if args.json => {
                serde_json::to_string(report).map_err(Into::into).and_then(|line| Ok(print::line(line)?))
            }
            Ok(report) => summary(report),
            Err(error) => {
                print::say(format!("error: {error}"));
                Ok(())
            }
        };
        if let Ok(report) = pass {
            match target.publish(store, report, args.keep) {
                Ok(Some(published)) if published.changed => print::say(target.summary(&published)),
                Ok(_) => {}
                // The next pass tries again.
                Err(error) => print::error(&error),
            }
        }
        // Nobody reads the reports any more, so nobody wants more of them.
        if let Err(error) = told {
            lost = Some(error);
            let _ = waker.send(Wake::Stop);
        }
    });
    lost.map_or(Ok(()), Err)
}

type Handled = (Vec<Box<dyn Source>>, BTreeMap<String, Handling>);

/// The sources of a configuration, or the JSONL files that are named instead.
pub fn sources(places: &PlaceArgs, config: &Path, jsonl: &[String]) -> Result<Handled> {
    if jsonl.is_empty() { configured(places, config) } else { Ok((named(jsonl)?, BTreeMap::new())) }
}

/// Tells what a pass did, and what became of it elsewhere, where it was published.
///
/// # Errors
/// When a source or the publish failed, even when nobody reads the rest.
pub fn finish(report: &SyncReport, published: Result<Option<Published>>, target: &Target, as_json: bool) -> Result<()> {
    let there = published.as_ref().ok().and_then(Option::as_ref);
    let printed = print_pass(report, there, target, as_json);
    if !report.has_failures() {
        return published.and(printed);
    }
    if let Err(error) = published {
        print::error(&error);
    }
    bail!("not every source was read and taken; the last good tools of such a source are kept")
}

fn print_pass(report: &SyncReport, published: Option<&Published>, target: &Target, as_json: bool) -> Result<()> {
    if as_json {
        let mut value = serde_json::to_value(report)?;
        if let Some(published) = published {
            value["published_to"] = serde_json::to_value(published)?;
        }
        return print::json(&value);
    }
    summary(report)?;
    published.map_or(Ok(()), |published| Ok(print::line(target.summary(published))?))
}

fn configured(places: &PlaceArgs, file: &Path) -> Result<Handled> {
    let config = Config::read(file).map_err(|error| {
        let is_missing = matches!(&error, ConfigError::Io { error, .. } if error.kind() == ErrorKind::NotFound);
        let error = Error::new(error);
        if !is_missing {
            return error;
        }
        error.context("name a configuration with --config, or a catalog with --jsonl NAME=FILE")
    })?;
    ensure!(!config.sources.is_empty(), "{} names no source; add a [[source]] to it", file.display());
    let sources = config.open(&places.home(), &places.assets(), &AssetBar::new(), &|name| std::env::var(name).ok());
    Ok((sources, config.handling))
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
            Outcome::NotDue => " (not due)".to_owned(),
            Outcome::Unchanged => " (unchanged)".to_owned(),
            Outcome::Stale(reason) => format!(" (STALE: {reason})"),
            Outcome::HeldBack { had, has } => format!(
                " (HELD BACK: it came with {has} tools where it had {had}; `shortlist sync --accept-shrink {name}` takes it)"
            ),
            Outcome::Failed(reason) => format!(" (FAILED: {reason})"),
        };
        let (n_pending, n_kept) = (source.n_pending, source.n_kept);
        let waiting = match n_pending + n_kept {
            0 => String::new(),
            _ => format!(
                " - {n_pending} pending ({n_kept} more serve at their approved text; see `shortlist quarantine`)"
            ),
        };
        print::line(format!(
            "{name}: {} tools = {} records - {} rejected{waiting}; {} new, {} changed, {} gone{outcome}",
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
        print::say(format!("warning: {name} is no longer a source, and its {n_tools} tools are gone with it"));
    }
    for warning in &report.warnings {
        print::say(format!("warning: {warning}"));
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
