//! Scores what the posting lists hold.

use std::collections::BTreeMap;

use tantivy::fieldnorm::FieldNormReader;

use super::analyzer;
use super::fields::{FIELD_B, FIELD_WEIGHTS, K1};
use super::index::LexicalIndex;
use super::matches::{Loan, Match, Matches, Scratch, Term};
use super::occurrences::{IN_NAME, Normalisers, Occurrences};
use super::reading::Reading;
use super::spelling::{self, SLIP_WEIGHT};
use super::stop_words::{STOP_WEIGHT, is_stop_word};
use crate::allowed::AllowedSet;
use crate::places::Layered;
use crate::scored::{Best, Scored};

/// The most different terms of a query that are looked up; longer queries are cut. Real ones have fewer than 100.
const QUERY_TERMS_MAX: usize = 256;
/// What a term counts that the query repeats, however often. A request of several sentences repeats what they have in common, which
/// is not what tells tools apart; BM25 as it is mostly written, in proportion to how often, loses .01 nDCG@10 by it on bfcl and
/// sealtools (`benches/RESULTS.md`).
const REPEATED_WEIGHT: f32 = 1.5;

impl Layered<LexicalIndex> {
    /// Scores the allowed documents by BM25F (Robertson, Zaragoza and Taylor, 2004): a term's weighted
    /// frequencies in all fields are summed before they saturate, so that repeating it, in one field or in several, gains
    /// ever less. Gives the `k` best.
    ///
    /// The posting lists are tantivy's. Where the set has something, each is read once, and yields the document frequency
    /// inside the set together with the frequencies to be scored with it; pruning (block-max WAND) would need document
    /// frequencies beforehand, and those cost the same read. Scores are added in one fixed order, so that a tool's score
    /// depends on nothing but the query, the tool and the allowed set's statistics, to the last bit.
    pub fn search(&self, query: &str, allowed: &AllowedSet, k: usize) -> tantivy::Result<Matches> {
        if allowed.n_searchable() == 0 {
            return Ok(Matches::default());
        }
        let mut scratch = Loan::begin();
        let Scratch { occurrences, scores } = scratch.get();
        occurrences.clear();
        let mut mass = 0.0;
        let terms = self.read(query, allowed, occurrences, &mut mass)?;
        let best = best(&terms, occurrences, allowed, scores, k);
        Ok(Matches { best, mass, terms, scratch })
    }

    /// Reads the terms' posting lists, and turns each frequency into what it adds to its document's score.
    fn read(
        &self,
        query: &str,
        allowed: &AllowedSet,
        occurrences: &mut Occurrences,
        mass: &mut f32,
    ) -> tantivy::Result<Vec<Term>> {
        let n_allowed = allowed.n_searchable() as f32;
        let lengths = allowed.lengths();
        let normalisers: Normalisers =
            std::array::from_fn(|place| normaliser(place, lengths[place] as f32 / n_allowed));
        let mut reading = Reading { index: self, allowed, normalisers, occurrences };
        let spells_name = spelling::spells_name(query);
        let mut terms = Vec::new();
        for (term, weight) in weighted_terms(query, spells_name) {
            let mut places = reading.look_up(&term)?;
            let mut weight_of_term = weight * idf(n_allowed, places.len() as f32);
            *mass += weight_of_term;
            if places.is_empty() && spells_name {
                places = reading.look_up_meant(&term)?;
                weight_of_term = weight * SLIP_WEIGHT * idf(n_allowed, places.len() as f32);
            }
            if places.is_empty() {
                continue;
            }
            for frequency in &mut reading.occurrences.frequencies[places.clone()] {
                *frequency = weight_of_term * *frequency * (K1 + 1.0) / (*frequency + K1);
            }
            terms.push(Term { places, weight: weight_of_term });
        }
        Ok(terms)
    }

    /// The share of a document's name that its match covers, 0 to 1: its words that stand in the query.
    pub fn name_cover(&self, document: u32, matched: &Match) -> f32 {
        let n_terms = self.name_length(document);
        // A name of several words is a term by itself, beside its words.
        let n_words = if n_terms > 2 { n_terms - 1 } else { n_terms.max(1) };
        (f32::from(matched.name_terms) / n_words as f32).min(1.0)
    }
}

