//! [`Legs`]: the dense and the lexical leg of one search, and what either knows of the other's candidates.

use std::sync::LazyLock;

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::allowed::AllowedSet;
use crate::dense::{self, Shortcuts};
use crate::embed::{Embedding, TextRole};
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

/// From how many tools that a search may find on its legs run at the same time. Below, to wake a thread costs what it saves.
const SIDE_BY_SIDE_TOOLS_MIN: u64 = 20_000;

/// Threads for that, and for the texts of a query with parts: of their own, for in rayon's common ones a reranking goes first, and
/// takes a hundred times as long. Without them, where a system gives no more threads, a search does one thing after the other.
static LEGS: LazyLock<Option<ThreadPool>> =
    LazyLock::new(|| ThreadPoolBuilder::new().thread_name(|number| format!("leg-{number}")).build().ok());

/// The threads where they are wanted, which are begun when they first are.
fn threads(are_wanted: bool) -> Option<&'static ThreadPool> {
    if are_wanted { LEGS.as_ref() } else { None }
}

/// The vectors of a query and its parts, or why there are none.
pub(crate) fn embed(snapshot: &Snapshot, models: &Models, texts: &[&str]) -> Result<Vec<Embedding>, String> {
    let embedder = models.embedder.as_ref().ok_or("no embedding model is loaded")?;
    let (got, expected) = (embedder.fingerprint(), &snapshot.manifest().embedder);
    if got != expected {
        return Err(format!("the vectors were made by model {}, and {} is loaded; sync again", expected.0, got.0));
    }
    let all = || embedder.embed_all(TextRole::Query, texts, &|_| ());
    let vectors = match threads(texts.len() > 1) {
        Some(threads) => threads.install(all),
        None => all(),
    };
    vectors.map_err(|error| error.to_string())
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
                let (dense, matches) = match threads(allowed.n_searchable() >= SIDE_BY_SIDE_TOOLS_MIN) {
                    Some(threads) => side_by_side(threads, stages, || nearest(vector), lexical),
                    None => (stages.run(Stage::Dense, || nearest(vector)), stages.run(Stage::Lexical, lexical)),
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

/// Runs the dense leg on another thread while the lexical one runs on this. What is waited for it in the end is its stage.
fn side_by_side<T>(
    threads: &ThreadPool,
    stages: &dyn Stages,
    dense: impl FnOnce() -> Vec<Scored> + Send,
    lexical: impl FnOnce() -> T,
) -> (Vec<Scored>, T) {
    let mut nearest = Vec::new();
    let matches = threads.in_place_scope(|scope| {
        scope.spawn(|_| nearest = dense());
        let matches = stages.run(Stage::Lexical, lexical);
        stages.enter(Stage::Dense);
        matches
    });
    stages.leave(Stage::Dense);
    (nearest, matches)
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
