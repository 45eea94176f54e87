//! [`Unseen`]: what a set's holder asked for and none of their tools has, remembered so that time does not tell it from
//! what no tool has.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

/// The most entries of a kind; then all of that kind are forgotten. Only what some hidden tool has gets in, so nobody fills it with made-up words.
const ENTRIES_MAX: usize = 16_384;

/// What a query or a filter asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Asked {
    /// A query's term.
    Term,
    /// A tag of a filter.
    Tag,
    /// A namespace of a filter.
    Namespace,
    /// A source of a filter.
    Source,
}

/// What exists and is hidden from a set's holder, as far as they have asked for it. To find that a posting list has nothing
/// for them costs a read of it, which takes the longer the more hidden tools are in it. That happens once; from then on the
/// answer comes as soon as for what does not exist.
#[derive(Debug, Default)]
pub(crate) struct Unseen(Mutex<HashMap<Asked, HashSet<Box<str>>>>);

impl Unseen {
    /// Whether it is known that no readable tool has it.
    pub fn holds(&self, asked: Asked, text: &str) -> bool {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.get(&asked).is_some_and(|texts| texts.contains(text))
    }

    /// Remembers that no readable tool has it, though some tool does.
    pub fn insert(&self, asked: Asked, text: &str) {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let texts = entries.entry(asked).or_default();
        if texts.len() >= ENTRIES_MAX {
            texts.clear();
        }
        texts.insert(text.into());
    }
}

/// What is remembered is no part of what a set is.
impl PartialEq for Unseen {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}
