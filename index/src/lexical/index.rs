//! [`LexicalIndex`]: one layer's posting lists, open for reading.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use tantivy::TantivyError;
use tantivy::directory::MmapDirectory;
use tantivy::fieldnorm::FieldNormReader;
use tantivy::index::{Index, InvertedIndexReader, SegmentReader};
use tantivy::postings::{BlockSegmentPostings, TermInfo};
use tantivy::schema::IndexRecordOption;

use super::fields::{self, FieldLengths, N_FIELDS, NAME};
use super::spelling;
use crate::places::Layered;

/// One layer's posting lists, open for reading.
pub(crate) struct LexicalIndex {
    fields: [FieldReader; N_FIELDS],
    n_documents: u32,
}

/// What is needed of one field at query time.
struct FieldReader {
    postings: Arc<InvertedIndexReader>,
    lengths: FieldNormReader,
}

/// A term's posting list in one field of one layer.
pub(super) struct PostingList<'a> {
    pub layer: usize,
    /// Of the field.
    pub place: usize,
    field: &'a FieldReader,
    info: TermInfo,
}

impl LexicalIndex {
    /// Opens the index that [`super::build`] wrote into `dir`. Only the segment is opened, not tantivy's own reader, which
    /// would write a lock file into the generation.
    pub fn open(dir: &Path) -> tantivy::Result<Self> {
        let segments = Index::open(MmapDirectory::open(dir)?)?.searchable_segments()?;
        let [segment] = segments.as_slice() else {
            return Err(TantivyError::InvalidArgument(format!("expected one segment, found {}", segments.len())));
        };
        let reader = SegmentReader::open(segment)?;
        let (_, fields) = fields::schema();
        let mut readers = Vec::with_capacity(N_FIELDS);
        for field in fields {
            readers.push(FieldReader {
                postings: reader.inverted_index(field)?,
                lengths: reader.get_fieldnorms_reader(field)?,
            });
        }
        let fields = readers.try_into().map_err(|_| TantivyError::InternalError("a field is missing".to_owned()))?;
        Ok(Self { fields, n_documents: reader.max_doc() })
    }

    /// How many documents there are: as many as the layer has tools.
    pub fn n_documents(&self) -> usize {
        self.n_documents as usize
    }
}

impl Layered<LexicalIndex> {
    /// The terms that the documents hold, per field. Costs a read of one byte per document and field.
    pub fn lengths_of(&self, documents: impl Iterator<Item = u32>) -> FieldLengths {
        let mut lengths = [0; N_FIELDS];
        for document in documents {
            let (index, row) = self.at(document);
            for (length, field) in lengths.iter_mut().zip(&index.fields) {
                *length += u64::from(field.lengths.fieldnorm(row as u32));
            }
        }
        lengths
    }

    /// How many terms a document's name has.
    pub(super) fn name_length(&self, document: u32) -> u32 {
        let (index, row) = self.at(document);
        index.fields[NAME].lengths.fieldnorm(row as u32)
    }

    /// The posting lists of a term, by layer and field.
    pub(super) fn lists(&self, term: &str) -> tantivy::Result<Vec<PostingList<'_>>> {
        let mut lists = Vec::new();
        for (layer, index) in self.parts() {
            for (place, field) in index.fields.iter().enumerate() {
                if let Some(info) = field.postings.terms().get(term)? {
                    lists.push(PostingList { layer, place, field, info });
                }
            }
        }
        Ok(lists)
    }

    /// The words of names that are one slip away from a term, sorted, whoever may see them.
    pub(super) fn names_near(&self, term: &str) -> tantivy::Result<BTreeSet<String>> {
        let mut found = BTreeSet::new();
        for (_, index) in self.parts() {
            spelling::near(&index.fields[NAME].postings, term, &mut found)?;
        }
        Ok(found)
    }
}

impl PostingList<'_> {
    /// Its rows and the term's frequencies there, 128 at a time.
    pub fn open(&self) -> tantivy::Result<BlockSegmentPostings> {
        let with_frequencies = IndexRecordOption::WithFreqs;
        Ok(self.field.postings.read_block_postings_from_terminfo(&self.info, with_frequencies)?)
    }

    /// How many terms a row's field has, as the byte in which tantivy keeps it.
    pub fn length_id(&self, row: u32) -> usize {
        usize::from(self.field.lengths.fieldnorm_id(row))
    }
}
