//! The whole query path.

use std::sync::Arc;

use thiserror::Error;

use crate::allowed::AllowedSet;
use crate::confidence::{Confidence, is_named, log_odds};
use crate::duplicates::{alternatives, collapse};
use crate::embed::Embedder;
use crate::fusion::{Candidate, cover, demote, rerank};
use crate::generation::Snapshot;
use crate::hit::{Alternatives, Answer, Degraded, Explanation, Hit, LegScore};
use crate::legs::{Legs, embed};
use crate::parts::parts;
use crate::query::{DEPTH_MAX, LIMIT_MAX, Mode, QUERY_CHARS_MAX, RERANK_DEPTH, SearchRequest};
use crate::query_class::QueryClass;
use crate::rerank::Reranker;
use crate::stages::{Stage, Stages};
use crate::tool::Tool;

/// The models that a search uses. One that is absent takes its stage away, and the answer says so.
#[derive(Clone, Default)]
pub struct Models {
    /// Turns queries into vectors; the model of the generation's vectors.
    pub embedder: Option<Arc<dyn Embedder>>,
    /// Reads candidates with the query.
    pub reranker: Option<Arc<dyn Reranker>>,
}

/// Why a search was not answered.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SearchError {
    /// Nothing was asked.
    #[error("the query is empty; say in a few words what the tool should do")]
    EmptyQuery,
    /// More than [`QUERY_CHARS_MAX`].
    #[error(
        "the query has {chars} characters, and at most {QUERY_CHARS_MAX} are read; send the request, not its attachments"
    )]
    QueryTooLong {
        /// Its length.
        chars: usize,
    },
    /// Not 1 to [`LIMIT_MAX`].
    #[error("a page has 1 to {LIMIT_MAX} hits, not {limit}")]
    LimitOutOfRange {
        /// What was asked for.
        limit: usize,
    },
    /// Beyond [`DEPTH_MAX`].
    #[error("pages reach as far as hit {DEPTH_MAX}, and this one ends at {end}; ask more precisely instead")]
    TooDeep {
        /// Where the page would end.
        end: usize,
    },
    /// The allowed set was made for another generation.
    #[error("the allowed set belongs to generation {allowed}, the snapshot is {snapshot}; resolve the grant again")]
    OtherGeneration {
        /// The set's.
        allowed: u64,
        /// The snapshot's.
        snapshot: u64,
    },
    /// The posting lists could not be read.
    #[error("the lexical index cannot be read: {0}")]
    Lexical(#[from] tantivy::TantivyError),
    /// A row could not be read.
    #[error("the tool table cannot be read: {0}")]
    Table(#[from] arrow::error::ArrowError),
}

impl SearchError {
    /// Whether the caller can mend it; the message is then fit for the caller's eyes.
    pub fn is_callers(&self) -> bool {
        matches!(
            self,
            Self::EmptyQuery | Self::QueryTooLong { .. } | Self::LimitOutOfRange { .. } | Self::TooDeep { .. }
        )
    }
}

/// Answers a search: both legs inside the allowed set, fused, reranked if asked, one page of it. A query that asks for
/// several things is searched whole and part by part, and the page covers the parts.
///
/// The same snapshot, set, models and request always give the same answer, and what is outside the set has no part in it.
/// Costs a pass over the query terms' posting lists, one embedding, and a scan of the allowed vectors or of their
/// sketches; and the same again for each part.
///
/// # Errors
/// [`SearchError`]. A model that fails is none: its stage is left out and named in [`Answer::degraded`].
pub fn search(
    snapshot: &Snapshot,
    models: &Models,
    allowed: &AllowedSet,
    request: &SearchRequest,
) -> Result<Answer, SearchError> {
    search_followed(snapshot, models, allowed, request, &())
}

/// [`search`], telling `stages` which stage begins and ends. It has no part in the answer.
///
/// # Errors
/// As [`search`].
pub fn search_followed(
    snapshot: &Snapshot,
    models: &Models,
    allowed: &AllowedSet,
    request: &SearchRequest,
    stages: &dyn Stages,
) -> Result<Answer, SearchError> {
    let Ranked { mut candidates, parts, log_odds, degraded } =
        ranked(snapshot, models, allowed, request, depth(request), stages)?;
    candidates.truncate(DEPTH_MAX);

    let end = (request.offset + request.limit).min(candidates.len());
    let page = candidates.get(request.offset..end).unwrap_or_default();
    let fetch =
        || page.iter().map(|candidate| hit(snapshot, allowed, candidate, request, &parts)).collect::<Result<_, _>>();
    let hits: Vec<Hit> = stages.run(Stage::Fetch, fetch)?;
    let confidence = match (candidates.first(), hits.first()) {
        (Some(first), _) if first.suspicion.is_some() => Some(Confidence::Weak),
        (Some(_), Some(hit)) if request.offset == 0 => confidence(&request.query, &hit.tool, log_odds),
        (Some(first), _) => confidence(&request.query, &snapshot.tool(first.document)?, log_odds),
        (None, _) => Some(Confidence::None),
    };
    let parts = parts.into_iter().map(str::to_owned).collect();
    Ok(Answer { hits, parts, confidence, more: end < candidates.len(), degraded })
}

/// What both legs found for the query and its parts, fused and perhaps reranked, best first, each thing said
/// once. Pages reach no deeper than [`DEPTH_MAX`] of it.
pub(crate) struct Ranked<'q> {
    pub candidates: Vec<Candidate>,
    pub parts: Vec<&'q str>,
    /// The odds that what was asked for is there, where both legs ran.
    pub log_odds: Option<f32>,
    pub degraded: Vec<Degraded>,
}

