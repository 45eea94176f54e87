//! Slips of spelling: the words of names that are one slip away from a word that nobody has.

use std::collections::BTreeSet;
use std::str;

use tantivy::Term;
use tantivy::index::InvertedIndexReader;
use tantivy::query::FuzzyTermQuery;
use tantivy::schema::Field;

use super::fields::NAME;
use crate::query_class::QueryClass;

/// What a word counts that is meant by a slip. It may be a guess: the word may be no tool's, and rightly so.
pub(super) const SLIP_WEIGHT: f32 = 0.5;
/// Shorter words are one slip away from too many others.
const CHARS_MIN: usize = 5;

/// Whether a query spells a name. Other words are often no tool's, rightly so, and to look for what they may mean takes longer than
/// all else of a search in a small set.
pub(super) fn spells_name(query: &str) -> bool {
    QueryClass::of(query) == QueryClass::Identifier
}

/// Adds to `found` the terms of `names` that one letter more, less, changed, or exchanged with its neighbour makes of `term`
/// (Damerau, 1964). Costs a walk of the dictionary with a Levenshtein automaton (Schulz and Mihov, 2002): some 100 us.
pub(super) fn near(names: &InvertedIndexReader, term: &str, found: &mut BTreeSet<String>) -> tantivy::Result<()> {
    if term.chars().count() < CHARS_MIN || term.chars().any(char::is_numeric) {
        return Ok(());
    }
    let names_field = Field::from_field_id(NAME as u32);
    let automaton = FuzzyTermQuery::new(Term::from_field_text(names_field, term), 1, true).automaton()?;
    let mut stream = names.terms().search(automaton).into_stream()?;
    // No bound: words of hidden tools would count towards it. One slip makes some 70 words of each letter at the most.
    while stream.advance() {
        if let Ok(text) = str::from_utf8(stream.key()) {
            found.insert(text.to_owned());
        }
    }
    Ok(())
}
