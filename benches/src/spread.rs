//! [`is_chosen`]: some of many, spread evenly.

/// Whether the one at `place` is among the `n_chosen` of `n_all`, the first of them always. Exactly so many are.
pub(crate) fn is_chosen(place: usize, n_chosen: usize, n_all: usize) -> bool {
    place * n_chosen % n_all.max(1) < n_chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_so_many_are_chosen_and_no_gap_is_longer_than_another_by_more_than_one() {
        for n_all in [1, 2, 7, 100, 101] {
            for n_chosen in 1..=n_all {
                let chosen: Vec<usize> = (0..n_all).filter(|&place| is_chosen(place, n_chosen, n_all)).collect();
                assert_eq!((chosen.len(), chosen[0]), (n_chosen, 0));
                let gaps = chosen.windows(2).map(|pair| pair[1] - pair[0]);
                assert!(gaps.clone().max().unwrap_or(1) - gaps.min().unwrap_or(1) <= 1, "{n_chosen} of {n_all}");
            }
            assert!((0..n_all).all(|place| is_chosen(place, n_all + 3, n_all)), "there are no more");
        }
    }
}
