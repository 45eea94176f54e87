//! [`SyncObserver`]: what a pass tells while it runs.

use std::fmt;
use std::time::Instant;

use shortlist_index::PublishStep;

/// The steps of a pass, in their order; `Fetch` comes once for each source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SyncStep {
    /// Taking the right to write.
    Lock,
    /// Opening the generation that serves.
    Parent,
    /// Reading the source of this name.
    Fetch(String),
    /// Finding what is new, changed or gone.
    Compare,
    /// Embedding what the cache does not hold.
    Embed,
    /// Tidying the cache.
    Compact,
    /// Building and publishing.
    Publish(PublishStep),
    /// Removing old generations.
    Tidy,
}

impl fmt::Display for SyncStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lock => f.write_str("lock"),
            Self::Parent => f.write_str("open the served generation"),
            Self::Fetch(source) => write!(f, "read {source}"),
            Self::Compare => f.write_str("compare"),
            Self::Embed => f.write_str("embed"),
            Self::Compact => f.write_str("compact the cache"),
            Self::Publish(step) => write!(f, "publish: {}", format!("{step:?}").to_lowercase()),
            Self::Tidy => f.write_str("remove old generations"),
        }
    }
}

/// How far the embedding is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EmbedProgress {
    /// Texts embedded in this pass.
    pub n_done: usize,
    /// Texts to embed in this pass.
    pub n_total: usize,
    /// Texts per second since the step began. Long texts come first, so it rises.
    pub per_second: f64,
}

/// Hears what a pass does. Everything has a default, so that an observer takes only what it draws.
pub trait SyncObserver: Send {
    /// Called before each step.
    fn step(&mut self, step: &SyncStep) {
        let _ = step;
    }

    /// Called now and then while a source is read, with the records it gave so far.
    fn fetched(&mut self, source: &str, n_records: u64) {
        let _ = (source, n_records);
    }

    /// Called as texts are embedded, from any thread.
    fn embedded(&mut self, progress: EmbedProgress) {
        let _ = progress;
    }
}

/// Hears nothing.
pub struct Quiet;

impl SyncObserver for Quiet {}

/// The observer with a stopwatch beside it.
pub(super) struct Steps<'o> {
    pub(super) observer: &'o mut dyn SyncObserver,
    running: Option<(String, Instant)>,
    seconds: Vec<(String, f64)>,
}

impl<'o> Steps<'o> {
    pub(super) fn new(observer: &'o mut dyn SyncObserver) -> Self {
        Self { observer, running: None, seconds: Vec::new() }
    }

    /// Ends the running step and begins this one.
    pub(super) fn begin(&mut self, step: SyncStep) {
        self.end();
        self.observer.step(&step);
        self.running = Some((step.to_string(), Instant::now()));
    }

    /// Ends the running step; each step with its seconds, in order.
    pub(super) fn finish(mut self) -> Vec<(String, f64)> {
        self.end();
        self.seconds
    }

    fn end(&mut self) {
        if let Some((step, began)) = self.running.take() {
            self.seconds.push((step, began.elapsed().as_secs_f64()));
        }
    }
}