/// How deep each leg must look for the page. Where one leg's list is the answer as it stands, a first page needs no more of it
/// than itself, and whether there is more.
fn depth(request: &SearchRequest) -> usize {
    let as_found = request.mode != Mode::Hybrid && request.whole && !request.rerank && !request.collapse;
    if as_found && request.offset == 0 { DEPTH_MAX.min(request.limit.saturating_add(1)) } else { DEPTH_MAX }
}

/// [`search_followed`] without its page.
pub(crate) fn ranked<'q>(
    snapshot: &Snapshot,
    models: &Models,
    allowed: &AllowedSet,
    request: &'q SearchRequest,
    depth: usize,
    stages: &dyn Stages,
) -> Result<Ranked<'q>, SearchError> {
    check(snapshot, allowed, request)?;
    let mut degraded = Vec::new();
    let narrowed = (request.filter != Default::default()).then(|| snapshot.narrow(allowed, &request.filter));
    let allowed = narrowed.as_ref().unwrap_or(allowed);

    let parts = if request.whole { Vec::new() } else { parts(&request.query) };
    let texts: Vec<&str> = std::iter::once(&*request.query).chain(parts.iter().copied()).collect();
    let vectors = match request.mode {
        Mode::Lexical => Vec::new(),
        Mode::Dense | Mode::Hybrid => stages
            .run(Stage::Embed, || embed(snapshot, models, &texts))
            .map_err(|reason| degraded.push(Degraded { stage: "dense", reason }))
            .unwrap_or_default(),
    };
    let legs = Legs { snapshot, allowed, request, stages };
    let found = |place: usize, depth| legs.search(texts[place], vectors.get(place), depth);
    let mut candidates = found(0, depth)?;
    // A suspected one falls behind some that a shallow list does not have.
    if depth < DEPTH_MAX && candidates.iter().any(|candidate| candidate.suspicion.is_some()) {
        candidates = found(0, DEPTH_MAX)?;
    }
    let of_parts = (1..texts.len()).map(|place| found(place, depth)).collect::<Result<Vec<_>, _>>()?;
    if request.rerank {
        let scores = stages.run(Stage::Rerank, || rerank_scores(snapshot, models, &request.query, &candidates));
        match scores? {
            Ok(scores) => rerank(&mut candidates, &scores),
            Err(reason) => degraded.push(Degraded { stage: "rerank", reason }),
        }
    }
    let log_odds = first_log_odds(&candidates, &of_parts);
    if !parts.is_empty() {
        candidates = stages.run(Stage::Fuse, || cover(candidates, of_parts));
    }
    candidates = demote(candidates);
    if request.collapse {
        candidates = stages.run(Stage::Collapse, || collapse(snapshot, allowed, &request.query, candidates));
    }
    Ok(Ranked { candidates, parts, log_odds, degraded })
}

