//! [`Answer`]: what a search gives back.

use serde::Serialize;

use crate::confidence::Confidence;
use crate::signals::Signals;
use crate::tool::Tool;

/// One page of hits.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// Best first; equal scores stand in the order of their refs.
    pub hits: Vec<Hit>,
    /// Whether the first hit (of the first page) is likely what was asked for; `None` where only one leg ran, unless the
    /// query names it.
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
    /// Its score in the last stage that ran, higher is better. Comparable within one answer only: BM25 in lexical mode,
    /// cosine in dense mode, the fused score else.
    pub score: f32,
    /// How it came to its place, when asked for.
    pub explanation: Option<Explanation>,
}

/// A hit's way through the stages.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// Its place in the BM25 leg; `None` where that leg did not run or did not reach it.
    pub lexical: Option<LegScore>,
    /// Its place in the vector leg; likewise.
    pub dense: Option<LegScore>,
    /// What fusion went by; `None` where a single leg ran.
    pub signals: Option<Signals>,
    /// The score after fusion: the weighted sum of the signals, or the only leg's own.
    pub fused: f32,
    /// The reranker's score, where it read this candidate.
    pub rerank: Option<f32>,
}

/// A place in one leg.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct LegScore {
    /// 1 is best.
    pub rank: usize,
    /// BM25 or cosine.
    pub score: f32,
}
