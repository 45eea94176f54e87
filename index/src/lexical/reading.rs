//! [`Reading`]: looks the terms of one query up.

use std::ops::Range;

use super::index::{LexicalIndex, PostingList};
use super::occurrences::{IN_NAME, Normalisers, Occurrences};
use crate::allowed::AllowedSet;
use crate::places::Layered;
use crate::unseen::Asked;

/// What is read of the posting lists for one query, inside one allowed set.
pub(super) struct Reading<'a> {
    pub index: &'a Layered<LexicalIndex>,
    pub allowed: &'a AllowedSet,
    pub normalisers: Normalisers,
    pub occurrences: &'a mut Occurrences,
}

impl Reading<'_> {
    /// Adds the allowed documents that hold a term to the occurrences; gives their places there.
    pub fn look_up(&mut self, term: &str) -> tantivy::Result<Range<usize>> {
        let start = self.occurrences.documents.len();
        let lists = self.index.lists(term)?;
        if !lists.is_empty() && !self.allowed.unseen().holds(Asked::Term, term) {
            self.occurrences.read(&lists, self.index.places(), self.allowed, &self.normalisers)?;
            if self.occurrences.documents.len() == start && !self.any_readable(&lists)? {
                self.allowed.unseen().insert(Asked::Term, term);
            }
        }
        Ok(start..self.occurrences.documents.len())
    }

    /// Likewise for the word that is meant by a term which none of them holds: of those that are one slip away the one that
    /// stands in most of their names, the first of equals. A word that stands in no name of theirs is none, whatever others
    /// are called.
    pub fn look_up_meant(&mut self, term: &str) -> tantivy::Result<Range<usize>> {
        let start = self.occurrences.documents.len();
        let mut meant: Option<(usize, String)> = None;
        for word in self.index.names_near(term)? {
            // What is hidden costs no more than this look at it, once it was looked up.
            if self.allowed.unseen().holds(Asked::Term, &word) {
                continue;
            }
            let places = self.look_up(&word)?;
            let n_named = self.occurrences.documents[places].iter().filter(|&document| document & IN_NAME != 0).count();
            self.occurrences.truncate(start);
            if n_named > meant.as_ref().map_or(0, |(n_most, _)| *n_most) {
                meant = Some((n_named, word));
            }
        }
        match meant {
            Some((_, word)) => self.look_up(&word),
            None => Ok(start..start),
        }
    }

    /// Whether any of the lists names a readable document.
    fn any_readable(&self, lists: &[PostingList<'_>]) -> tantivy::Result<bool> {
        for list in lists {
            let mut block = list.open()?;
            while !block.docs().is_empty() {
                let documents = block.docs().iter().filter_map(|&row| self.index.places().document(list.layer, row));
                if documents.into_iter().any(|document| self.allowed.readable().contains(document)) {
                    return Ok(true);
                }
                block.advance();
            }
        }
        Ok(false)
    }
}
