//! [`Judged`]: what is thought of the texts of a layer's rows.

use std::sync::atomic::{AtomicU8, Ordering};

use crate::suspicion::Suspicion;

/// Nobody looked yet.
const UNKNOWN: u8 = 0;
/// Somebody looked, and there is nothing to say. A suspicion is kept as its place in [`Suspicion::ALL`] behind this.
const CLEAN: u8 = 1;

/// A judgement for each row, made when it is first asked for: judging all would cost every open a pass over all texts. It
/// depends on the row's text alone, so it does not matter who asks first.
pub(super) struct Judged(Box<[AtomicU8]>);

impl Judged {
    /// Of `n_rows` rows that nobody looked at.
    pub fn new(n_rows: usize) -> Self {
        Self((0..n_rows).map(|_| AtomicU8::new(UNKNOWN)).collect())
    }

    /// What is thought of a row; `judge` is called where nobody looked yet.
    pub fn of(&self, row: usize, judge: impl FnOnce() -> Option<Suspicion>) -> Option<Suspicion> {
        let Some(kept) = self.0.get(row) else { return judge() };
        match kept.load(Ordering::Relaxed) {
            UNKNOWN => {
                let suspicion = judge();
                let place = suspicion.and_then(|of| Suspicion::ALL.iter().position(|&one| one == of));
                kept.store(place.map_or(CLEAN, |place| CLEAN + 1 + place as u8), Ordering::Relaxed);
                suspicion
            }
            known => Suspicion::ALL.get(usize::from(known).wrapping_sub(usize::from(CLEAN) + 1)).copied(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_judgement_is_made_once_and_kept() {
        let judged = Judged::new(Suspicion::ALL.len() + 1);
        let verdicts = Suspicion::ALL.into_iter().map(Some).chain([None]);
        for (row, verdict) in verdicts.enumerate() {
            assert_eq!(judged.of(row, || verdict), verdict);
            assert_eq!(judged.of(row, || unreachable!("it is kept")), verdict);
        }
    }
}
