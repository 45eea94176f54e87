//! The figures of one query, as trec_eval defines them.
//!
//! Each function takes the grades of the hits in rank order (0 for a tool that nobody judged) and the grades of every
//! judged tool of the query, found or not. A grade of at least 1 is relevant. Järvelin and Kekäläinen, "Cumulated
//! gain-based evaluation of IR techniques" (2002), in trec_eval's form: the gain is the grade itself, not 2^grade - 1.

use serde::{Deserialize, Serialize};

/// The figures of one query, or their means over many. All lie in 0..=1; higher is better.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Normalised discounted cumulated gain of the first ten (trec_eval's `ndcg_cut_10`).
    pub ndcg_at_10: f64,
    /// Share of the relevant tools that is among the first one (`recall_1`).
    pub recall_at_1: f64,
    /// Likewise among the first five (`recall_5`).
    pub recall_at_5: f64,
    /// Likewise among the first ten (`recall_10`).
    pub recall_at_10: f64,
    /// Likewise among the first twenty (`recall_20`).
    pub recall_at_20: f64,
    /// 1 when every relevant tool is among the first ten, else 0: what an agent needs whose task takes several tools.
    pub completeness_at_10: f64,
    /// One over the rank of the first relevant tool (`recip_rank`), 0 when none was retrieved.
    pub mrr: f64,
    /// 1 when the first hit is relevant, else 0 (`P_1`, `success_1`).
    pub hit_at_1: f64,
}

impl Figures {
    /// Every figure under the heading that tables give it, in their order.
    pub fn columns(&self) -> [(&'static str, f64); 8] {
        [
            ("nDCG@10", self.ndcg_at_10),
            ("R@1", self.recall_at_1),
            ("R@5", self.recall_at_5),
            ("R@10", self.recall_at_10),
            ("R@20", self.recall_at_20),
            ("C@10", self.completeness_at_10),
            ("MRR", self.mrr),
            ("hit@1", self.hit_at_1),
        ]
    }

    /// The figures of one query.
    pub fn of(ranked: &[u32], judged: &[u32]) -> Self {
        Self {
            ndcg_at_10: ndcg(ranked, judged, 10),
            recall_at_1: recall(ranked, judged, 1),
            recall_at_5: recall(ranked, judged, 5),
            recall_at_10: recall(ranked, judged, 10),
            recall_at_20: recall(ranked, judged, 20),
            completeness_at_10: completeness(ranked, judged, 10),
            mrr: reciprocal_rank(ranked),
            hit_at_1: hit(ranked),
        }
    }

    /// The mean of each figure over queries, every query of the same weight; zeros where there is no query.
    pub fn mean(queries: &[Self]) -> Self {
        let mean = |figure: fn(&Self) -> f64| queries.iter().map(figure).sum::<f64>() / (queries.len().max(1)) as f64;
        Self {
            ndcg_at_10: mean(|f| f.ndcg_at_10),
            recall_at_1: mean(|f| f.recall_at_1),
            recall_at_5: mean(|f| f.recall_at_5),
            recall_at_10: mean(|f| f.recall_at_10),
            recall_at_20: mean(|f| f.recall_at_20),
            completeness_at_10: mean(|f| f.completeness_at_10),
            mrr: mean(|f| f.mrr),
            hit_at_1: mean(|f| f.hit_at_1),
        }
    }
}

/// nDCG@k. The ideal order is taken over every judged tool, retrieved or not. 0 where nothing is relevant.
pub fn ndcg(ranked: &[u32], judged: &[u32], k: usize) -> f64 {
    let mut ideal = judged.to_vec();
    ideal.sort_unstable_by(|a, b| b.cmp(a));
    ratio(dcg(ranked, k), dcg(&ideal, k))
}

/// Share of the relevant tools among the first k. Over k relevant ones it cannot reach 1. 0 where nothing is relevant.
pub fn recall(ranked: &[u32], judged: &[u32], k: usize) -> f64 {
    ratio(n_relevant(head(ranked, k)) as f64, n_relevant(judged) as f64)
}

/// 1 when all relevant tools are among the first k, else 0; also 0 where nothing is relevant.
pub fn completeness(ranked: &[u32], judged: &[u32], k: usize) -> f64 {
    let wanted = n_relevant(judged);
    f64::from(u8::from(wanted > 0 && n_relevant(head(ranked, k)) == wanted))
}

/// One over the rank of the first relevant hit, 0 where there is none.
pub fn reciprocal_rank(ranked: &[u32]) -> f64 {
    ranked.iter().position(|&grade| grade > 0).map_or(0.0, |place| 1.0 / (place + 1) as f64)
}

/// 1 when the first hit is relevant, else 0.
pub fn hit(ranked: &[u32]) -> f64 {
    f64::from(u8::from(ranked.first().is_some_and(|&grade| grade > 0)))
}

/// The value of which a share `q` (0..=1) of the values lies at or below, by the nearest rank; 0 where there is none.
pub fn percentile(sorted: &[f64], q: f64) -> f64 {
    let rank = (q * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.clamp(1, sorted.len().max(1)) - 1).copied().unwrap_or(0.0)
}

/// Sum of grade / log2(rank + 1) over the first k.
fn dcg(grades: &[u32], k: usize) -> f64 {
    head(grades, k).iter().zip(2_u32..).map(|(&grade, place)| f64::from(grade) / f64::from(place).log2()).sum()
}

fn n_relevant(grades: &[u32]) -> usize {
    grades.iter().filter(|&&grade| grade > 0).count()
}

fn head(grades: &[u32], k: usize) -> &[u32] {
    &grades[..k.min(grades.len())]
}

fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(got: f64, expected: f64) {
        assert!((got - expected).abs() < 1e-9, "got {got}, expected {expected}");
    }

