//! [`Difference`]: how far two settings are apart over the same queries, and whether another draw of queries would say so too.

use serde::{Deserialize, Serialize};

use crate::metrics::percentile;

/// How often the queries are drawn anew.
const RESAMPLES: usize = 2_000;
/// The same pairs give the same interval.
const SEED: u64 = 6;
/// What lies below the interval, and as much above it.
const TAIL: f64 = 0.025;

/// The mean of the differences query by query, with its 95 % interval by the paired bootstrap: as many queries are drawn with
/// replacement as there are, 2,000 times, and the middle 95 of 100 means are the interval. Efron and Tibshirani, "An
/// Introduction to the Bootstrap" (1993), chapter 13. Pairing matters: queries differ from each other far more than settings do.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// Queries that both answered.
    pub n_queries: usize,
    /// The first setting's mean less the second's.
    pub mean: f64,
    /// Where the interval begins.
    pub low: f64,
    /// Where it ends.
    pub high: f64,
}

impl Difference {
    /// Of pairs of figures, the first setting's figure of a query first. Zeros where there is no pair. Costs 2,000 passes.
    pub fn of(pairs: &[(f64, f64)]) -> Self {
        let differences: Vec<f64> = pairs.iter().map(|(first, second)| first - second).collect();
        let n = differences.len();
        if n == 0 {
            return Self { n_queries: 0, mean: 0.0, low: 0.0, high: 0.0 };
        }
        let mut rng = fastrand::Rng::with_seed(SEED);
        let mut means: Vec<f64> =
            (0..RESAMPLES).map(|_| (0..n).map(|_| differences[rng.usize(..n)]).sum::<f64>() / n as f64).collect();
        means.sort_by(f64::total_cmp);
        Self {
            n_queries: n,
            mean: differences.iter().sum::<f64>() / n as f64,
            low: percentile(&means, TAIL),
            high: percentile(&means, 1.0 - TAIL),
        }
    }

    /// Whether the interval leaves zero out. Of settings that do not differ one in twenty looks so; many rows have such.
    pub fn is_beyond_noise(&self) -> bool {
        self.low > 0.0 || self.high < 0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `n` queries of which every `every`-th is better by `by`.
    fn better(n: usize, every: usize, by: f64) -> Vec<(f64, f64)> {
        (0..n).map(|i| (0.5 + if i % every == 0 { by } else { 0.0 }, 0.5)).collect()
    }

    #[test]
    fn equal_settings_have_no_difference_at_all() {
        let difference = Difference::of(&better(100, 1, 0.0));
        assert_eq!(difference, Difference { n_queries: 100, mean: 0.0, low: 0.0, high: 0.0 });
        assert!(!difference.is_beyond_noise());
    }

    #[test]
    fn a_gain_on_many_queries_is_beyond_noise_and_on_one_query_is_not() {
        let many = Difference::of(&better(200, 4, 0.2));
        assert!((many.mean - 0.05).abs() < 1e-12, "{many:?}");
        assert!(many.is_beyond_noise() && many.low < many.mean && many.mean < many.high, "{many:?}");
        let one = Difference::of(&better(200, 200, 0.5));
        assert!(one.mean > 0.0 && !one.is_beyond_noise(), "{one:?}");
    }

    #[test]
    fn a_loss_is_a_gain_turned_round() {
        let pairs = better(150, 5, 0.3);
        let turned: Vec<(f64, f64)> = pairs.iter().map(|&(first, second)| (second, first)).collect();
        let (gain, loss) = (Difference::of(&pairs), Difference::of(&turned));
        assert!(loss.is_beyond_noise() && loss.high < 0.0);
        assert!((gain.mean + loss.mean).abs() < 1e-12);
    }

    #[test]
    fn the_interval_is_that_of_the_normal_distribution_where_queries_are_many() {
        // Differences of +1 and -1 in turn: the mean of 400 has a standard error of 1/20.
        let pairs: Vec<(f64, f64)> = (0..400).map(|i| if i % 2 == 0 { (1.0, 0.0) } else { (0.0, 1.0) }).collect();
        let difference = Difference::of(&pairs);
        assert!((difference.high - 1.96 / 20.0).abs() < 0.01, "{difference:?}");
        assert!((difference.low + 1.96 / 20.0).abs() < 0.01, "{difference:?}");
    }

    #[test]
    fn the_seed_is_fixed_and_no_query_is_no_difference() {
        let pairs = better(60, 7, 0.4);
        assert_eq!(Difference::of(&pairs), Difference::of(&pairs));
        assert_eq!(Difference::of(&[]).n_queries, 0);
        assert!(!Difference::of(&[]).is_beyond_noise());
    }
}
