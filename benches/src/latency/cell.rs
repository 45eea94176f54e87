//! [`Cell`]: one line of the report, from the rounds of one task at one share of the documents.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use shortlist_index::Stage;

use super::clock::Times;
use super::quality::Quality;
use super::task::{Task, Variant};

/// What was measured in one cell, under bench.py's names.
#[derive(Clone, Debug, Serialize)]
pub struct Cell {
    /// Documents in all.
    pub n: usize,
    /// `shortlist`.
    pub system: &'static str,
    /// What is timed.
    pub variant: Variant,
    /// What is asked for.
    pub task: Task,
    /// The share of the documents that a user may see.
    pub sel: f64,
    /// Searches that were timed.
    pub samples: usize,
    /// The median of each round, in milliseconds.
    pub round_p50: Vec<f64>,
    /// Searches that failed: none, for one would have ended the run.
    pub errors: usize,
    /// The answers of the first round, judged.
    #[serde(flatten)]
    pub quality: Quality,
    /// Over the searches of all rounds.
    #[serde(flatten)]
    pub latency: Latency,
    /// The median of each stage over all rounds, in microseconds; those that never ran are left out.
    pub stages_us: BTreeMap<&'static str, f64>,
}

/// Milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// The median.
    pub p50_ms: f64,
    /// The ninety-ninth of a hundred.
    pub p99_ms: f64,
    /// The mean.
    pub mean_ms: f64,
    /// The median of each query's fastest round.
    pub p50_best_ms: f64,
    /// The ninety-ninth of them: the tail that is the system's own, and not its neighbours' noise.
    pub p99_best_ms: f64,
}

impl Latency {
    /// Of the rounds, each with a time for each query in the same order; `None` where nothing was timed. A query that not every
    /// round came to has no fastest round.
    pub(super) fn of(rounds: &[Vec<f64>]) -> Option<Self> {
        let all = rounds.concat();
        let n_in_all = rounds.iter().map(Vec::len).min().unwrap_or(0);
        let best: Vec<f64> =
            (0..n_in_all).map(|query| rounds.iter().map(|round| round[query]).fold(f64::INFINITY, f64::min)).collect();
        Some(Self {
            p50_ms: rounded(percentile(&all, 50.0)?),
            p99_ms: rounded(percentile(&all, 99.0)?),
            mean_ms: rounded(all.iter().sum::<f64>() / all.len() as f64),
            p50_best_ms: rounded(percentile(&best, 50.0)?),
            p99_best_ms: rounded(percentile(&best, 99.0)?),
        })
    }
}

impl Cell {
    /// Of the rounds' times; `None` where there are none.
    pub(super) fn of(
        n: usize,
        (task, sel, variant): (Task, f64, Variant),
        rounds: &[Vec<Times>],
        quality: &Quality,
    ) -> Option<Self> {
        let time = |times: &Times| if variant == Variant::Ids { times.ids_ms } else { times.all_ms };
        let of_rounds: Vec<Vec<f64>> = rounds.iter().map(|round| round.iter().map(time).collect()).collect();
        let stages_us = Stage::ALL.into_iter().filter_map(|stage| {
            let spent: Vec<f64> = rounds.iter().flatten().map(|times| times.stages_ms[stage as usize] * 1e3).collect();
            let us = percentile(&spent, 50.0).filter(|&us| us > 0.0)?;
            Some((stage.as_str(), rounded(us)))
        });
        Some(Self {
            n,
            system: super::SYSTEM,
            variant,
            task,
            sel,
            samples: of_rounds.iter().map(Vec::len).sum(),
            round_p50: of_rounds.iter().filter_map(|round| percentile(round, 50.0)).map(rounded).collect(),
            errors: 0,
            quality: quality.clone(),
            latency: Latency::of(&of_rounds)?,
            // Fetching is no part of the ids.
            stages_us: stages_us
                .filter(|&(name, _)| variant != Variant::Ids || name != Stage::Fetch.as_str())
                .collect(),
        })
    }
}

/// The value at the place `p / 100 * (n - 1)` of the sorted values, rounded half to even: bench.py's percentile. `None` of nothing.
pub(super) fn percentile(values: &[f64], p: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = (p / 100.0 * sorted.len().saturating_sub(1) as f64).round_ties_even() as usize;
    sorted.get(place).copied()
}

/// The median, rounded; 0 of nothing.
pub(super) fn median(values: &[f64]) -> f64 {
    percentile(values, 50.0).map_or(0.0, rounded)
}

/// With four digits: a tenth of a microsecond, where it is milliseconds.
pub(super) fn rounded(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_bench_py_s() {
        // percentile(list(range(n)), p) of bench.py for p = 50, 90 and 99.
        for (n, expected) in [
            (1, [0.0, 0.0, 0.0]),
            (2, [0.0, 1.0, 1.0]),
            (4, [2.0, 3.0, 3.0]),
            (6, [2.0, 4.0, 5.0]),
            (8, [4.0, 6.0, 7.0]),
            (100, [50.0, 89.0, 98.0]),
            (102, [50.0, 91.0, 100.0]),
            (300, [150.0, 269.0, 296.0]),
        ] {
            let values: Vec<f64> = (0..n).rev().map(f64::from).collect();
            assert_eq!([50.0, 90.0, 99.0].map(|p| percentile(&values, p).expect("some")), expected, "{n}");
        }
        assert_eq!(percentile(&[], 50.0), None);
    }

    #[test]
    fn the_fastest_round_of_a_query_is_over_the_rounds_that_came_to_it() {
        // The same rounds through bench.py's code.
        let rounds =
            [vec![5.0, 1.0, 9.0, 2.0, 7.0, 4.0], vec![6.0, 0.5, 8.0, 3.0, 7.5, 1.5], vec![4.5, 2.5, 10.0, 2.25]];
        let expected = Latency { p50_ms: 4.5, p99_ms: 10.0, mean_ms: 4.6094, p50_best_ms: 4.5, p99_best_ms: 8.0 };
        assert_eq!(Latency::of(&rounds), Some(expected));
        assert_eq!(Latency::of(&[]), None);
        assert_eq!(Latency::of(&[Vec::new()]), None);
    }
}
