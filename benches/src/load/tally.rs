//! [`Tally`]: what came of requests, and how long each took.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::client::Answer;
use super::failed;
use crate::error::BenchError;

/// The shortest and the longest time that is told apart, in nanoseconds; longer ones count as the longest.
const NS_MIN: u64 = 1_000;
const NS_MAX: u64 = 600_000_000_000;
/// Significant digits of a time.
const DIGITS: u8 = 3;
/// The shares at which a plot has a point.
const CURVE: [f64; 12] = [0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 0.9999, 1.0];

/// What came of a loop's requests.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// How long the loop took, in seconds.
    pub seconds: f64,
    /// Answers a second.
    pub per_second: f64,
    /// How long answers took.
    pub answered: Times,
    /// How long it took to be refused, by status.
    pub refused: BTreeMap<u16, Times>,
    /// Requests without an answer, or with another status.
    pub failed: u64,
}

/// Times, in milliseconds; all 0 where there is none.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Times {
    /// How many.
    pub n: u64,
    /// The mean.
    pub mean_ms: f64,
    /// The median.
    pub p50_ms: f64,
    /// The ninety-fifth of a hundred.
    pub p95_ms: f64,
    /// The ninety-ninth of a hundred.
    pub p99_ms: f64,
    /// The last but one of a thousand.
    pub p999_ms: f64,
    /// The longest.
    pub max_ms: f64,
    /// Shares (0 to 1) with the time that so many of them took at the most.
    pub curve: Vec<(f64, f64)>,
}

/// Requests as they end.
pub(super) struct Tally {
    answered: Ns,
    sent: Ns,
    refused: BTreeMap<u16, Ns>,
    failed: u64,
}

/// A histogram of times in nanoseconds.
type Ns = Histogram<u64>;

impl Tally {
    pub(super) fn new() -> Result<Self, BenchError> {
        Ok(Self { answered: histogram()?, sent: histogram()?, refused: BTreeMap::new(), failed: 0 })
    }

    /// Takes a request that took so long, and so long since it was sent.
    pub(super) fn add(&mut self, answer: &Answer, took: Duration, since_sent: Duration) -> Result<(), BenchError> {
        match answer {
            Answer::Answered => {
                record(&mut self.answered, took);
                record(&mut self.sent, since_sent);
            }
            Answer::Refused(status, _) => {
                if !self.refused.contains_key(status) {
                    self.refused.insert(*status, histogram()?);
                }
                self.refused.get_mut(status).into_iter().for_each(|times| record(times, took));
            }
            Answer::Failed => self.failed += 1,
        }
        Ok(())
    }

    /// What came of them in this time.
    pub(super) fn outcome(&self, time: Duration) -> Outcome {
        Outcome {
            seconds: time.as_secs_f64(),
            per_second: self.answered.len() as f64 / time.as_secs_f64(),
            answered: Times::of(&self.answered),
            refused: self.refused.iter().map(|(status, times)| (*status, Times::of(times))).collect(),
            failed: self.failed,
        }
    }

    /// How long answers took since they were asked for in fact.
    pub(super) fn since_sent(&self) -> Times {
        Times::of(&self.sent)
    }
}

impl Times {
    fn of(histogram: &Histogram<u64>) -> Self {
        if histogram.is_empty() {
            return Self::default();
        }
        let ms = |share: f64| histogram.value_at_quantile(share) as f64 / 1e6;
        Self {
            n: histogram.len(),
            mean_ms: histogram.mean() / 1e6,
            p50_ms: ms(0.5),
            p95_ms: ms(0.95),
            p99_ms: ms(0.99),
            p999_ms: ms(0.999),
            max_ms: ms(1.0),
            curve: CURVE.into_iter().map(|share| (share, ms(share))).collect(),
        }
    }
}

fn histogram() -> Result<Histogram<u64>, BenchError> {
    Histogram::new_with_bounds(NS_MIN, NS_MAX, DIGITS).map_err(failed)
}

fn record(histogram: &mut Histogram<u64>, time: Duration) {
    histogram.saturating_record(u64::try_from(time.as_nanos()).unwrap_or(NS_MAX));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_and_refusals_have_times_of_their_own() {
        let mut tally = Tally::new().expect("a tally");
        let ms = Duration::from_millis;
        for time in 1..=1_000 {
            tally.add(&Answer::Answered, ms(time), ms(1)).expect("it counts");
        }
        tally.add(&Answer::Refused(503, ms(1_000)), ms(3), ms(3)).expect("it counts");
        tally.add(&Answer::Failed, ms(9), ms(9)).expect("it counts");
        let outcome = tally.outcome(Duration::from_secs(4));
        let Times { n, p50_ms, p95_ms, p99_ms, p999_ms, max_ms, .. } = outcome.answered;
        assert_eq!((n, outcome.per_second, outcome.failed), (1_000, 250.0, 1));
        for (got, expected) in [(p50_ms, 500.0), (p95_ms, 950.0), (p99_ms, 990.0), (p999_ms, 999.0), (max_ms, 1_000.0)]
        {
            // Three significant digits.
            assert!((got / expected - 1.0_f64).abs() < 1e-3, "{got} {expected}");
        }
        assert_eq!((outcome.refused.len(), outcome.refused[&503].n), (1, 1));
        assert!((tally.since_sent().max_ms - 1.0).abs() < 1e-3);
    }

    #[test]
    fn what_took_longer_than_any_time_counts_as_the_longest() {
        let mut tally = Tally::new().expect("a tally");
        tally.add(&Answer::Answered, Duration::MAX, Duration::ZERO).expect("it counts");
        assert_eq!(tally.outcome(Duration::from_secs(1)).answered.n, 1);
    }
}
