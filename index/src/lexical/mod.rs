//! The lexical leg: tantivy's posting lists, scored by BM25F with statistics over the allowed set alone.
//!
//! tantivy knows BM25 for one field, and a sum of it over fields lets a word that stands in several count several times:
//! on the development sets it loses up to .085 nDCG@10 against BM25F (`benches/HISTORY.md`).

mod analyzer;
mod build;
mod fields;
mod index;
mod matches;
mod occurrences;
mod reading;
mod search;
mod spelling;
mod stop_words;

pub use analyzer::identifier_words;
pub(crate) use build::build;
pub(crate) use fields::FieldLengths;
pub(crate) use index::LexicalIndex;
pub(crate) use matches::Closer;
