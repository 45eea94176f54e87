//! [`Followed`]: the work on one request, stage by stage, with a clock.

use std::cell::RefCell;
use std::time::Instant;

use shortlist_index::{Stage, Stages};
use tracing::Span;
use tracing::span::EnteredSpan;

use super::Metrics;

/// Measures the stages of a request's work, and gives each a span.
pub(crate) struct Followed<'m> {
    metrics: &'m Metrics,
    /// The stage that runs. There is one at a time, and all of them run on one thread.
    running: RefCell<Option<(Instant, EnteredSpan)>>,
}

impl<'m> Followed<'m> {
    pub(crate) fn new(metrics: &'m Metrics) -> Self {
        Self { metrics, running: RefCell::new(None) }
    }

    /// Does the work as a stage of this name.
    pub(crate) fn run<T>(&self, stage: &'static str, work: impl FnOnce() -> T) -> T {
        self.begin(stage);
        let result = work();
        self.end(stage);
        result
    }

    fn begin(&self, stage: &'static str) {
        self.running.replace(Some((Instant::now(), stage_span(stage).entered())));
    }

    fn end(&self, stage: &'static str) {
        if let Some((began, _span)) = self.running.take() {
            self.metrics.stage(stage, began.elapsed());
        }
    }
}

impl Stages for Followed<'_> {
    fn enter(&self, stage: Stage) {
        self.begin(stage.as_str());
    }

    fn leave(&self, stage: Stage) {
        self.end(stage.as_str());
    }
}

/// The span of a stage. It costs nothing where nobody collects traces: a log at level `info` does not want it.
pub(crate) fn stage_span(stage: &'static str) -> Span {
    tracing::debug_span!("stage", otel.name = stage)
}
