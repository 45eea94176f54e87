//! [`Answer`]: what a search gives back.

use serde::Serialize;

use crate::confidence::Confidence;
use crate::query_class::QueryClass;
use crate::signals::Signals;
use crate::suspicion::Suspicion;
use crate::tool::Tool;
use crate::tool_ref::ToolRef;

/// One page of hits.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// Best first; equal scores stand in the order of their refs.
    pub hits: Vec<Hit>,
    /// The pieces of the query that ask for something of their own, in its order; none where it asks for one thing.
    pub parts: Vec<String>,
    /// Whether the first hit (of the first page) is likely what was asked for. `None` where only one leg ran and found
    /// something that the query does not name; where nothing was found it is [`Confidence::None`].
    pub confidence: Option<Confidence>,
    /// Whether a next page would hold hits.
    pub more: bool,
    /// Stages that could not run and were left out; the hits are what the others found.
    pub degraded: Vec<Degraded>,
}

/// A stage that could not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Degraded {
    /// `dense` or `rerank`.
    pub stage: &'static str,
    /// Why, for the operator.
    pub reason: String,
}

/// One tool that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    /// The tool, whole.
    pub tool: Tool,
    /// The part of the query that it serves best: its place in [`Answer::parts`]. `None` where there are none, or only the
    /// query as a whole found it.
    pub part: Option<usize>,
    /// Its score in the last stage that ran, higher is better. Comparable within one answer only: BM25 in lexical mode,
    /// cosine in dense mode, the fused score else; where the query has parts, its standing among all lists (`cover`).
    pub score: f32,
    /// What was found as well and shares its place.
    pub alternatives: Alternatives,
    /// How it came to its place, when asked for.
    pub explanation: Option<Explanation>,
}

/// Tools that say the same as a hit: forks and mirrors that were found too, then the hit's own other versions. All of them are
/// among what the asker may read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Alternatives {
    /// The first of them, at most [`crate::ALTERNATIVES_MAX`]: forks best first, versions newest first.
    pub refs: Vec<ToolRef>,
    /// How many more there are.
    pub n_more: usize,
}

/// A hit's way through the stages: with the whole query, or with the part that it serves where only that found it.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// Its place in the BM25 leg; `None` where that leg did not run or did not reach it.
    pub lexical: Option<LegScore>,
    /// Its place in the vector leg; likewise.
    pub dense: Option<LegScore>,
    /// As what kind of text the query was read, or the part where only that found the hit: it decides what the signals count.
    pub class: QueryClass,
    /// What fusion went by; `None` where a single leg ran.
    pub signals: Option<Signals>,
    /// The score after fusion: the weighted sum of the signals, or the only leg's own.
    pub fused: f32,
    /// The reranker's score, where it read this candidate.
    pub rerank: Option<f32>,
    /// Its rank in the list of the part that it serves; 1 is best.
    pub part_rank: Option<usize>,
    /// What its text gives cause to suspect, which cost it places.
    pub suspicion: Option<Suspicion>,
}

/// A place in one leg.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct LegScore {
    /// 1 is best.
    pub rank: usize,
    /// BM25 or cosine.
    pub score: f32,
}
