//! `shortlist bench`.

mod attacks;
mod confidence;
mod growth;
mod latency;
mod load;
mod relevance;
mod workload;

use std::sync::Arc;

use anyhow::{Context, Result};
use shortlist_benches::{BadTools, Dataset, audit, delta, embedding, grants, signals, sketches, telemetry, timing};
use shortlist_index::{Embedder, HashingEmbedder};

use crate::args::{
    AskedArgs, BenchArgs, BenchEmbeddingArgs, BenchGrantsArgs, BenchSyncArgs, BenchWhat, SignalsArgs, SketchesArgs,
};
use crate::models::Sessions;
use crate::places::PlaceArgs;
use crate::progress::SyncBar;
use crate::{models, print};

/// Measures.
pub fn run(places: &PlaceArgs, args: &BenchArgs) -> Result<()> {
    match &args.what {
        BenchWhat::Relevance(args) => relevance::run(places, args),
        BenchWhat::Signals(args) => signals(places, args),
        BenchWhat::Confidence(args) => confidence::run(places, args),
        BenchWhat::Attacks(args) => attacks::run(places, args),
        BenchWhat::Latency(args) => latency::run(places, args),
        BenchWhat::Growth(args) => growth::run(args),
        BenchWhat::Load(args) => load::run(places, args),
        BenchWhat::Sketches(args) => sketches(places, args),
        BenchWhat::Embedding(args) => embedding(places, args),
        BenchWhat::Sync(args) => sync(places, args),
        BenchWhat::Timing(args) => timing(args),
        BenchWhat::Audit(args) => audit(places, args),
        BenchWhat::Telemetry(args) => telemetry(args),
        BenchWhat::Grants(args) => grants(places, args),
    }
}

fn sketches(places: &PlaceArgs, args: &SketchesArgs) -> Result<()> {
    let snapshot = super::open(places)?;
    let report = sketches::measure(&snapshot, &models::load(places, false, Sessions::One)?.0, args.queries as usize)?;
    if args.json {
        return print::json(&report);
    }
    print::line(format!(
        "{} tools, {} queries: recall@10 {:.4}, recall@100 {:.4}, same first ten {:.4}; p50 {:.2} ms by sketches, {:.2} ms by scan",
        report.n_tools,
        report.n_queries,
        report.recall_at_10,
        report.recall_at_100,
        report.same_first_10,
        report.sketches_p50_ms,
        report.scan_p50_ms
    ))?;
    Ok(())
}

fn embedding(places: &PlaceArgs, args: &BenchEmbeddingArgs) -> Result<()> {
    let load = |places: &PlaceArgs| Ok::<_, anyhow::Error>(models::load(places, false, Sessions::PerCore)?.1);
    let mut embedders = vec![load(places)?];
    for other in &args.other {
        let mut places = places.clone();
        places.model = Some(other.clone());
        embedders.push(load(&places)?);
    }
    let embedders: Vec<&dyn Embedder> = embedders.iter().map(|embedder| &**embedder).collect();
    let reports = embedding::measure(&embedders, args.rounds as usize)?;
    if args.json {
        return print::json(&reports);
    }
    for report in &reports {
        print::line(format!(
            "{}: {:.0} texts a second, {:.2} times as many as the first",
            report.model, report.texts_per_second, report.of_first
        ))?;
        for times in &report.queries {
            print::line(format!(
                "  a text of {:>3} words: {:>6.2} ms at the median, {:.2} at best; {:.2} of the first",
                times.words, times.p50_ms, times.best_ms, times.of_first
            ))?;
        }
    }
    Ok(())
}

fn timing(args: &AskedArgs) -> Result<()> {
    let home = tempfile::tempdir()?;
    let report = timing::measure(home.path(), args.tools as usize, args.answers as usize)?;
    if args.json {
        return print::json(&report);
    }
    print::line(format!(
        "{} tools, {} visible, {} with the common hidden word; {} answers of each kind",
        report.n_tools, report.n_visible, report.n_common, report.n_answers
    ))?;
    for question in &report.questions {
        print::line(format!(
            "{:<42} p50 {:>7.1} us, AUC {:.4} ± {:.4}, {:>+8.2} us, {:>10.0} answers needed",
            question.name,
            question.p50_us,
            question.auc,
            question.auc_error,
            question.delta_us,
            question.answers_needed
        ))?;
    }
    Ok(())
}

fn audit(places: &PlaceArgs, args: &AskedArgs) -> Result<()> {
    let home = scratch(places)?;
    let report = audit::measure(home.path(), args.tools as usize, args.answers as usize)?;
    if args.json {
        return print::json(&report);
    }
    print::line(format!("{} tools, {} answers of each kind, median times", report.n_tools, report.n_answers))?;
    for costs in &report.questions {
        let with = |us: f64| format!("{us:>7.1} us ({:.2} times)", us / costs.off_us);
        print::line(format!(
            "{:<18} without {:>7.1} us, flush {}, fsync {}",
            costs.name,
            costs.off_us,
            with(costs.flush_us),
            with(costs.fsync_us)
        ))?;
    }
    Ok(())
}

