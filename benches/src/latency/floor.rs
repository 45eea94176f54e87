//! [`Floor`]: what the searches of a load take where nothing is between the caller and the engine.

use std::path::Path;

use serde::Serialize;
use shortlist_index::{Models, Stage, Store};

use super::cell::median;
use super::clock::timed;
use super::grant;
use super::task::{Task, request};
use super::workload::Workload;
use crate::error::BenchError;

/// Searches that are timed, after a quarter as many that are not.
const N_SEARCHES: usize = 400;

/// Medians over hybrid searches in this process, one at a time, as callers usually ask; in milliseconds.
#[derive(Clone, Debug, Serialize)]
pub struct Floor {
    /// The query, and each of its parts, becomes a vector: tokenizer and model, or the look-up of what was given.
    pub embed_ms: f64,
    /// All the rest of the search, the tools of the page included.
    pub search_ms: f64,
}

/// Asks the generation in `home`, which was built of this workload with these models. Where texts are `fresh` each has a number
/// after it.
///
/// # Errors
/// [`BenchError`] when the generation cannot be opened, or a search fails.
pub fn floor(workload: &Workload, home: &Path, models: &Models, fresh: bool) -> Result<Floor, BenchError> {
    let snapshot = Store::new(home).open_current()?.snapshot;
    let mut allowed = Vec::new();
    for user in &workload.users {
        allowed.push(snapshot.allow(&grant(workload, &user.namespaces)?));
    }
    let n_warm = N_SEARCHES / 4;
    let (mut embed_ms, mut search_ms) = (Vec::new(), Vec::new());
    for (number, query) in workload.queries.iter().cycle().take(n_warm + N_SEARCHES).enumerate() {
        let text = if fresh { format!("{} {number}", query.text) } else { query.text.clone() };
        let request = request(Task::Hybrid, true, &text);
        let (times, _) = timed(&snapshot, models, &allowed[query.user], Task::Hybrid, &request)?;
        if number >= n_warm {
            let embed = times.stages_ms[Stage::Embed as usize];
            embed_ms.push(embed);
            search_ms.push(times.all_ms - embed);
        }
    }
    Ok(Floor { embed_ms: median(&embed_ms), search_ms: median(&search_ms) })
}
