//! Reads the posting lists and scores them.

use std::collections::BTreeMap;
use std::path::Path;

use tantivy::directory::MmapDirectory;
use tantivy::fieldnorm::FieldNormReader;
use tantivy::index::{Index, InvertedIndexReader, SegmentReader};
use tantivy::postings::{Postings, SegmentPostings, TermInfo};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{DocSet, TERMINATED, TantivyError, Term};

use super::analyzer;
use super::fields::{self, FIELD_B, FIELD_WEIGHTS, FieldLengths, K1, N_FIELDS, NAME};
use crate::allowed::AllowedSet;
use crate::fusion::{Scored, best};
use crate::places::Layered;
use crate::unseen::Asked;

/// The most different terms of a query that are looked up; longer queries are cut. Real ones have fewer than 100.
const QUERY_TERMS_MAX: usize = 256;

/// One layer's posting lists, open for reading.
pub(crate) struct LexicalIndex {
    fields: [FieldReader; N_FIELDS],
    n_documents: u32,
}

/// What a query's terms have in common with the documents of an allowed set.
#[derive(Default)]
pub(crate) struct Matches {
    /// Where a document stands in `found`, counted from 1; 0 where it holds none of the terms.
    slots: Vec<u32>,
    found: Vec<(u32, Match)>,
    /// The weight (inverse document frequency) of all the query's terms, those that no document holds included.
    pub mass: f32,
}

/// What a query's terms have in common with one document.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Match {
    /// BM25F; 0 where it holds none of them.
    pub score: f32,
    /// The weight of the terms that it holds.
    pub mass: f32,
    /// How many different ones its name holds.
    pub name_terms: u8,
}

impl Matches {
    /// The `k` best by BM25F, best first.
    pub fn best(&self, k: usize) -> Vec<Scored> {
        best(self.found.iter().map(|&(document, Match { score, .. })| Scored { document, score }), k)
    }

    /// What the query has in common with a document.
    pub fn of(&self, document: u32) -> Match {
        let slot = self.slots.get(document as usize).map_or(0, |&slot| slot as usize);
        slot.checked_sub(1).and_then(|place| self.found.get(place)).map_or(Match::default(), |&(_, found)| found)
    }

    fn of_mut(&mut self, document: u32) -> &mut Match {
        let slot = &mut self.slots[document as usize];
        if *slot == 0 {
            self.found.push((document, Match::default()));
            *slot = self.found.len() as u32;
        }
        &mut self.found[*slot as usize - 1].1
    }
}

/// What is needed of one field at query time.
struct FieldReader {
    field: Field,
    postings: std::sync::Arc<InvertedIndexReader>,
    lengths: FieldNormReader,
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
                field,
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

