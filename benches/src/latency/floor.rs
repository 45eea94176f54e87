//! [`Floor`]: what a search would take that did nothing but embed its query and find its tools.

use std::path::Path;

use serde::Serialize;
use shortlist_index::{Models, Stage, Store, search_followed};

use super::cell::{percentile, rounded};
use super::clock::Clock;
use super::task::{Task, request};
use super::workload::Workload;
use super::{failed, grant};
use crate::error::BenchError;

/// Searches that are timed, after a quarter as many that are not.
const N_SEARCHES: usize = 400;

/// Medians over searches in this process, one at a time, in milliseconds.
#[derive(Clone, Debug, Serialize)]
pub struct Floor {
    /// The query becomes a vector: tokenizer and model, or the look-up of what was given.
    pub embed_ms: f64,
    /// The rest, until the ranking stands, as the rivals do it.
    pub retrieve_ms: f64,
}

impl Floor {
    /// The sum.
    pub fn ms(&self) -> f64 {
        self.embed_ms + self.retrieve_ms
    }
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
        allowed.push(snapshot.allow(&grant(workload, user)?));
    }
    let n_warm = N_SEARCHES / 4;
    let (mut embed_ms, mut retrieve_ms) = (Vec::new(), Vec::new());
    for (number, query) in workload.queries.iter().cycle().take(n_warm + N_SEARCHES).enumerate() {
        let text = if fresh { format!("{} {number}", query.text) } else { query.text.clone() };
        let request = request(Task::Hybrid, false, &text);
        let clock = Clock::start();
        let answer = search_followed(&snapshot, models, &allowed[query.user], &request, &clock);
        let times = clock.stop();
        answer.map_err(|error| failed(&text, error))?;
        if number >= n_warm {
            let embed = times.stages_ms[Stage::Embed as usize];
            embed_ms.push(embed);
            retrieve_ms.push(times.ids_ms - embed);
        }
    }
    let median = |times: &[f64]| percentile(times, 50.0).map_or(0.0, rounded);
    Ok(Floor { embed_ms: median(&embed_ms), retrieve_ms: median(&retrieve_ms) })
}