/// Whether the best candidate, which is this tool, is likely what was asked for.
fn confidence(query: &str, tool: &Tool, log_odds: Option<f32>) -> Option<Confidence> {
    if is_named(query, &tool.reference, &tool.name) { Some(Confidence::Exact) } else { log_odds.map(Confidence::of) }
}

/// The odds of the whole query's first candidate that is not suspected, or the mean of its parts' where that is more: the vector
/// of a query of many parts is like none of the tools that they want. `None` where a single leg ran, or nothing was found.
fn first_log_odds(whole: &[Candidate], parts: &[Vec<Candidate>]) -> Option<f32> {
    let first = |list: &[Candidate]| {
        let first = list.iter().find(|candidate| candidate.suspicion.is_none());
        first?.signals.map(|signals| log_odds(&signals))
    };
    let of_parts: Option<Vec<f32>> = parts.iter().map(|list| first(list)).collect();
    let mean = of_parts.filter(|odds| !odds.is_empty()).map(|odds| odds.iter().sum::<f32>() / odds.len() as f32);
    [first(whole), mean].into_iter().flatten().reduce(f32::max)
}

pub(crate) fn check(snapshot: &Snapshot, allowed: &AllowedSet, request: &SearchRequest) -> Result<(), SearchError> {
    if request.query.trim().is_empty() {
        return Err(SearchError::EmptyQuery);
    }
    let chars = request.query.chars().count();
    if chars > QUERY_CHARS_MAX {
        return Err(SearchError::QueryTooLong { chars });
    }
    if !(1..=LIMIT_MAX).contains(&request.limit) {
        return Err(SearchError::LimitOutOfRange { limit: request.limit });
    }
    let end = request.offset.saturating_add(request.limit);
    if end > DEPTH_MAX {
        return Err(SearchError::TooDeep { end });
    }
    if allowed.generation() != snapshot.number() {
        return Err(SearchError::OtherGeneration { allowed: allowed.generation(), snapshot: snapshot.number() });
    }
    Ok(())
}

/// The reranker's scores of the best candidates, or why there are none.
fn rerank_scores(
    snapshot: &Snapshot,
    models: &Models,
    query: &str,
    candidates: &[Candidate],
) -> Result<Result<Vec<f32>, String>, SearchError> {
    let Some(reranker) = &models.reranker else { return Ok(Err("no reranker is loaded".to_owned())) };
    let mut texts = Vec::with_capacity(RERANK_DEPTH);
    for candidate in candidates.iter().take(RERANK_DEPTH) {
        texts.push(snapshot.tool(candidate.document)?.embedding_text());
    }
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    Ok(reranker.scores(query, &texts).map_err(|error| error.to_string()))
}

/// A candidate with its tool and what else the request wants to know of it.
fn hit(
    snapshot: &Snapshot,
    allowed: &AllowedSet,
    candidate: &Candidate,
    request: &SearchRequest,
    parts: &[&str],
) -> Result<Hit, SearchError> {
    let leg = |place: Option<(usize, f32)>| place.map(|(rank, score)| LegScore { rank, score });
    let by_part = candidate.served.filter(|served| served.by_part_alone);
    let found_by = by_part.and_then(|served| parts.get(served.part).copied()).unwrap_or(&request.query);
    let tool = snapshot.tool(candidate.document)?;
    let alternatives = match request.collapse {
        true => alternatives(snapshot, allowed, candidate)?,
        false => Alternatives::default(),
    };
    Ok(Hit {
        tool,
        part: candidate.served.map(|served| served.part),
        score: candidate.score,
        alternatives,
        explanation: request.explain.then(|| Explanation {
            lexical: leg(candidate.lexical),
            dense: leg(candidate.dense),
            class: QueryClass::of(found_by),
            signals: candidate.signals,
            fused: candidate.fused,
            rerank: candidate.rerank,
            part_rank: candidate.served.map(|served| served.rank),
            suspicion: candidate.suspicion,
        }),
    })
}