    #[test]
    fn ndcg_discounts_by_the_logarithm_of_the_rank() {
        near(ndcg(&[1, 0, 0], &[1], 10), 1.0);
        near(ndcg(&[0, 1, 0], &[1], 10), 0.630_929_753_571_457_4);
        // Ranks 2 and 4 of two relevant: (1/log2 3 + 1/log2 5) / (1 + 1/log2 3).
        near(ndcg(&[0, 1, 0, 1], &[1, 1], 10), 0.650_920_929_807_132_6);
    }

    #[test]
    fn the_gain_is_the_grade_and_not_a_power_of_two() {
        // (1 + 3/log2 3) / (3 + 1/log2 3); with exponential gain it would be .710.
        near(ndcg(&[1, 3], &[3, 1], 10), 0.796_707_580_990_506_6);
    }

    #[test]
    fn what_was_not_retrieved_lowers_ndcg_and_recall() {
        near(ndcg(&[1], &[1, 1], 10), 1.0 / (1.0 + 1.0 / 3f64.log2()));
        near(recall(&[1, 0, 0], &[1, 1, 1, 0], 10), 1.0 / 3.0);
        near(completeness(&[1, 0, 0], &[1, 1], 10), 0.0);
    }

    #[test]
    fn only_the_first_k_count() {
        let mut ranked = vec![0; 10];
        ranked.push(1);
        near(ndcg(&ranked, &[1], 10), 0.0);
        near(recall(&ranked, &[1], 10), 0.0);
        near(recall(&ranked, &[1], 20), 1.0);
        near(completeness(&ranked, &[1], 10), 0.0);
        near(reciprocal_rank(&ranked), 1.0 / 11.0);
    }

    #[test]
    fn the_ideal_is_cut_at_k_too() {
        near(ndcg(&[1; 10], &[1; 15], 10), 1.0);
        near(recall(&[1; 10], &[1; 15], 10), 10.0 / 15.0);
        near(completeness(&[1; 10], &[1; 15], 10), 0.0);
    }

    #[test]
    fn a_judged_tool_of_grade_zero_is_not_relevant() {
        near(hit(&[0, 1]), 0.0);
        near(recall(&[0, 1], &[0, 1], 1), 0.0);
        near(completeness(&[1, 0], &[1, 0], 10), 1.0);
    }

    #[test]
    fn no_hits_and_no_judgements_are_zeros_and_not_nan() {
        for figures in [Figures::of(&[], &[1]), Figures::of(&[], &[]), Figures::of(&[0], &[0]), Figures::mean(&[])] {
            assert_eq!(figures, Figures::default());
        }
    }

    #[test]
    fn the_mean_gives_every_query_the_same_weight() {
        let mean = Figures::mean(&[Figures::of(&[1, 1], &[1, 1]), Figures::of(&[0, 1], &[1])]);
        near(mean.mrr, 0.75);
        near(mean.recall_at_1, 0.25);
        near(mean.hit_at_1, 0.5);
    }

    #[test]
    fn percentiles_are_values_that_occurred() {
        let hundred: Vec<f64> = (1..=100).map(f64::from).collect();
        near(percentile(&hundred, 0.5), 50.0);
        near(percentile(&hundred, 0.95), 95.0);
        near(percentile(&[7.0], 0.95), 7.0);
        near(percentile(&[], 0.5), 0.0);
    }
}
