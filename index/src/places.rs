//! [`Places`]: where each document stands, in a generation that is made of layers.
//!
//! A generation is a base, or a base with a delta over it: rows of the base are hidden (removed, or said anew), and the
//! delta has rows of its own. Everything above the files counts in *documents*: all rows that are there, in ref order,
//! whatever layer they stand in. So a namespace is a range, versions are neighbours, equal scores fall into ref order, and
//! an answer does not depend on how the generation came about.

use std::ops::Range;
use std::sync::Arc;

use roaring::RoaringBitmap;

use crate::tool_ref::ToolRef;

/// The most rows of a layer: a place is a row and one bit.
pub(crate) const ROWS_MAX: usize = 1 << 31;
/// The base, and the place of its part in [`Layered`].
pub(crate) const BASE: usize = 0;
/// The delta, likewise.
pub(crate) const DELTA: usize = 1;

/// Set in a place that is a row of the delta.
const IN_DELTA: u32 = 1 << 31;
/// The document of a row that is hidden.
const HIDDEN: u32 = u32::MAX;

/// Documents and rows, either way in O(1).
#[derive(Debug)]
pub(crate) enum Places {
    /// A base alone: document and row are the same number.
    Whole(u32),
    /// A base with a delta over it.
    Merged {
        /// The row of each document, with [`IN_DELTA`] where it is one of the delta.
        rows: Box<[u32]>,
        /// The document of each row, or [`HIDDEN`]; of the base and of the delta.
        documents: [Box<[u32]>; 2],
    },
}

impl Places {
    /// Merges two layers, each in ref order. `base` gives the ref of each row; rows in `hidden` are left out.
    ///
    /// # Errors
    /// The first error of `base`.
    pub fn merge<E>(
        base: impl ExactSizeIterator<Item = Result<ToolRef, E>>,
        hidden: &RoaringBitmap,
        delta: &[ToolRef],
    ) -> Result<Self, E> {
        let mut documents = [vec![HIDDEN; base.len()].into_boxed_slice(), vec![HIDDEN; delta.len()].into_boxed_slice()];
        let mut rows = Vec::with_capacity(base.len() + delta.len());
        let mut next = 0;
        for (row, reference) in base.enumerate() {
            if hidden.contains(row as u32) {
                continue;
            }
            let reference = reference?;
            while delta.get(next).is_some_and(|delta| *delta < reference) {
                documents[DELTA][next] = rows.len() as u32;
                rows.push(next as u32 | IN_DELTA);
                next += 1;
            }
            documents[BASE][row] = rows.len() as u32;
            rows.push(row as u32);
        }
        for (row, document) in documents[DELTA].iter_mut().enumerate().skip(next) {
            *document = rows.len() as u32;
            rows.push(row as u32 | IN_DELTA);
        }
        Ok(Self::Merged { rows: rows.into(), documents })
    }

    /// How many documents there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Whole(n_rows) => *n_rows as usize,
            Self::Merged { rows, .. } => rows.len(),
        }
    }

    /// The layer and row of a document.
    pub fn row(&self, document: u32) -> (usize, usize) {
        match self {
            Self::Whole(_) => (BASE, document as usize),
            Self::Merged { rows, .. } => {
                let place = rows[document as usize];
                (usize::from(place & IN_DELTA != 0), (place & !IN_DELTA) as usize)
            }
        }
    }

    /// The document of a layer's row; `None` where the row is hidden.
    pub fn document(&self, layer: usize, row: u32) -> Option<u32> {
        match self {
            Self::Whole(_) => Some(row),
            Self::Merged { documents, .. } => {
                let document = documents[layer][row as usize];
                (document != HIDDEN).then_some(document)
            }
        }
    }

    /// The rows of a layer between which all its documents of a range stand, hidden ones among them. The range may go past the
    /// last document. Costs a look at the documents at its ends that stand in the other layer.
    pub fn rows(&self, layer: usize, documents: Range<u32>) -> Range<u32> {
        match self {
            Self::Whole(n_rows) => documents.start.min(*n_rows)..documents.end.min(*n_rows),
            Self::Merged { rows, .. } => {
                let end = rows.len().min(documents.end as usize);
                let span = rows.get(documents.start as usize..end).unwrap_or_default();
                let is_there = |place: &&u32| (**place & IN_DELTA != 0) == (layer == DELTA);
                match (span.iter().find(is_there), span.iter().rfind(is_there)) {
                    (Some(first), Some(last)) => first & !IN_DELTA..(last & !IN_DELTA) + 1,
                    _ => 0..0,
                }
            }
        }
    }

    /// The documents that stand in the delta, in ref order.
    pub fn of_delta(&self) -> &[u32] {
        match self {
            Self::Whole(_) => &[],
            Self::Merged { documents, .. } => &documents[DELTA],
        }
    }
}