fn telemetry(args: &AskedArgs) -> Result<()> {
    let home = tempfile::tempdir()?;
    let report = telemetry::measure(home.path(), args.tools as usize, args.answers as usize)?;
    if args.json {
        return print::json(&report);
    }
    print::line(format!("{} tools, {} answers of each kind, median times", report.n_tools, report.n_answers))?;
    for costs in &report.questions {
        print::line(format!(
            "{:<18} nobody reads {:>7.1} us, measured {:>7.1} us, nobody reads {:>7.1} us",
            costs.name, costs.off_us, costs.measured_us, costs.off_again_us
        ))?;
    }
    Ok(())
}

/// Numbers in a hashed vector: as many as the default model's have.
const HASHED_DIMENSION: usize = 384;

fn sync(places: &PlaceArgs, args: &BenchSyncArgs) -> Result<()> {
    let embedder: Arc<dyn Embedder> = if args.hashing {
        Arc::new(HashingEmbedder::new(HASHED_DIMENSION))
    } else {
        models::load(places, false, Sessions::PerCore)?.1
    };
    let home = scratch(places)?;
    let percent = usize::from(args.changed);
    let report = delta::measure(&args.tools, percent, home.path(), embedder.as_ref(), &mut SyncBar::new())?;
    if args.json {
        return print::json(&report);
    }
    print::line(format!("{} tools, {} changed, model {}", report.n_tools, report.n_changed, report.embedder))?;
    for (name, pass) in [("first sync", &report.first), ("as a delta", &report.delta), ("built whole", &report.whole)] {
        print::line(format!(
            "{name:<12} {:>7} texts embedded in {:>7.2} s, everything else {:>6.2} s, searchable after {:>7.2} s",
            pass.n_embedded, pass.embed_s, pass.other_s, pass.visible_s
        ))?;
    }
    if let Some(times) = report.of_the_models_own() {
        let delta::ModelAlone { n_texts, seconds } = report.model;
        print::line(format!(
            "{:<12} {n_texts:>7} texts embedded in {seconds:>7.2} s; the first sync embedded {times:.2} times as many a second",
            "model alone"
        ))?;
    }
    Ok(print::line(format!("peak memory {} MB", report.peak_bytes / 1_000_000))?)
}

fn grants(places: &PlaceArgs, args: &BenchGrantsArgs) -> Result<()> {
    let home = scratch(places)?;
    let [n_tools, n_rules, n_principals] = [args.tools, args.rules, args.principals].map(|number| number as usize);
    let report = grants::measure(n_tools, n_rules, n_principals, args.seed, home.path())?;
    if args.json {
        return print::json(&report);
    }
    print::line(format!(
        "{} tools, {} rules with {} different patterns over refs; the first of {} principals sees {} tools",
        report.n_tools, report.n_rules, report.n_ref_patterns, report.n_principals, report.n_seen
    ))?;
    print::line(format!("{:<46} {:>10.1} ms", "the rules on every tool in turn", report.plain_ms))?;
    for (name, figures) in [
        ("bitmap, in a generation just opened", report.cold_bitmap),
        ("ready for a search, likewise", report.cold),
        ("looking for the patterns, before anybody asks", report.prepare),
        ("bitmap, first principal after that", report.prepared_bitmap),
        ("ready for a search, likewise", report.prepared),
        ("bitmap, another principal with the same rules", report.next_bitmap),
        ("ready for a search, likewise", report.next),
    ] {
        let ratio = report.plain_ms / figures.p50_ms;
        print::line(format!(
            "{name:<46} {:>10.1} ms, at most {:.1}; {ratio:.0} times faster",
            figures.p50_ms, figures.max_ms
        ))?;
    }
    Ok(())
}

/// A home for a measurement, beside the real ones, so that it is measured on the same disk.
fn scratch(places: &PlaceArgs) -> Result<tempfile::TempDir> {
    let parent = places.home();
    std::fs::create_dir_all(&parent).with_context(|| format!("cannot make {}", parent.display()))?;
    Ok(tempfile::Builder::new().prefix("bench-").tempdir_in(&parent)?)
}

fn signals(places: &PlaceArgs, args: &SignalsArgs) -> Result<()> {
    let dataset = Dataset::read(&args.tools, &args.queries, None, BadTools::Skip)?;
    let models = models::load(places, false, Sessions::PerCore)?.0;
    let cache = relevance::embedding_cache(places);
    let file = std::fs::File::create(&args.out).with_context(|| format!("cannot write {}", args.out.display()))?;
    let mut out = std::io::BufWriter::new(file);
    signals::write(&dataset, &args.unserved, &models, Some(&cache), &mut out)?;
    Ok(std::io::Write::flush(&mut out)?)
}
