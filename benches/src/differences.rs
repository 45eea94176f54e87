//! [`Row`]: two settings over the same queries, and whether their difference is beyond noise.

use serde::{Deserialize, Serialize};
use shortlist_index::Mode;

use crate::bootstrap::Difference;
use crate::error::BenchError;
use crate::report::{Report, Run};

/// A difference of nDCG@10 over a part of a set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The set, as tables call it.
    pub set: String,
    /// `all`, or a split.
    pub part: String,
    /// The setting that is judged.
    pub of: String,
    /// What it is held against.
    pub against: String,
    /// The first less the second.
    #[serde(flatten)]
    pub difference: Difference,
}

/// What the parts of the search are worth, from one set's own runs: hybrid against the better of its two legs, and each mode
/// with reranking against the same without. The better leg is the one with the higher mean over all queries, which favours it.
pub fn within(report: &Report) -> Vec<Row> {
    let mut rows = Vec::new();
    let run =
        |mode: Mode, rerank: bool| report.runs.iter().find(|run| run.mode == mode.to_string() && run.rerank == rerank);
    for rerank in [false, true] {
        let legs = [run(Mode::Lexical, rerank), run(Mode::Dense, rerank)].into_iter().flatten();
        let best = legs.max_by(|a, b| a.overall.figures.ndcg_at_10.total_cmp(&b.overall.figures.ndcg_at_10));
        if let (Some(hybrid), Some(best)) = (run(Mode::Hybrid, rerank), best) {
            rows.extend(pairwise(report, hybrid, best, best.setting()));
        }
    }
    for mode in [Mode::Lexical, Mode::Dense, Mode::Hybrid] {
        if let (Some(reranked), Some(without)) = (run(mode, true), run(mode, false)) {
            rows.extend(pairwise(report, reranked, without, without.setting()));
        }
    }
    rows
}

/// Each setting now against the same setting of a saved run, over the sets that both measured.
///
/// # Errors
/// [`BenchError::OtherDataset`] where a set of the same name has other tools, other queries or other distractors;
/// [`BenchError::NothingToCompare`] where no set and setting is in both.
pub fn between(now: &[Report], saved: &[Report]) -> Result<Vec<Row>, BenchError> {
    let mut rows = Vec::new();
    for report in now {
        let label = report.dataset.label();
        let Some(before) = saved.iter().find(|saved| saved.dataset.label() == label) else { continue };
        if let Some(what) = other(report, before) {
            return Err(BenchError::OtherDataset { set: label, what });
        }
        for run in &report.runs {
            if let Some(before_run) = before.run(&run.setting()) {
                rows.extend(pairwise(report, run, before_run, saved_name(run, report, before)));
            }
        }
    }
    if rows.is_empty() { Err(BenchError::NothingToCompare) } else { Ok(rows) }
}

/// What a saved run is called beside one of now: its setting, and what else was otherwise. That is what some are compared for.
fn saved_name(run: &Run, now: &Report, saved: &Report) -> String {
    let mut name = format!("{}, saved", run.setting());
    if saved.no_collapse != now.no_collapse {
        name += if saved.no_collapse { ", copies apart" } else { ", copies in one place" };
    }
    // Files from before it was kept do not say which it was.
    if run.rerank && saved.reranker.is_some() && saved.reranker != now.reranker {
        name += ", another reranker";
    }
    name
}

/// What makes two reports' figures incomparable.
fn other(now: &Report, saved: &Report) -> Option<&'static str> {
    let (a, b) = (&now.dataset, &saved.dataset);
    let pool = |report: &Report| report.dataset.pool.as_ref().map(|pool| (pool.sha256.clone(), pool.n_tools));
    match () {
        () if a.tools_sha256 != b.tools_sha256 || a.n_tools != b.n_tools => Some("tools"),
        () if a.queries_sha256 != b.queries_sha256 || now.queries != saved.queries => Some("queries"),
        () if pool(now) != pool(saved) => Some("distractors"),
        () => None,
    }
}

/// The rows of two runs over the queries of `report`, in whose order both are.
fn pairwise(report: &Report, of: &Run, against: &Run, name: String) -> Vec<Row> {
    let pairs: Vec<(f64, f64)> =
        of.ndcg_at_10_by_query.iter().copied().zip(against.ndcg_at_10_by_query.iter().copied()).collect();
    let row = |(part, places): (String, Vec<usize>)| {
        let pairs: Vec<(f64, f64)> = places.iter().filter_map(|&place| pairs.get(place).copied()).collect();
        let (set, of, against) = (report.dataset.label(), of.setting(), name.clone());
        Row { set, part, of, against, difference: Difference::of(&pairs) }
    };
    report.parts().into_iter().map(row).collect()
}