/// One part of every layer (tables, vectors or posting lists), read by document.
pub(crate) struct Layered<T> {
    /// The base's, and the delta's where there is one.
    parts: Vec<Arc<T>>,
    places: Arc<Places>,
}

impl<T> Layered<T> {
    /// The parts in the order of the layers.
    pub fn new(parts: Vec<Arc<T>>, places: Arc<Places>) -> Self {
        Self { parts, places }
    }

    /// A base alone.
    #[cfg(test)]
    pub fn whole(part: T, n_rows: usize) -> Self {
        Self::new(vec![Arc::new(part)], Arc::new(Places::Whole(n_rows as u32)))
    }

    /// The part that a document stands in, and its row there.
    pub fn at(&self, document: u32) -> (&T, usize) {
        let (layer, row) = self.places.row(document);
        (&self.parts[layer], row)
    }

    /// Each layer's part with the layer's number.
    pub fn parts(&self) -> impl Iterator<Item = (usize, &T)> {
        self.parts.iter().map(|part| &**part).enumerate()
    }

    /// Where each document stands.
    pub fn places(&self) -> &Places {
        &self.places
    }

    /// How many documents there are.
    pub fn len(&self) -> usize {
        self.places.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference(name: &str) -> ToolRef {
        ToolRef::new("s", "n", name, None).expect("a ref")
    }

    #[test]
    fn two_layers_merge_into_ref_order_and_are_found_either_way() {
        let base = ["b", "d", "f", "h"].map(reference);
        let delta = ["a", "d", "g", "z"].map(reference);
        let hidden = RoaringBitmap::from([1, 3]);
        let places = Places::merge::<()>(base.iter().cloned().map(Ok), &hidden, &delta).expect("no error");
        let names: Vec<&str> = (0..places.len() as u32)
            .map(|document| {
                let (layer, row) = places.row(document);
                assert_eq!(places.document(layer, row as u32), Some(document));
                [&base, &delta][layer][row].name()
            })
            .collect();
        assert_eq!(names, ["a", "b", "d", "f", "g", "z"]);
        assert_eq!((places.document(BASE, 1), places.document(BASE, 3)), (None, None));
        assert_eq!(places.of_delta(), [0, 2, 4, 5]);
        // a b | d(delta) f | g z, where base rows 1 and 3 are hidden.
        for (documents, of_base, of_delta) in
            [(0..2, 0..1, 0..1), (2..4, 2..3, 1..2), (4..9, 0..0, 2..4), (0..6, 0..3, 0..4), (7..9, 0..0, 0..0)]
        {
            assert_eq!((places.rows(BASE, documents.clone()), places.rows(DELTA, documents)), (of_base, of_delta));
        }
    }

    #[test]
    fn a_base_alone_is_counted_in_rows() {
        let places = Places::Whole(3);
        assert_eq!((places.len(), places.row(2), places.document(BASE, 2)), (3, (BASE, 2), Some(2)));
        assert!(places.of_delta().is_empty());
    }
}
