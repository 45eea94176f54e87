//! [`Turns`]: what it costs that many users take turns.

use fastrand::Rng;
use serde::Serialize;
use shortlist_index::AllowedSet;

use super::cell::{median, rounded};
use super::clock::timed;
use super::task::{Task, request};
use super::workload::{Query, Workload};
use super::{Engine, grant};
use crate::error::BenchError;

/// Users, and how often each takes a turn.
const N_USERS: usize = 1_000;
const N_ROUNDS: usize = 3;
/// What their namespaces are drawn by.
const SEED: u64 = 7;

/// Medians of hybrid searches as the rivals do them, in milliseconds.
#[derive(Clone, Debug, Serialize)]
pub struct Turns {
    /// Users, each with a grant of their own, resolved before.
    pub n_users: usize,
    /// The share of the documents that one of them sees, on average.
    pub share: f64,
    /// A user's search after a search of another.
    pub after_another_ms: f64,
    /// A user's search after a search of their own.
    pub after_oneself_ms: f64,
}

/// Lets a thousand users, who each see about `share` of the documents, ask two queries each, in turn, by rounds. `None` where the
/// workload has no queries for such users.
pub(super) fn measure(workload: &Workload, engine: &Engine, share: f64) -> Result<Option<Turns>, BenchError> {
    let queries: Vec<&Query> = workload.queries.iter().filter(|query| query.share == share).collect();
    if queries.is_empty() {
        return Ok(None);
    }
    let allowed = users(workload, engine, share)?;
    let (mut after_another, mut after_oneself) = (Vec::new(), Vec::new());
    for _ in 0..N_ROUNDS {
        for (user, allowed) in allowed.iter().enumerate() {
            // The second query was last asked long ago, as the first was, and over all users both are the same queries.
            for (times, place) in [(&mut after_another, user), (&mut after_oneself, user + queries.len() / 2)] {
                let request = request(Task::Hybrid, false, &queries[place % queries.len()].text);
                let (took, _) = timed(&engine.snapshot, &engine.models, allowed, Task::Hybrid, &request)?;
                times.push(took.ids_ms);
            }
        }
    }
    let n_seen: u64 = allowed.iter().map(AllowedSet::len).sum();
    Ok(Some(Turns {
        n_users: N_USERS,
        share: rounded(n_seen as f64 / (N_USERS * workload.n_docs()) as f64),
        after_another_ms: median(&after_another),
        after_oneself_ms: median(&after_oneself),
    }))
}

/// Users with one namespace and all that fit into the share besides, as they are drawn.
fn users(workload: &Workload, engine: &Engine, share: f64) -> Result<Vec<AllowedSet>, BenchError> {
    let mut names: Vec<&String> = workload.users.iter().flat_map(|user| &user.namespaces).collect();
    names.sort_unstable();
    names.dedup();
    let mut sized = Vec::with_capacity(names.len());
    for name in names {
        let one = grant(workload, std::slice::from_ref(name))?;
        sized.push((name, engine.snapshot.picked(&one).len()));
    }
    let wanted = (share * workload.n_docs() as f64) as u64;
    let mut rng = Rng::with_seed(SEED);
    let mut users = Vec::with_capacity(N_USERS);
    for _ in 0..N_USERS {
        rng.shuffle(&mut sized);
        let (mut seen, mut n_seen) = (Vec::new(), 0);
        for (name, n_docs) in &sized {
            // Never none: an empty list of namespaces means all of them.
            if seen.is_empty() || n_seen + n_docs <= wanted {
                seen.push((*name).clone());
                n_seen += n_docs;
            }
        }
        users.push(engine.snapshot.allow(&grant(workload, &seen)?));
    }
    Ok(users)
}
