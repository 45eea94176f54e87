//! [`Scored`], and [`Best`]: the best of many.

use std::cmp::Ordering;

/// A document and its score, higher is better. A document's number is its tool's place in ref order.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Scored {
    pub document: u32,
    pub score: f32,
}

impl Scored {
    /// Best first: by score, then by ref.
    pub fn by_rank(&self, other: &Self) -> Ordering {
        other.score.total_cmp(&self.score).then(self.document.cmp(&other.document))
    }
}

/// The `k` best, best first. O(n + k log k).
pub(crate) fn best(candidates: impl Iterator<Item = Scored>, k: usize) -> Vec<Scored> {
    let mut best = Best::new(k);
    candidates.for_each(|candidate| best.push(candidate));
    best.into_sorted()
}

/// The `k` best of those that come along. What is worse than `k` others is passed over by one comparison, and what is kept
/// is thinned out now and then: O(1) each.
pub(crate) struct Best {
    k: usize,
    kept: Vec<Scored>,
    /// The last of the `k` best when they were last counted.
    bar: Option<Scored>,
}

impl Best {
    pub fn new(k: usize) -> Self {
        Self { k, kept: Vec::new(), bar: None }
    }

    /// The score below which nothing is kept any more.
    pub fn bar(&self) -> f32 {
        self.bar.map_or(f32::NEG_INFINITY, |bar| bar.score)
    }

    pub fn push(&mut self, candidate: Scored) {
        if self.bar.is_some_and(|bar| candidate.by_rank(&bar).is_gt()) {
            return;
        }
        self.kept.push(candidate);
        if self.kept.len() >= 2 * self.k.max(32) {
            self.thin_out();
        }
    }

    fn thin_out(&mut self) {
        if self.kept.len() > self.k {
            if let Some(last) = self.k.checked_sub(1) {
                let (_, bar, _) = self.kept.select_nth_unstable_by(last, Scored::by_rank);
                self.bar = Some(*bar);
            }
            self.kept.truncate(self.k);
        }
    }

    pub fn into_sorted(mut self) -> Vec<Scored> {
        self.thin_out();
        self.kept.sort_unstable_by(Scored::by_rank);
        self.kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_are_those_of_a_full_sort() {
        let mut rng = fastrand::Rng::with_seed(7);
        for _ in 0..200 {
            let all: Vec<Scored> =
                (0..rng.u32(0..400)).map(|document| Scored { document, score: rng.u32(0..9) as f32 }).collect();
            let mut sorted = all.clone();
            sorted.sort_by(Scored::by_rank);
            let k = rng.usize(0..120);
            sorted.truncate(k);
            assert_eq!(best(all.into_iter(), k), sorted);
        }
    }
}
