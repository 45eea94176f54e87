//! `shortlist bench relevance`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use indicatif::ProgressBar;
use shortlist_benches::floors::Floors;
use shortlist_benches::relevance::{Options, Progress, measure};
use shortlist_benches::report::Report;
use shortlist_benches::setting::{self, Setting};
use shortlist_benches::{BadTools, Dataset, Evaluation, Sets, differences, html, table, trec};
use shortlist_index::{Mode, Models};

use crate::args::RelevanceArgs;
use crate::models::Sessions;
use crate::places::PlaceArgs;
use crate::{models, print, progress};

/// Measures the chosen sets in the chosen settings, and says what differs by more than noise.
pub fn run(places: &PlaceArgs, args: &RelevanceArgs) -> Result<()> {
    if let Some(path) = &args.floors {
        return gate(places, args, path);
    }
    // First what can be wrong without measuring anything.
    let saved = args.compare.as_deref().map(Evaluation::read).transpose()?;
    let settings = settings(args);
    let datasets = datasets(places, args)?;
    if args.run.is_some() && (settings.len(), datasets.len()) != (1, 1) {
        bail!("a TREC run is of one set in one setting; choose them with --set, --mode and --rerank on or off");
    }
    if args.qrels.is_some() && datasets.len() != 1 {
        bail!("TREC qrels are of one set; choose it with --set");
    }

    let models = load_models(places, &settings)?;
    let embedding_cache = Some(embedding_cache(places));
    let options = Options { settings, embedding_cache, no_collapse: args.no_collapse };
    let mut reports = Vec::new();
    for dataset in &datasets {
        let mut report = measured(dataset, &models, &options)?;
        if let (Some(path), [run]) = (&args.run, report.runs.as_slice()) {
            trec::write_run(path, &format!("shortlist-{}", run.setting()), &run.rankings)?;
        }
        if let Some(path) = &args.qrels {
            trec::write_qrels(path, &dataset.queries)?;
        }
        // A hundred ids for each query of each setting; nothing below looks at them.
        report.runs.iter_mut().for_each(|run| run.rankings = Vec::new());
        reports.push(report);
    }

    let evaluation = Evaluation::new(reports);
    print::line(table::print(&evaluation.sets).trim_end())?;
    if !evaluation.differences.is_empty() {
        print::line(format!("\n{}", table::differences(&evaluation.differences).trim_end()))?;
    }
    if let Some(path) = &args.json {
        write(path, &serde_json::to_string(&evaluation)?)?;
    }
    let mut against = Vec::new();
    if let (Some(saved), Some(path)) = (&saved, &args.compare) {
        against = differences::between(&evaluation.sets, &saved.sets)?;
        print::line(format!("\nagainst {}\n{}", path.display(), table::differences(&against).trim_end()))?;
    }
    if let Some(path) = &args.html {
        write(path, &html::page(&evaluation, &against))?;
    }
    Ok(())
}

/// Checks the floors of a file. Where the sets are not beside the checkout, nothing can be checked and nothing fails: not every
/// machine has them, and the one that decides has.
fn gate(places: &PlaceArgs, args: &RelevanceArgs, path: &Path) -> Result<()> {
    let floors = Floors::read(path)?;
    let folder = sets_folder(places, args);
    if args.sets.is_none() && !folder.is_dir() {
        return Ok(print::line(format!("SKIPPED: {} is absent, so no floor was checked", folder.display()))?);
    }
    let models = load_models(places, &floors.settings())?;
    let checked = floors.check(&Sets::open(&folder)?, &models, &embedding_cache(places))?;
    print::line(table::floors(&checked).trim_end())?;
    let n_fell = checked.iter().filter(|checked| checked.fell()).count();
    if n_fell > 0 {
        bail!(
            "{n_fell} of {} figures fell below the floors of {}; measure with --json before and after the change, and --compare",
            checked.len(),
            path.display()
        );
    }
    Ok(())
}

/// The settings that the flags name, in the table's order.
fn settings(args: &RelevanceArgs) -> Vec<Setting> {
    let modes = [Mode::Lexical, Mode::Dense, Mode::Hybrid];
    let chosen = |mode: Mode| args.mode.as_ref().is_none_or(|chosen| *chosen == mode.to_string());
    let modes: Vec<Mode> = modes.into_iter().filter(|mode| chosen(*mode)).collect();
    let search = |rerank| modes.iter().map(move |&mode| Setting::Search { mode, rerank });

    let mut settings = Vec::new();
    if args.mode.as_ref().is_none_or(|mode| mode == setting::PLAIN) {
        settings.push(Setting::Plain);
    }
    match args.rerank.as_str() {
        "off" => settings.extend(search(false)),
        "on" => settings.extend(search(true)),
        // A reranker is slow, and what it does to a leg alone decides nothing.
        _ => settings.extend(search(false).chain(search(true).next_back())),
    }
    settings
}

/// The sets that the flags name, each alone and, where it is wanted and fair, pooled.
fn datasets(places: &PlaceArgs, args: &RelevanceArgs) -> Result<Vec<Dataset>> {
    let bad = if args.skip_bad_tools { BadTools::Skip } else { BadTools::Refuse };
    let sets = || Sets::open(&sets_folder(places, args));
    let alone = match (&args.tools, &args.queries) {
        (Some(tools), Some(queries)) => vec![Dataset::read(tools, queries, args.limit, bad)?],
        _ => {
            let sets = sets()?;
            let names = if args.set.is_empty() { sets.names() } else { args.set.clone() };
            names.iter().map(|name| sets.read(name, args.limit, bad)).collect::<Result<_, _>>()?
        }
    };
    if !args.pooled {
        return Ok(alone);
    }
    let pool = sets()?.pool(bad)?;
    let mut all = Vec::new();
    for dataset in alone {
        let pooled = pool.around(&dataset);
        all.push(dataset);
        match pooled {
            Ok(pooled) => all.push(pooled),
            Err(overlap) => print::say(format!("note: {overlap}")),
        }
    }
    Ok(all)
}

fn sets_folder(places: &PlaceArgs, args: &RelevanceArgs) -> PathBuf {
    args.sets.clone().unwrap_or_else(|| places.shared().join("relevance"))
}

/// What the settings need, and nothing where they need nothing.
fn load_models(places: &PlaceArgs, settings: &[Setting]) -> Result<Models> {
    let rerank = settings.iter().any(|setting| setting.reranks());
    if rerank || settings.iter().any(|setting| setting.embeds()) {
        return Ok(models::load(places, rerank, Sessions::PerCore)?.0);
    }
    Ok(Models::default())
}

/// Where the bench keeps the vectors of tools between runs.
pub(super) fn embedding_cache(places: &PlaceArgs) -> PathBuf {
    places.assets().root().join("bench-embeddings")
}

fn measured(dataset: &Dataset, models: &Models, options: &Options) -> Result<Report> {
    let embedding = progress::counter("embedding", dataset.tools.len() as u64);
    let asking = progress::counter("asking", (dataset.queries.len() * options.settings.len()) as u64);
    let report = measure(dataset, models, options, &|step| match step {
        Progress::Embedded(n_tools) => embedding.inc(n_tools as u64),
        Progress::Asked => asking.inc(1),
    });
    [embedding, asking].iter().for_each(ProgressBar::finish_and_clear);
    report.with_context(|| format!("the set {} could not be measured", dataset.description.label()))
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
