//! [`Legs`]: the dense and the lexical leg of one search, and what either knows of the other's candidates.

use std::panic::resume_unwind;
use std::thread;

use crate::allowed::AllowedSet;
use crate::dense::{self, Shortcuts};
use crate::embed::{EmbedError, Embedder, Embedding, TextRole};
use crate::fusion::{Candidate, Distribution, fuse, join};
use crate::generation::Snapshot;
use crate::hit::LegScore;
use crate::lexical::Closer;
use crate::query::{Mode, SearchRequest};
use crate::query_class::QueryClass;
use crate::scored::Scored;
use crate::search::{Models, SearchError};
use crate::signals::Signals;
use crate::stages::{Stage, Stages};

/// From how many tools that a search may find on its legs run at the same time. Below, to begin a thread costs what it saves.
const SIDE_BY_SIDE_TOOLS_MIN: u64 = 20_000;

/// The vectors of a query and its parts, or why there are none.
pub(crate) fn embed(snapshot: &Snapshot, models: &Models, texts: &[&str]) -> Result<Vec<Embedding>, String> {
    let embedder = models.embedder.as_deref().ok_or("no embedding model is loaded")?;
    let (got, expected) = (embedder.fingerprint(), &snapshot.manifest().embedder);
    if got != expected {
        return Err(format!("the vectors were made by model {}, and {} is loaded; sync again", expected.0, got.0));
    }
    embed_all(embedder, texts).map_err(|error| error.to_string())
}

/// Embeds queries, each on a thread of its own. A model's sessions bound how many run.
fn embed_all(embedder: &dyn Embedder, texts: &[&str]) -> Result<Vec<Embedding>, EmbedError> {
    match texts {
        [] => Ok(Vec::new()),
        [text] => Ok(vec![embedder.embed(TextRole::Query, text)?]),
        [text, others @ ..] => {
            let (others, first) = beside(|| embed_all(embedder, others), || embedder.embed(TextRole::Query, text));
            let mut all = vec![first?];
            all.extend(others?);
            Ok(all)
        }
    }
}

/// Does `work` here and `other` on another thread, or after it where the system gives none. The thread is begun for it, and
/// waited for by doing nothing: of a pool's threads one that waits takes up other work, a reranking or, in a program that searches
/// on such threads, the next search, inside this one.
fn beside<T: Send, U>(other: impl Fn() -> T + Sync, work: impl FnOnce() -> U) -> (T, U) {
    thread::scope(|scope| {
        let begun = thread::Builder::new().name("leg".to_owned()).spawn_scoped(scope, &other);
        let done = work();
        let others = match begun {
            Ok(begun) => begun.join().unwrap_or_else(|panic| resume_unwind(panic)),
            Err(_) => other(),
        };
        (others, done)
    })
}

/// Both legs, as they search for one text after the other.
pub(crate) struct Legs<'a> {
    pub snapshot: &'a Snapshot,
    pub allowed: &'a AllowedSet,
    pub request: &'a SearchRequest,
    pub stages: &'a dyn Stages,
}

impl Legs<'_> {
    /// What both legs find for the query or a part of it, fused, best first.
    pub fn search(&self, text: &str, vector: Option<&Embedding>, depth: usize) -> Result<Vec<Candidate>, SearchError> {
        let Self { snapshot, allowed, request, stages } = *self;
        let shortcuts = if request.exact { Shortcuts::default() } else { snapshot.shortcuts() };
        let nearest =
            |vector: &Embedding| dense::nearest(&snapshot.vectors, shortcuts, vector.as_slice(), allowed, depth).0;
        let lexical = || snapshot.lexical.search(text, allowed, depth);
        let (dense, matches) = match (request.mode, vector) {
            (Mode::Dense, Some(vector)) => (Some(stages.run(Stage::Dense, || nearest(vector))), None),
            // Without vectors there is still BM25, even where only vectors were asked for.
            (_, None) => (None, Some(stages.run(Stage::Lexical, lexical)?)),
            (_, Some(vector)) => {
                let dense = || nearest(vector);
                let (dense, matches) = if allowed.n_searchable() >= SIDE_BY_SIDE_TOOLS_MIN {
                    let both = beside(dense, || {
                        let matches = stages.run(Stage::Lexical, lexical);
                        // What is now waited for the other.
                        stages.enter(Stage::Dense);
                        matches
                    });
                    stages.leave(Stage::Dense);
                    both
                } else {
                    (stages.run(Stage::Dense, dense), stages.run(Stage::Lexical, lexical))
                };
                (Some(dense), Some(matches?))
            }
        };

        Ok(stages.run(Stage::Fuse, || {
            let lexical = matches.as_ref().map(|matches| &*matches.best);
            let mut candidates = join(lexical, dense.as_deref());
            if let (Some(matches), Some(dense), Some(vector)) = (&matches, &dense, vector) {
                let depth = depth.min(usize::try_from(allowed.n_searchable()).unwrap_or(depth));
                let known = Known {
                    snapshot,
                    vector,
                    closer: matches.closer(dense),
                    mass: matches.mass,
                    lexical: Distribution::of(&matches.best, depth),
                    dense: Distribution::of(dense, depth),
                };
                fuse(&mut candidates, QueryClass::of(text), |candidate| known.signals(candidate));
            }
            if request.demote {
                for candidate in &mut candidates {
                    candidate.suspicion = snapshot.suspicion(candidate.document);
                }
            }
            candidates
        }))
    }
}

/// What both legs know of a query, for documents that only one of them found too.
struct Known<'a> {
    snapshot: &'a Snapshot,
    vector: &'a Embedding,
    closer: Closer,
    mass: f32,
    lexical: Distribution,
    dense: Distribution,
}

impl Known<'_> {
    fn signals(&self, candidate: &Candidate) -> Signals {
        let document = candidate.document;
        let matched = self.closer.of(document);
        let cosine = match candidate.dense {
            Some((_, cosine)) => cosine,
            None => dense::cosine(&self.snapshot.vectors, self.vector.as_slice(), document),
        };
        Signals {
            lexical: self.lexical.standard(matched.score),
            dense: self.dense.standard(cosine),
            cosine,
            cover: if self.mass > 0.0 { matched.mass / self.mass } else { 0.0 },
            name_cover: self.snapshot.lexical.name_cover(document, &matched),
        }
    }
}

/// Where each leg ranks one document among all of the set, by a full scan; `None` where a leg does not run or does not find
/// it.
pub(crate) fn leg_places(
    snapshot: &Snapshot,
    models: &Models,
    allowed: &AllowedSet,
    request: &SearchRequest,
    document: u32,
) -> Result<(Option<LegScore>, Option<LegScore>), SearchError> {
    let all = usize::try_from(allowed.n_searchable()).unwrap_or(usize::MAX);
    let place = |list: Vec<Scored>| {
        let place = list.iter().position(|scored| scored.document == document)?;
        Some(LegScore { rank: place + 1, score: list.get(place)?.score })
    };
    let vector = match request.mode {
        Mode::Lexical => None,
        Mode::Dense | Mode::Hybrid => embed(snapshot, models, &[&request.query]).ok().and_then(|mut one| one.pop()),
    };
    let lexical = match (request.mode, &vector) {
        (Mode::Dense, Some(_)) => None,
        _ => place(snapshot.lexical.search(&request.query, allowed, all)?.best),
    };
    let dense = vector.and_then(|vector| {
        place(dense::nearest(&snapshot.vectors, Shortcuts::default(), vector.as_slice(), allowed, all).0)
    });
    Ok((lexical, dense))
}
