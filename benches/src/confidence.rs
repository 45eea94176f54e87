//! [`measure`]: whether an answer says when the tool that was asked for is not there.

use std::collections::BTreeMap;
use std::path::Path;

use rayon::prelude::*;
use serde::Serialize;
use shortlist_index::{Confidence, Degraded, Grant, Models, SearchRequest, search};

use crate::catalog_index::CatalogIndex;
use crate::dataset::Dataset;
use crate::error::BenchError;
use crate::left_out;
use crate::queries::{self, JudgedQuery};

/// Requests that no tool of a catalog serves (small talk, riddles, essays), one a line. Confidence learned from every second
/// of them, the first among them (`data/training/fusion.py`); the others are asked here.
const NO_TOOL: &str = include_str!("../../data/training/requests/no_tool.txt");
/// The name of their part.
const NO_TOOL_PART: &str = "no tool";

/// What confidence says on one set.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ConfidenceReport {
    /// The set.
    pub set: String,
    /// Its splits, and what no tool serves.
    pub parts: Vec<ConfidencePart>,
}

/// What confidence says of one part's queries, each asked with the tools that answer it and without them and their siblings.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ConfidencePart {
    /// The split, or `no tool`.
    pub part: String,
    /// Queries.
    pub n_queries: usize,
    /// Where no tool serves: the share of `weak` and `none`.
    pub told: f64,
    /// Where no tool serves: the share of `none`.
    pub told_none: f64,
    /// Where a tool serves: the share of `none`, which sends the asker away from it. Absent where none ever does.
    pub false_alarms: Option<f64>,
    /// Where a tool serves: the share of `strong` and `exact`.
    pub sure: Option<f64>,
}

/// Asks each query twice, with the tools that answer it in the catalog and without, and then what no tool serves.
///
/// Costs the embedding of every tool that `cache` does not hold, then two searches for each query, on all cores.
///
/// # Errors
/// [`BenchError`], also when there is no embedding model, or a stage failed.
pub fn measure(dataset: &Dataset, models: &Models, cache: Option<&Path>) -> Result<ConfidenceReport, BenchError> {
    let index = CatalogIndex::build(&dataset.tools, models.embedder.as_deref(), cache, &|_| {})?;
    let ask = |grant: &Grant, query: &JudgedQuery| {
        let request = SearchRequest { limit: 1, ..SearchRequest::new(query.query.as_str()) };
        let answer = search(&index.snapshot, models, &index.snapshot.allow(grant), &request)
            .map_err(|error| BenchError::Search { query: query.id.clone(), error })?;
        match answer.degraded.first().cloned() {
            // Without a stage nothing is sure, which would count as told.
            Some(Degraded { stage, reason }) => {
                let (query, mode) = (query.id.clone(), request.mode.to_string());
                Err(BenchError::Degraded { query, stage, mode, reason })
            }
            None => Ok(answer.confidence.unwrap_or(Confidence::None)),
        }
    };
    let asked = dataset.queries.par_iter().map(|query| {
        let with = ask(&Grant::everything(), query)?;
        let without = ask(&left_out::grant(&dataset.tools, query), query)?;
        Ok((query.split.clone().unwrap_or_else(|| "all".to_owned()), Some(with), without))
    });
    let unserved: Vec<JudgedQuery> = queries::unserved(NO_TOOL, NO_TOOL_PART).skip(1).step_by(2).collect();
    let unserved = unserved.par_iter().map(|query| {
        let without = ask(&Grant::everything(), query)?;
        Ok((NO_TOOL_PART.to_owned(), None, without))
    });
    let said: Vec<Said> = asked.chain(unserved).collect::<Result<_, BenchError>>()?;

    let mut parts: BTreeMap<String, Vec<(Option<Confidence>, Confidence)>> = BTreeMap::new();
    for (part, with, without) in said {
        parts.entry(part).or_default().push((with, without));
    }
    let parts = parts.into_iter().map(|(part, said)| figures(part, &said)).collect();
    Ok(ConfidenceReport { set: dataset.description.set.clone(), parts })
}

/// A query's part, and what was said with the tools that answer it, where there are any, and without.
type Said = (String, Option<Confidence>, Confidence);

fn figures(part: String, said: &[(Option<Confidence>, Confidence)]) -> ConfidencePart {
    let share = |of: &[Confidence], is: fn(Confidence) -> bool| {
        of.iter().filter(|&&confidence| is(confidence)).count() as f64 / of.len().max(1) as f64
    };
    let with: Vec<Confidence> = said.iter().filter_map(|&(with, _)| with).collect();
    let without: Vec<Confidence> = said.iter().map(|&(_, without)| without).collect();
    let served = |is| (!with.is_empty()).then(|| share(&with, is));
    ConfidencePart {
        part,
        n_queries: said.len(),
        told: share(&without, |confidence| confidence < Confidence::Strong),
        told_none: share(&without, |confidence| confidence == Confidence::None),
        false_alarms: served(|confidence| confidence == Confidence::None),
        sure: served(|confidence| confidence >= Confidence::Strong),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_of_the_queries_that_have_a_say() {
        use Confidence::{Exact, None as Nothing, Strong, Weak};
        let said = [(Some(Strong), Weak), (Some(Exact), Nothing), (Some(Nothing), Strong), (Some(Weak), Weak)];
        let of = figures("all".to_owned(), &said);
        assert_eq!((of.told, of.told_none, of.false_alarms, of.sure), (0.75, 0.25, Some(0.25), Some(0.5)));
        let of = figures(NO_TOOL_PART.to_owned(), &[(None, Nothing), (None, Weak)]);
        assert_eq!((of.told, of.told_none, of.false_alarms, of.sure), (1.0, 0.5, None, None));
    }
}
