//! [`Turns`]: what it costs that a thousand users take turns, beside one who asks alone.

use serde::Serialize;
use shortlist_index::{Grant, Pattern, Selector, search};

use super::cell::{percentile, rounded};
use super::task::{Task, request};
use super::workload::{Query, Workload};
use super::{Engine, failed};
use crate::error::BenchError;

/// Users, and how often each of them and the one alone asks.
const N_USERS: usize = 1_000;
const N_ROUNDS: usize = 3;
/// What their namespaces are drawn by.
const SEED: u64 = 7;

/// Medians of hybrid searches, in milliseconds.
#[derive(Clone, Debug, Serialize)]
pub struct Turns {
    /// Users, each with a grant of their own, resolved before.
    pub n_users: usize,
    /// The share of the documents that each may see, roughly.
    pub share: f64,
    /// The first of them asks every query.
    pub alone_p50_ms: f64,
    /// Each query is another's.
    pub turns_p50_ms: f64,
}

/// Asks the queries of users with this share: as one of a thousand users, who see as many namespaces each, drawn with a seed, and
/// as all of them in turn, by rounds. `None` where the workload has no such queries.
pub(super) fn measure(workload: &Workload, engine: &Engine, share: f64) -> Result<Option<Turns>, BenchError> {
    let queries: Vec<&Query> = workload.queries.iter().filter(|query| query.share == share).collect();
    let Some(first) = queries.first() else { return Ok(None) };
    let n_namespaces = workload.users[first.user].namespaces.len();
    let mut namespaces: Vec<&String> = workload.users.iter().flat_map(|user| &user.namespaces).collect();
    namespaces.sort_unstable();
    namespaces.dedup();

    let mut rng = fastrand::Rng::with_seed(SEED);
    let mut allowed = Vec::with_capacity(N_USERS);
    for _ in 0..N_USERS {
        let some = rng.choose_multiple(namespaces.iter(), n_namespaces).into_iter();
        let some: Result<Vec<Pattern>, _> = some.map(|namespace| Pattern::new(namespace)).collect();
        let some = some.map_err(|error| workload.bad(format!("a namespace of a user: {error}")))?;
        let selector = Selector { namespaces: some, ..Selector::default() };
        allowed.push(engine.snapshot.allow(&Grant::new(vec![selector], Vec::new(), Default::default())));
    }
    let ask = |user: usize, query: &Query| -> Result<f64, BenchError> {
        let request = request(Task::Hybrid, false, &query.text);
        let began = std::time::Instant::now();
        let answer = search(&engine.snapshot, &engine.models, &allowed[user], &request);
        let ms = began.elapsed().as_secs_f64() * 1e3;
        answer.map_err(|error| failed(&query.text, error))?;
        Ok(ms)
    };
    let (mut alone, mut turns) = (Vec::new(), Vec::new());
    for _ in 0..N_ROUNDS {
        for (times, is_alone) in [(&mut alone, true), (&mut turns, false)] {
            for (user, query) in (0..N_USERS).zip(queries.iter().cycle()) {
                times.push(ask(if is_alone { 0 } else { user }, query)?);
            }
        }
    }
    let median = |times: &[f64]| percentile(times, 50.0).map_or(0.0, rounded);
    Ok(Some(Turns { n_users: N_USERS, share, alone_p50_ms: median(&alone), turns_p50_ms: median(&turns) }))
}
