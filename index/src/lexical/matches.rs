//! [`Matches`]: what a search of the posting lists found, and can still be asked about it.

use std::cell::Cell;
use std::ops::Range;

use super::occurrences::{IN_NAME, Occurrences};
use crate::scored::Scored;

thread_local! {
    /// Memory of the last search on this thread: to get it anew takes longer than to search a small set.
    static SCRATCH: Cell<Option<Box<Scratch>>> = const { Cell::new(None) };
}

#[derive(Default)]
pub(super) struct Scratch {
    pub occurrences: Occurrences,
    pub scores: Vec<f32>,
}

/// A thread's memory while a search's [`Matches`] are wanted. A search that the thread begins meanwhile has its own.
#[derive(Default)]
pub(super) struct Loan(Option<Box<Scratch>>);

impl Loan {
    /// What the thread has, if nobody else has borrowed it.
    pub fn begin() -> Self {
        Self(SCRATCH.take())
    }

    /// The memory; new where there was none.
    pub fn get(&mut self) -> &mut Scratch {
        self.0.get_or_insert_default()
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        if let Some(scratch) = self.0.take() {
            SCRATCH.set(Some(scratch));
        }
    }
}

/// What a query's terms have in common with the documents of an allowed set.
#[derive(Default)]
pub(crate) struct Matches {
    /// The best by BM25F, best first.
    pub best: Vec<Scored>,
    /// The weight of all the query's terms, those that no document holds included: inverse document frequency, less for stop
    /// words and more for what is repeated.
    pub mass: f32,
    pub(super) terms: Vec<Term>,
    pub(super) scratch: Loan,
}

/// What a query's terms have in common with some documents, which are sorted.
pub(crate) struct Closer(Vec<(u32, Match)>);

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
    /// Looks closer at the best and at others.
    pub fn closer(&self, others: &[Scored]) -> Closer {
        let Some(scratch) = &self.scratch.0 else { return Closer(Vec::new()) };
        let mut documents: Vec<u32> = self.best.iter().chain(others).map(|scored| scored.document).collect();
        documents.sort_unstable();
        documents.dedup();
        Closer(look_closer(&self.terms, &scratch.occurrences, documents))
    }
}

impl Closer {
    /// What the query has in common with a document, if this was looked at; else nothing.
    pub fn of(&self, document: u32) -> Match {
        let place = self.0.binary_search_by_key(&document, |&(document, _)| document);
        place.ok().and_then(|place| self.0.get(place)).map_or(Match::default(), |&(_, found)| found)
    }
}

/// Where a term stands among the [`Occurrences`], and what it weighs.
pub(super) struct Term {
    pub places: Range<usize>,
    pub weight: f32,
}

/// What the terms have in common with each of the documents, which are sorted.
fn look_closer(terms: &[Term], occurrences: &Occurrences, documents: Vec<u32>) -> Vec<(u32, Match)> {
    let mut closer: Vec<(u32, Match)> = documents.into_iter().map(|document| (document, Match::default())).collect();
    for term in terms {
        let mut places = term.places.clone();
        for (document, of) in &mut closer {
            places.start += n_before(&occurrences.documents[places.clone()], *document);
            let Some(&found) = occurrences.documents[places.clone()].first() else { break };
            if found & !IN_NAME == *document {
                of.score += occurrences.frequencies[places.start];
                of.mass += term.weight;
                of.name_terms = of.name_terms.saturating_add(u8::from(found & IN_NAME != 0));
            }
        }
    }
    closer
}

/// How many of the sorted `documents` stand before one, which is mostly near: found in steps that double.
fn n_before(documents: &[u32], document: u32) -> usize {
    let is_before = |other: &u32| other & !IN_NAME < document;
    let mut reach = 1;
    while documents.get(reach).is_some_and(is_before) {
        reach *= 2;
    }
    let near = &documents[reach / 2..documents.len().min(reach + 1)];
    reach / 2 + near.partition_point(is_before)
}
