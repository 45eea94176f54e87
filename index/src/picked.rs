//! [`Picked`]: the tools that a grant shows in one generation, to be counted and compared.

use roaring::RoaringBitmap;

/// Tools of one snapshot, in all versions. Made by [`crate::Snapshot::picked`] and meaningful in that snapshot alone. To
/// search or read inside a grant, resolve it with [`crate::Snapshot::allow`].
#[derive(Clone, Debug, PartialEq)]
pub struct Picked(pub(crate) RoaringBitmap);

impl Picked {
    /// How many.
    pub fn len(&self) -> u64 {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether all of them are among the others.
    pub fn is_within(&self, others: &Self) -> bool {
        self.0.is_subset(&others.0)
    }

    /// Those that are not among the others.
    #[must_use]
    pub fn without(&self, others: &Self) -> Self {
        Self(&self.0 - &others.0)
    }
}
