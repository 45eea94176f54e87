//! [`Task`] and [`Variant`]: what is asked for, and what counts as the answer.

use serde::{Deserialize, Serialize};
use shortlist_index::{Mode, SearchRequest};

/// A task of the rivals' harness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    /// The nearest by vector.
    Vec,
    /// The best by words.
    Fts,
    /// Both, fused.
    Hybrid,
}

impl Task {
    /// All, in bench.py's order.
    pub const ALL: [Self; 3] = [Self::Vec, Self::Fts, Self::Hybrid];

    /// bench.py's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Vec => "vec",
            Self::Fts => "fts",
            Self::Hybrid => "hybrid",
        }
    }

    /// Results asked for.
    pub(super) fn k(self) -> usize {
        match self {
            Self::Vec | Self::Fts => 20,
            Self::Hybrid => 10,
        }
    }

    fn mode(self) -> Mode {
        match self {
            Self::Vec => Mode::Dense,
            Self::Fts => Mode::Lexical,
            Self::Hybrid => Mode::Hybrid,
        }
    }
}

/// What is timed. The rivals are asked for ids and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Variant {
    /// The rivals' task: one query, nothing collapsed, until the ranking stands.
    Ids,
    /// The same answer whole: every tool of the page read from the table.
    Tools,
    /// What a caller gets who asks for nothing special: the query's parts searched too, what says the same collapsed, every tool
    /// read.
    Usual,
}

impl Variant {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Ids, Self::Tools, Self::Usual];

    /// As it stands in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ids => "ids",
            Self::Tools => "tools",
            Self::Usual => "usual",
        }
    }
}

/// A search of the task, as the rivals do it or as callers here usually ask.
pub(super) fn request(task: Task, usual: bool, text: &str) -> SearchRequest {
    SearchRequest { mode: task.mode(), limit: task.k(), whole: !usual, collapse: usual, ..SearchRequest::new(text) }
}