    /// Scores the allowed documents by BM25F (Robertson, Zaragoza and Taylor, 2004): a term's weighted
    /// frequencies in all fields are summed before they saturate, so that repeating it, in one field or in several, gains
    /// ever less.
    ///
    /// The posting lists are tantivy's. Each is read once, from start to end, and yields the document frequency inside the
    /// allowed set together with the frequencies to be scored with it; pruning (block-max WAND) would need document
    /// frequencies beforehand, and those cost the same read. Scores are added in one fixed order, so that a tool's score
    /// depends on nothing but the query, the tool and the allowed set's statistics, to the last bit.
    pub fn search(&self, query: &str, allowed: &AllowedSet) -> tantivy::Result<Matches> {
        if allowed.n_searchable() == 0 {
            return Ok(Matches::default());
        }
        let n_allowed = allowed.n_searchable() as f32;
        let normalisers: Vec<[f32; 256]> =
            (0..N_FIELDS).map(|place| normaliser(place, allowed.lengths()[place] as f32 / n_allowed)).collect();
        let mut matches = Matches { slots: vec![0; self.len()], ..Matches::default() };
        let mut frequencies = vec![0.0_f32; self.len()];
        let mut fields = vec![0_u8; self.len()];
        let mut matching = Vec::new();
        for (term, repeats) in counted_terms(query) {
            let lists = self.lists(&term)?;
            if lists.is_empty() || allowed.unseen().holds(Asked::Term, &term) {
                matches.mass += idf(n_allowed, 0.0);
                continue;
            }
            for list in &lists {
                let mut postings = list.open()?;
                let mut row = postings.doc();
                while row != TERMINATED {
                    let document = self.places().document(list.layer, row);
                    if let Some(document) = document.filter(|&document| allowed.is_searchable(document)) {
                        let (frequency, fields) = (&mut frequencies[document as usize], &mut fields[document as usize]);
                        if *fields == 0 {
                            matching.push(document);
                        }
                        *fields |= 1 << list.place;
                        let length = usize::from(list.reader.lengths.fieldnorm_id(row));
                        *frequency += normalisers[list.place][length] * postings.term_freq() as f32;
                    }
                    row = postings.advance();
                }
            }
            if matching.is_empty() {
                if !self.any_readable(&lists, allowed)? {
                    allowed.unseen().insert(Asked::Term, &term);
                }
                matches.mass += idf(n_allowed, 0.0);
                continue;
            }
            let idf = idf(n_allowed, matching.len() as f32);
            matches.mass += idf;
            for document in matching.drain(..) {
                let frequency = std::mem::take(&mut frequencies[document as usize]);
                let fields = std::mem::take(&mut fields[document as usize]);
                let of = matches.of_mut(document);
                of.score += repeats as f32 * idf * frequency * (K1 + 1.0) / (frequency + K1);
                of.mass += idf;
                of.name_terms = of.name_terms.saturating_add(u8::from(fields & (1 << NAME) != 0));
            }
        }
        Ok(matches)
    }

    /// The share of a document's name that its match covers, 0 to 1: its words that stand in the query.
    pub fn name_cover(&self, document: u32, matched: &Match) -> f32 {
        let (index, row) = self.at(document);
        let n_terms = index.fields[NAME].lengths.fieldnorm(row as u32);
        // A name of several words is a term by itself, beside its words.
        let n_words = if n_terms > 2 { n_terms - 1 } else { n_terms.max(1) };
        (f32::from(matched.name_terms) / n_words as f32).min(1.0)
    }

    /// The posting lists of a term, by layer and field.
    fn lists(&self, term: &str) -> tantivy::Result<Vec<PostingList<'_>>> {
        let mut lists = Vec::new();
        for (layer, index) in self.parts() {
            for (place, reader) in index.fields.iter().enumerate() {
                if let Some(info) = reader.postings.get_term_info(&Term::from_field_text(reader.field, term))? {
                    lists.push(PostingList { layer, place, reader, info });
                }
            }
        }
        Ok(lists)
    }

    /// Whether any of the lists names a readable document.
    fn any_readable(&self, lists: &[PostingList<'_>], allowed: &AllowedSet) -> tantivy::Result<bool> {
        for list in lists {
            let mut postings = list.open()?;
            while postings.doc() != TERMINATED {
                let document = self.places().document(list.layer, postings.doc());
                if document.is_some_and(|document| allowed.readable().contains(document)) {
                    return Ok(true);
                }
                postings.advance();
            }
        }
        Ok(false)
    }
}

/// A term's posting list in one field of one layer.
struct PostingList<'a> {
    layer: usize,
    /// Of the field.
    place: usize,
    reader: &'a FieldReader,
    info: TermInfo,
}

impl PostingList<'_> {
    fn open(&self) -> tantivy::Result<SegmentPostings> {
        Ok(self.reader.postings.read_postings_from_terminfo(&self.info, IndexRecordOption::WithFreqs)?)
    }
}

/// What a term weighs that `holding` of `n` documents hold (BM25's inverse document frequency).
fn idf(n: f32, holding: f32) -> f32 {
    (1.0 + (n - holding + 0.5) / (holding + 0.5)).ln()
}

/// What one occurrence counts in a field, by the document's length there (as tantivy keeps it, in one byte): the field's
/// weight, less for a long document.
fn normaliser(place: usize, average_length: f32) -> [f32; 256] {
    std::array::from_fn(|length| {
        let length = FieldNormReader::id_to_fieldnorm(length as u8) as f32;
        FIELD_WEIGHTS[place] / (1.0 - FIELD_B[place] + FIELD_B[place] * length / average_length)
    })
}

