//! `shortlist bench attacks`.

use anyhow::Result;
use shortlist_benches::attacks::{AttackReport, AuditReport, Options, Outcome, Row, audit, measure};
use shortlist_benches::{BadTools, Sets};

use super::relevance::embedding_cache;
use crate::args::BenchAttacksArgs;
use crate::models::Sessions;
use crate::places::PlaceArgs;
use crate::{models, print};

/// What is measured unless something else is named: a catalog of real tools, and a larger one of short texts.
const SETS: [&str; 2] = ["azure_mcp:tune", "sealtools:test_out_domain"];
/// Suspected tools of a catalog that are shown of each kind.
const SHOWN_MAX: usize = 20;
/// Characters of a suspected text that are shown.
const SHOWN_CHARS: usize = 200;

/// Measures the chosen sets, or judges catalogs.
pub fn run(places: &PlaceArgs, args: &BenchAttacksArgs) -> Result<()> {
    if !args.audit.is_empty() {
        let reports: Vec<AuditReport> = args.audit.iter().map(|file| audit(file)).collect::<Result<_, _>>()?;
        return if args.json { print::json(&reports) } else { reports.iter().try_for_each(suspected) };
    }
    let folder = args.sets.clone().unwrap_or_else(|| places.shared().join("relevance"));
    let sets = Sets::open(&folder)?;
    let named = if args.set.is_empty() { SETS.map(str::to_owned).to_vec() } else { args.set.clone() };
    let models = models::load(places, false, Sessions::PerCore)?.0;
    let cache = embedding_cache(places);
    let mut reports = Vec::new();
    for name in named {
        let (name, split) = name.split_once(':').map_or((&*name, None), |(name, split)| (name, Some(split.to_owned())));
        let options = Options { split, n_queries: args.queries as usize, share: args.share };
        let dataset = sets.read(name, None, BadTools::Refuse)?;
        reports.push(measure(&dataset, &models, Some(&cache), &options)?);
    }
    if args.json { print::json(&reports) } else { reports.iter().try_for_each(pretty) }
}

fn pretty(report: &AttackReport) -> Result<()> {
    let AttackReport { set, split, n_tools, n_forged, n_queries, clean, attacks, quarantined } = report;
    let split = split.as_ref().map_or_else(String::new, |split| format!(" ({split})"));
    print::line(format!("{set}{split}: {n_tools} tools and {n_forged} forged ones, {n_queries} queries"))?;
    print::line(format!("{:<24}{:>9}  {:<16}{:<16}{:<16}nDCG@10", "attack", "suspected", "captured", "first", "sure"))?;
    row("none", clean)?;
    attacks.iter().try_for_each(|(attack, figures)| row(attack.name(), figures))?;
    row("mixed, in quarantine", quarantined)
}

fn row(name: &str, row: &Row) -> Result<()> {
    let Row { n_suspected, before, after } = row;
    let both = |of: fn(&Outcome) -> f64| format!("{:.3} -> {:.3}", of(before), of(after));
    let [captured, first, sure] = [both(|one| one.captured), both(|one| one.first), both(|one| one.sure)];
    let ndcg = both(|one| one.ndcg_at_10);
    Ok(print::line(format!("{name:<24}{n_suspected:>9}  {captured:<16}{first:<16}{sure:<16}{ndcg}"))?)
}

fn suspected(report: &AuditReport) -> Result<()> {
    let n_suspected: usize = report.suspected.values().map(Vec::len).sum();
    print::line(format!("{}: {} tools, {n_suspected} suspected", report.file, report.n_tools))?;
    for (suspicion, tools) in &report.suspected {
        print::line(format!("  {}: {}", suspicion.name(), tools.len()))?;
        for (tool, text) in tools.iter().take(SHOWN_MAX) {
            let text: String =
                text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(SHOWN_CHARS).collect();
            print::line(format!("    {tool}: {text}"))?;
        }
    }
    Ok(())
}
