//! [`AllowedSet`]: a grant resolved against one generation.

use std::sync::Arc;

use roaring::RoaringBitmap;

use crate::lexical::FieldLengths;
use crate::unseen::Unseen;

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
        Self { generation, readable, searchable, bits, lengths, unseen: Arc::default() }
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