/// The `k` documents to which the terms add most, stretch by stretch.
fn best(
    terms: &[Term],
    occurrences: &Occurrences,
    allowed: &AllowedSet,
    scores: &mut Vec<f32>,
    k: usize,
) -> Vec<Scored> {
    let mut best = Best::new(k);
    let mut starts: Vec<usize> = terms.iter().map(|term| term.places.start).collect();
    for stretch in allowed.stretches() {
        scores.clear();
        for (term, start) in terms.iter().zip(&mut starts) {
            let documents = &occurrences.documents[*start..term.places.end];
            if documents.first().is_none_or(|document| document & !IN_NAME >= stretch.end) {
                continue;
            }
            scores.resize(stretch.len(), 0.0);
            for (document, score) in documents.iter().zip(&occurrences.frequencies[*start..]) {
                let document = document & !IN_NAME;
                if document >= stretch.end {
                    break;
                }
                scores[(document - stretch.start) as usize] += score;
                *start += 1;
            }
        }
        for (some, first) in scores.chunks(32).zip((stretch.start..).step_by(32)) {
            let bar = best.bar().max(f32::MIN_POSITIVE);
            // Without a way out in the middle, this is a handful of instructions.
            if !some.iter().fold(false, |any, &score| any | (score >= bar)) {
                continue;
            }
            for (&score, document) in some.iter().zip(first..) {
                if score >= bar {
                    best.push(Scored { document, score });
                }
            }
        }
    }
    best.into_sorted()
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

/// The query's different terms with what each counts, sorted.
fn weighted_terms(query: &str, spells_name: bool) -> BTreeMap<String, f32> {
    let mut terms: BTreeMap<String, f32> = BTreeMap::new();
    for term in analyzer::terms(query) {
        // A name may well be made of them: `who_am_i`.
        let weight = if is_stop_word(&term) && !spells_name { STOP_WEIGHT } else { 1.0 };
        if let Some(known) = terms.get_mut(&term) {
            *known = weight * REPEATED_WEIGHT;
        } else if terms.len() < QUERY_TERMS_MAX {
            terms.insert(term, weight);
        }
    }
    terms
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use roaring::RoaringBitmap;
    use tantivy::collector::TopDocs;
    use tantivy::index::Index;
    use tantivy::query::{BooleanQuery, BoostQuery, Occur, Query, TermQuery};
    use tantivy::schema::IndexRecordOption;

    use super::super::fields;
    use super::*;
    use crate::testing::random_tools;

    /// The place of the description: the field whose weight is 1 and whose b is tantivy's.
    const DESCRIPTION: usize = 3;

    /// tantivy's own BM25 over the descriptions of all documents: the plain twin where there is one field and no grant.
    fn twin(dir: &Path, query: &str) -> Vec<(u32, f32)> {
        let index = Index::open_in_dir(dir).expect("the index opens");
        let (_, fields) = fields::schema();
        let clauses: Vec<(Occur, Box<dyn Query>)> = weighted_terms(query, spelling::spells_name(query))
            .into_iter()
            .map(|(term, weight)| {
                let term = tantivy::Term::from_field_text(fields[DESCRIPTION], &term);
                let term = TermQuery::new(term, IndexRecordOption::WithFreqs);
                let query: Box<dyn Query> = Box::new(BoostQuery::new(Box::new(term), weight));
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
                .search(query, &allowed, 1_000)
                .expect("a search")
                .best
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

    /// The plain twin of a search: every posting list whole, one document after the other, no stretches, no best.
    fn plain(index: &Layered<LexicalIndex>, query: &str, allowed: &AllowedSet) -> (BTreeMap<u32, Match>, f32) {
        let n = allowed.n_searchable() as f32;
        let lengths = allowed.lengths();
        let (mut matches, mut mass) = (BTreeMap::<u32, Match>::new(), 0.0);
        for (term, weight) in weighted_terms(query, spelling::spells_name(query)) {
            let mut holding: BTreeMap<u32, (f32, bool)> = BTreeMap::new();
            for list in index.lists(&term).expect("lists") {
                let table = normaliser(list.place, lengths[list.place] as f32 / n);
                let mut block = list.open().expect("a list");
                while !block.docs().is_empty() {
                    for (&row, &frequency) in block.docs().iter().zip(block.freqs()) {
                        let document = index.places().document(list.layer, row);
                        let Some(document) = document.filter(|d| allowed.searchable().contains(*d)) else { continue };
                        let (sum, is_in_name) = holding.entry(document).or_default();
                        *sum += table[list.length_id(row)] * frequency as f32;
                        *is_in_name |= list.place == fields::NAME;
                    }
                    block.advance();
                }
            }
            let idf = weight * idf(n, holding.len() as f32);
            mass += idf;
            for (document, (sum, is_in_name)) in holding {
                let of = matches.entry(document).or_default();
                of.score += idf * sum * (K1 + 1.0) / (sum + K1);
                of.mass += idf;
                of.name_terms += u8::from(is_in_name);
            }
        }
        (matches, mass)
    }

    #[test]
    fn a_search_says_what_the_plain_twin_says_to_the_last_bit_under_every_grant() {
        const N: usize = 10_000;
        let dir = tempfile::tempdir().expect("a folder");
        super::super::build(dir.path(), &random_tools(7, N)).expect("the index is built");
        let index = Layered::whole(LexicalIndex::open(dir.path()).expect("the index opens"), N);
        let mut rng = fastrand::Rng::with_seed(8);
        for share in [1.0, 0.5, 0.02, 0.001] {
            for is_clustered in [false, true] {
                let mut shows = false;
                let set: RoaringBitmap = (0..N as u32)
                    .filter(|document| {
                        if !is_clustered || document % 50 == 0 {
                            shows = *document == 0 || rng.f32() < share;
                        }
                        shows
                    })
                    .collect();
                let lengths = index.lengths_of(set.iter());
                let allowed = AllowedSet::new(1, set.clone(), set, N, lengths);
                for query in
                    ["list files", "files.delete17", "To delete a calendar event of the bucket", "карта", "nope"]
                {
                    let (expected, mass) = plain(&index, query, &allowed);
                    let all: Vec<Scored> = (0..N as u32).map(|document| Scored { document, score: 0.0 }).collect();
                    let matches = index.search(query, &allowed, 100).expect("a search");
                    let closer = matches.closer(&all);
                    assert_eq!(matches.mass, mass, "{query}, {share}");
                    for document in 0..N as u32 {
                        let expected = expected.get(&document).copied().unwrap_or_default();
                        assert_eq!(closer.of(document), expected, "{query}, {share}, {document}");
                    }
                    let scored = expected.iter().map(|(&document, of)| Scored { document, score: of.score });
                    assert_eq!(matches.best, crate::scored::best(scored, 100), "{query}, {share}");
                }
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
        let hits = index.search("zebra", &allowed, 40).expect("a search").best;
        let (most, least) = (hits[0].score, hits[hits.len() - 1].score);
        assert!(most < 2.5 * least, "39 occurrences score {most}, one scores {least}");
    }

    /// The documents that a query finds among tools with these names and descriptions, of which those from `n_visible` on are
    /// hidden.
    fn found_by_name(query: &str, tools: &[(&str, &str)], n_visible: u32) -> Vec<u32> {
        let mut given = random_tools(7, tools.len());
        for (tool, (name, description)) in given.iter_mut().zip(tools) {
            (tool.name, tool.description) = ((*name).to_owned(), (*description).to_owned());
            (tool.title, tool.input_schema) = (None, None);
        }
        let dir = tempfile::tempdir().expect("a folder");
        super::super::build(dir.path(), &given).expect("the index is built");
        let index = Layered::whole(LexicalIndex::open(dir.path()).expect("the index opens"), given.len());
        let visible: RoaringBitmap = (0..n_visible).collect();
        let lengths = index.lengths_of(0..n_visible);
        let allowed = AllowedSet::new(1, visible.clone(), visible, given.len(), lengths);
        let found = || index.search(query, &allowed, 10).expect("a search").best;
        let first = found();
        assert_eq!(first, found(), "what is hidden was remembered meanwhile");
        first.iter().map(|scored| scored.document).collect()
    }

    #[test]
    fn a_name_is_found_in_spite_of_a_slip() {
        let tools = [("get_weather", "-"), ("list_alarms", "-"), ("send_mail", "the weather by mail")];
        for query in ["get_wether", "get_waether", "get_weatther", "getWeathar", "my.wether"] {
            assert_eq!(found_by_name(query, &tools, 3)[0], 0, "{query}");
        }
        // The word itself is never a slip, two slips are too many, and what is no identifier spells no name.
        assert_eq!(found_by_name("my_alarms", &tools, 3), [1]);
        assert!(found_by_name("my_waehter", &tools, 3).is_empty());
        assert!(found_by_name("wether", &tools, 3).is_empty());
        assert!(found_by_name("what will the sky be, wether or not", &[("get_weather", "-")], 1).is_empty());
    }

    #[test]
    fn how_somebody_asks_decides_little() {
        // Rare as they are here, `please`, `what`, `you` and `need` are not what is asked for.
        let tools = [("open_door", "Please say what you need."), ("close_gate", "-")];
        assert_eq!(found_by_name("could you please close what I need", &tools, 2)[0], 1);
        // Where nothing else is asked, they decide.
        assert_eq!(found_by_name("please", &tools, 2), [0]);
        assert_eq!(weighted_terms("who_am_i", true).values().product::<f32>(), 1.0, "a name is made of them");
    }

    #[test]
    fn however_often_a_word_is_repeated_it_counts_little_more() {
        let [often, twice] = ["cancel my order, order, order", "my order, cancel order"];
        assert_eq!(weighted_terms(often, false), weighted_terms(twice, false));
        // `send` tells the three apart, and `order` does not, three times as it stands there.
        let tools = [("order", "-"), ("order_a", "-"), ("send", "-")];
        assert_eq!(found_by_name("send the order, an order, order", &tools, 3)[0], 2);
    }

    #[test]
    fn no_slip_is_meant_for_a_name_that_is_hidden() {
        let visible = ("send_mail", "the weather by mail");
        assert!(
            found_by_name("my_wether", &[visible, ("weather", "-")], 1).is_empty(),
            "weather is in no visible name"
        );
        assert_eq!(found_by_name("my_wether", &[visible, ("weather", "-")], 2)[0], 1);
        // Both are one slip away, and the hidden one is the more frequent.
        let tools = [("show_leather", "-"), ("weather", "-"), ("weather", "-")];
        assert_eq!(found_by_name("an_eather", &tools, 1), [0]);
    }
}
