//! [`SearchRequest`]: what is asked, and how it is to be answered.

use std::str::FromStr;

use thiserror::Error;

use crate::filter::Filter;

/// The most characters a query may have. Models read some 500 words at the most; beyond that a text is no query.
pub const QUERY_CHARS_MAX: usize = 8_000;
/// The most hits on one page.
pub const LIMIT_MAX: usize = 100;
/// How deep each leg retrieves, and so how far pages reach: `offset + limit` is at most this. Nobody reads a hundred tools;
/// a deeper list would cost every query for the sake of none.
pub const DEPTH_MAX: usize = 100;
/// How many of the best candidates the reranker reads.
pub const RERANK_DEPTH: usize = 20;

/// Which legs run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    /// BM25 alone.
    Lexical,
    /// Vectors alone.
    Dense,
    /// Both, fused.
    #[default]
    Hybrid,
}

/// A text that names no mode.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("a mode is lexical, dense or hybrid, not {0:?}")]
pub struct ModeError(pub String);

impl FromStr for Mode {
    type Err = ModeError;

    fn from_str(text: &str) -> Result<Self, ModeError> {
        match text {
            "lexical" => Ok(Self::Lexical),
            "dense" => Ok(Self::Dense),
            "hybrid" => Ok(Self::Hybrid),
            other => Err(ModeError(other.chars().take(40).collect())),
        }
    }
}

impl std::fmt::Display for Mode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Lexical => "lexical",
            Self::Dense => "dense",
            Self::Hybrid => "hybrid",
        })
    }
}

/// How many of a hit's alternatives are named; the rest is counted.
pub const ALTERNATIVES_MAX: usize = 3;

/// One search.
#[derive(Clone, Debug, PartialEq)]
pub struct SearchRequest {
    /// What is looked for: 1 to [`QUERY_CHARS_MAX`] characters.
    pub query: String,
    /// Hits to pass over, for later pages.
    pub offset: usize,
    /// Hits wanted: 1 to [`LIMIT_MAX`], and `offset + limit` at most [`DEPTH_MAX`].
    pub limit: usize,
    /// Which legs run.
    pub mode: Mode,
    /// Whether the reranker reads the best [`RERANK_DEPTH`] candidates. Off by default: a web-trained cross-encoder makes
    /// tool search worse on most catalogs.
    pub rerank: bool,
    /// Every allowed vector is compared, whatever it costs. What the sketches miss shows in the difference.
    pub exact: bool,
    /// Never take the query apart: one that asks for several things is searched as one text alone.
    pub whole: bool,
    /// Narrows the allowed set further.
    pub filter: Filter,
    /// Whether tools that say the same (forks, mirrors, other versions) share one place, where the best ranked names the others.
    pub collapse: bool,
    /// Whether tools whose texts are suspected ([`crate::Suspicion`]) lose places. Callers have no say in it; measurements do.
    pub demote: bool,
    /// Whether hits carry their ranks and scores in each leg.
    pub explain: bool,
}

impl SearchRequest {
    /// The first ten hits of a hybrid search.
    pub fn new(query: impl Into<String>) -> Self {
        Self {
            query: query.into(),
            offset: 0,
            limit: 10,
            mode: Mode::Hybrid,
            rerank: false,
            exact: false,
            whole: false,
            filter: Filter::default(),
            collapse: true,
            demote: true,
            explain: false,
        }
    }
}
