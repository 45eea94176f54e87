//! [`AllowedSet`]: a grant resolved against one generation.

use std::ops::Range;
use std::sync::Arc;

use roaring::RoaringBitmap;

use crate::lexical::FieldLengths;
use crate::unseen::Unseen;

/// The most documents of a stretch.
pub(crate) const STRETCH_MAX: usize = 4_096;
/// So many documents that are not allowed end a stretch. To read past fewer in a posting list is as cheap as to skip them.
const GAP_MAX: usize = 128;

/// The tools of one snapshot that somebody may see, and the statistics over them that ranking needs.
///
/// Both retrieval legs, details, counts and listings take one, and touch nothing outside it. It is made by
/// [`crate::Snapshot::allow`] and belongs to that snapshot alone. Immutable; put it in an `Arc` to share it.
#[derive(Clone, Debug, PartialEq)]
pub struct AllowedSet {
    /// The generation that it belongs to.
    generation: u64,
    /// All that may be read by ref: every granted tool in every version.
    readable: RoaringBitmap,
    /// All that a search may find: of the readable, the newest version of each, and nothing that a filter takes away.
    searchable: RoaringBitmap,
    /// `searchable` again, one bit a document, for a test in the inner loop of both legs.
    bits: Box<[u64]>,
    /// Where documents of `searchable` are.
    stretches: Box<[Range<u32>]>,
    /// Terms per field, summed over `searchable`.
    lengths: FieldLengths,
    /// What its holder asked for in vain. Narrowed sets share it.
    unseen: Arc<Unseen>,
}

impl AllowedSet {
    pub(crate) fn new(
        generation: u64,
        readable: RoaringBitmap,
        searchable: RoaringBitmap,
        n_documents: usize,
        lengths: FieldLengths,
    ) -> Self {
        let mut bits = vec![0_u64; n_documents.div_ceil(64)].into_boxed_slice();
        for document in &searchable {
            bits[document as usize / 64] |= 1 << (document % 64);
        }
        let stretches = stretches(&bits);
        Self { generation, readable, searchable, bits, stretches, lengths, unseen: Arc::default() }
    }

    /// The same set, sharing with `other`, of the same readable tools, what was asked for in vain.
    pub(crate) fn beside(self, other: &Self) -> Self {
        Self { unseen: other.unseen.clone(), ..self }
    }

    /// Tools that may be read, in all versions.
    pub fn len(&self) -> u64 {
        self.readable.len()
    }

    /// Whether nothing may be seen.
    pub fn is_empty(&self) -> bool {
        self.readable.is_empty()
    }

    /// Tools that a search may find.
    pub fn n_searchable(&self) -> u64 {
        self.searchable.len()
    }

    /// The generation that it belongs to.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    pub(crate) fn readable(&self) -> &RoaringBitmap {
        &self.readable
    }

    pub(crate) fn searchable(&self) -> &RoaringBitmap {
        &self.searchable
    }

    /// `searchable` as one bit a document, 64 to a word.
    pub(crate) fn bits(&self) -> &[u64] {
        &self.bits
    }

    /// Where documents of `searchable` are: between these there are none. Each begins and ends at a multiple of 64 and has at
    /// most [`STRETCH_MAX`] documents.
    pub(crate) fn stretches(&self) -> &[Range<u32>] {
        &self.stretches
    }

    pub(crate) fn unseen(&self) -> &Unseen {
        &self.unseen
    }

    pub(crate) fn lengths(&self) -> &FieldLengths {
        &self.lengths
    }

    /// Whether a search may find the document. A few cycles.
    pub(crate) fn is_searchable(&self, document: u32) -> bool {
        self.bits.get(document as usize / 64).is_some_and(|word| word >> (document % 64) & 1 == 1)
    }
}

fn stretches(bits: &[u64]) -> Box<[Range<u32>]> {
    let mut stretches: Vec<Range<usize>> = Vec::new();
    for (word, _) in bits.iter().enumerate().filter(|&(_, &bits)| bits != 0) {
        let (start, end) = (word * 64, word * 64 + 64);
        match stretches.last_mut() {
            Some(last) if start - last.end <= GAP_MAX && end - last.start <= STRETCH_MAX => last.end = end,
            _ => stretches.push(start..end),
        }
    }
    stretches.into_iter().map(|stretch| stretch.start as u32..stretch.end as u32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stretches_hold_all_that_is_searchable() {
        let mut rng = fastrand::Rng::with_seed(7);
        for n in [0, 1, 64, 65, 5_000, 20_000] {
            for share in [0.0, 0.001, 0.02, 0.5, 1.0] {
                let set: RoaringBitmap = (0..n as u32).filter(|_| rng.f32() < share).collect();
                let allowed = AllowedSet::new(1, set.clone(), set.clone(), n, Default::default());
                let mut held = 0;
                for (place, stretch) in allowed.stretches().iter().enumerate() {
                    assert!(stretch.start % 64 == 0 && stretch.end % 64 == 0, "{stretch:?}");
                    assert!((64..=STRETCH_MAX).contains(&stretch.len()), "{stretch:?}");
                    assert!(place == 0 || allowed.stretches()[place - 1].end <= stretch.start, "{stretch:?}");
                    held += set.range_cardinality(stretch.clone());
                }
                assert_eq!(held, set.len(), "{share} of {n}");
            }
        }
    }
}
