//! [`timed`]: one search with a [`Clock`], which tells how long each stage took.

use std::cell::Cell;
use std::time::{Duration, Instant};

use shortlist_index::{AllowedSet, Answer, Models, SearchRequest, Snapshot, Stage, Stages, search_followed};

use super::task::Task;
use crate::error::BenchError;

/// Times of one search, in milliseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Times {
    /// Until the ranking stood: everything but the fetching of the page's tools. What the rivals do.
    pub(super) ids_ms: f64,
    /// All of it.
    pub(super) all_ms: f64,
    /// Each stage, in the order of [`Stage::ALL`].
    pub(super) stages_ms: [f64; Stage::ALL.len()],
}

/// One search of the task. One that left a stage out is an error, for half a search has no time.
pub(super) fn timed(
    snapshot: &Snapshot,
    models: &Models,
    allowed: &AllowedSet,
    task: Task,
    request: &SearchRequest,
) -> Result<(Times, Answer), BenchError> {
    let clock = Clock::start();
    let answer = search_followed(snapshot, models, allowed, request, &clock);
    let times = clock.stop();
    let mut answer = answer.map_err(|error| BenchError::Search { query: request.query.clone(), error })?;
    match answer.degraded.pop() {
        Some(degraded) => Err(BenchError::Degraded {
            query: request.query.clone(),
            stage: degraded.stage,
            mode: task.as_str().to_owned(),
            reason: degraded.reason,
        }),
        None => Ok((times, answer)),
    }
}

/// A stopwatch for one search.
pub(super) struct Clock {
    began: Instant,
    entered: Cell<Instant>,
    ranked: Cell<Option<Duration>>,
    spent: [Cell<Duration>; Stage::ALL.len()],
}

impl Clock {
    /// Starts it.
    pub(super) fn start() -> Self {
        let began = Instant::now();
        Self { began, entered: Cell::new(began), ranked: Cell::new(None), spent: Default::default() }
    }

    /// Stops it.
    pub(super) fn stop(self) -> Times {
        let all = self.began.elapsed();
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        Times {
            ids_ms: ms(self.ranked.get().unwrap_or(all)),
            all_ms: ms(all),
            stages_ms: self.spent.map(|spent| ms(spent.get())),
        }
    }
}

impl Stages for Clock {
    fn enter(&self, stage: Stage) {
        let now = Instant::now();
        if stage == Stage::Fetch {
            self.ranked.set(Some(now - self.began));
        }
        self.entered.set(now);
    }

    fn leave(&self, stage: Stage) {
        let spent = &self.spent[stage as usize];
        spent.set(spent.get() + self.entered.get().elapsed());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stage_has_the_place_that_its_time_is_kept_at() {
        for (place, stage) in Stage::ALL.into_iter().enumerate() {
            assert_eq!(stage as usize, place);
        }
    }

    #[test]
    fn what_comes_before_the_fetching_is_retrieval_and_a_stage_may_run_twice() {
        let clock = Clock::start();
        for stage in [Stage::Lexical, Stage::Lexical, Stage::Fetch] {
            clock.enter(stage);
            std::thread::sleep(Duration::from_millis(2));
            clock.leave(stage);
        }
        let times = clock.stop();
        let of = |stage: Stage| times.stages_ms[stage as usize];
        assert!(of(Stage::Lexical) >= 4.0 && of(Stage::Fetch) >= 2.0 && of(Stage::Dense) == 0.0);
        assert!(times.ids_ms >= of(Stage::Lexical) && times.all_ms >= times.ids_ms + of(Stage::Fetch));
    }
}
