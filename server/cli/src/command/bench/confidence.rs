//! `shortlist bench confidence`.

use anyhow::{Result, bail};
use shortlist_benches::confidence::{ConfidencePart, ConfidenceReport, measure};
use shortlist_benches::{BadTools, Sets};

use super::relevance::embedding_cache;
use crate::args::BenchConfidenceArgs;
use crate::models::Sessions;
use crate::places::PlaceArgs;
use crate::{models, print};

/// Measures the chosen sets, and fails where a part is beyond its bound.
pub fn run(places: &PlaceArgs, args: &BenchConfidenceArgs) -> Result<()> {
    let folder = args.sets.clone().unwrap_or_else(|| places.shared().join("relevance"));
    if args.sets.is_none() && !folder.is_dir() {
        return Ok(print::line(format!("SKIPPED: {} is absent, so nothing was measured", folder.display()))?);
    }
    let sets = Sets::open(&folder)?;
    let names = if args.set.is_empty() { sets.names() } else { args.set.clone() };
    let models = models::load(places, false, Sessions::PerCore)?.0;
    let cache = embedding_cache(places);
    let mut reports = Vec::new();
    for name in names {
        let dataset = sets.read(&name, None, BadTools::Refuse)?;
        let dataset = match args.queries {
            Some(n_queries) => dataset.sample(usize::try_from(n_queries)?),
            None => dataset,
        };
        reports.push(measure(&dataset, &models, Some(&cache))?);
    }
    if args.json {
        print::json(&reports)?;
    } else {
        reports.iter().try_for_each(pretty)?;
    }
    let is_beyond = |part: &&ConfidencePart| {
        part.told < args.told_min || part.false_alarms.is_some_and(|share| share > args.false_alarms_max)
    };
    match reports.iter().flat_map(|report| &report.parts).filter(is_beyond).count() {
        0 => Ok(()),
        n_beyond => bail!(
            "{n_beyond} parts tell less than {} or give false alarms in more than {}; data/training/fusion.py learns confidence anew",
            args.told_min,
            args.false_alarms_max
        ),
    }
}

fn pretty(report: &ConfidenceReport) -> Result<()> {
    for part in &report.parts {
        let ConfidencePart { part, n_queries, told, told_none, false_alarms, sure } = part;
        let served = match (false_alarms, sure) {
            (Some(false_alarms), Some(sure)) => {
                format!("; where one does: false alarms {false_alarms:.3}, sure {sure:.3}")
            }
            _ => String::new(),
        };
        print::line(format!(
            "{:<12} {part:<16} {n_queries:>5} queries; where no tool serves: told {told:.3}, as none {told_none:.3}{served}",
            report.set
        ))?;
    }
    Ok(())
}