/// The query's different terms with how often each stands there, sorted.
fn counted_terms(query: &str) -> BTreeMap<String, u32> {
    let mut counts = BTreeMap::new();
    for term in analyzer::terms(query) {
        if counts.len() < QUERY_TERMS_MAX || counts.contains_key(&term) {
            *counts.entry(term).or_insert(0) += 1;
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use roaring::RoaringBitmap;
    use tantivy::collector::TopDocs;
    use tantivy::query::{BooleanQuery, BoostQuery, Occur, Query, TermQuery};

    use super::*;
    use crate::testing::random_tools;

    /// The place of the description: the field whose weight is 1 and whose b is tantivy's.
    const DESCRIPTION: usize = 3;

    /// tantivy's own BM25 over the descriptions of all documents: the plain twin where there is one field and no grant.
    fn twin(dir: &Path, query: &str) -> Vec<(u32, f32)> {
        let index = Index::open_in_dir(dir).expect("the index opens");
        let (_, fields) = fields::schema();
        let clauses: Vec<(Occur, Box<dyn Query>)> = counted_terms(query)
            .into_iter()
            .map(|(term, repeats)| {
                let term = Term::from_field_text(fields[DESCRIPTION], &term);
                let term = TermQuery::new(term, IndexRecordOption::WithFreqs);
                let query: Box<dyn Query> = Box::new(BoostQuery::new(Box::new(term), repeats as f32));
                (Occur::Should, query)
            })
            .collect();
        let searcher = index.reader().expect("a reader").searcher();
        let top = searcher.search(&BooleanQuery::new(clauses), &TopDocs::with_limit(1_000).order_by_score());
        top.expect("a search").into_iter().map(|(score, address)| (address.doc_id, score)).collect()
    }

    #[test]
    fn with_one_field_and_no_grant_it_scores_as_tantivy_does() {
        let mut tools = random_tools(7, 300);
        for tool in &mut tools {
            tool.name = "-".to_owned();
            tool.title = None;
            tool.input_schema = None;
        }
        let dir = tempfile::tempdir().expect("a folder");
        super::super::build(dir.path(), &tools).expect("the index is built");
        let index = Layered::whole(LexicalIndex::open(dir.path()).expect("the index opens"), 300);
        let all: RoaringBitmap = (0..300).collect();
        let allowed = AllowedSet::new(1, all.clone(), all, 300, index.lengths_of(0..300));
        for query in ["list files", "delete the calendar event", "карта", "nothing_like_this", "list list files"] {
            let mut ours: Vec<(u32, f32)> = index
                .search(query, &allowed)
                .expect("a search")
                .best(1_000)
                .iter()
                .map(|s| (s.document, s.score))
                .collect();
            let mut theirs = twin(dir.path(), query);
            ours.sort_by_key(|&(document, _)| document);
            theirs.sort_by_key(|&(document, _)| document);
            assert_eq!(ours.len(), theirs.len(), "{query}");
            for (ours, theirs) in ours.iter().zip(&theirs) {
                // tantivy sums in another order, and its average is of exact lengths, ours of those kept in one byte.
                assert!(ours.0 == theirs.0 && (ours.1 / theirs.1 - 1.0).abs() < 0.01, "{query}: {ours:?} {theirs:?}");
            }
        }
    }

    #[test]
    fn stuffing_a_term_gains_ever_less() {
        let mut tools = random_tools(7, 40);
        for (place, tool) in tools.iter_mut().enumerate() {
            tool.description = format!("{} filler", "zebra ".repeat(place));
        }
        let dir = tempfile::tempdir().expect("a folder");
        super::super::build(dir.path(), &tools).expect("the index is built");
        let index = Layered::whole(LexicalIndex::open(dir.path()).expect("the index opens"), 40);
        let all: RoaringBitmap = (0..40).collect();
        let allowed = AllowedSet::new(1, all.clone(), all, 40, index.lengths_of(0..40));
        let hits = index.search("zebra", &allowed).expect("a search").best(40);
        let (most, least) = (hits[0].score, hits[hits.len() - 1].score);
        assert!(most < 2.5 * least, "39 occurrences score {most}, one scores {least}");
    }
}
