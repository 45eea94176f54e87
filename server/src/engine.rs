//! [`Engine`]: holds the generation that serves, and runs the work of requests on it.
//!
//! Each request pins one generation for all of its life, so a swap neither fails nor mixes an answer. The work runs on
//! blocking threads, as many at a time as the machine has cores; a bounded number waits, and who comes then is sent away at
//! once rather than kept in a queue that only grows.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use moka::sync::Cache;
use shortlist_index::{AllowedSet, Models, OpenError, Snapshot, Store};
use tokio::sync::Semaphore;
use tracing::{Instrument, Span};

use crate::error::{ApiError, Code, Panicked};
use crate::limits::{ALLOWED_SETS_KEPT, KEPT_IDLE};
use crate::policy::{Granted, InForce};
use crate::query_vectors::QueryVectors;
use crate::telemetry::{Followed, Metrics, Tally, stage_span};

/// The generation that serves, and the threads that compute on it.
pub(crate) struct Engine {
    current: ArcSwapOption<Serving>,
    serials: AtomicU64,
    models: Models,
    /// The embedding model with its memory, where there is one.
    query_vectors: Option<Arc<QueryVectors>>,
    /// Resolved grants by the snapshot's serial and the grant's fingerprint.
    allowed: Cache<(u64, String), Arc<AllowedSet>>,
    allowed_tally: Tally,
    /// One permit for each request that runs or waits.
    admitted: Arc<Semaphore>,
    /// One permit for each request that runs.
    running: Arc<Semaphore>,
    n_running: usize,
    n_waiting: usize,
    timeout: Duration,
    metrics: Arc<Metrics>,
}

/// How much work there is.
pub(crate) struct Load {
    pub(crate) n_running: usize,
    pub(crate) n_waiting: usize,
    pub(crate) running_max: usize,
    pub(crate) waiting_max: usize,
}

/// A snapshot with the number under which this process knows it. A generation's own number may come back with other
/// contents (a store that was set up anew), and an [`AllowedSet`] means nothing in another snapshot.
struct Serving {
    snapshot: Snapshot,
    serial: u64,
    /// The serial of the policy whose patterns were looked for in it.
    prepared: AtomicU64,
}

/// What a request's work sees: one generation, and what of it its caller may see.
pub(crate) struct View {
    serving: Arc<Serving>,
    pub(crate) allowed: Arc<AllowedSet>,
    pub(crate) models: Models,
    /// The version of the policy that gave the grant.
    pub(crate) policy_version: Arc<str>,
    /// Time spent waiting for a thread.
    pub(crate) queue_ms: f64,
    /// Time spent resolving the grant; next to nothing when it was in the cache.
    pub(crate) allow_ms: f64,
    /// Where the stages of the work are measured.
    pub(crate) metrics: Arc<Metrics>,
}

impl View {
    pub(crate) fn snapshot(&self) -> &Snapshot {
        &self.serving.snapshot
    }
}

impl Engine {
    pub(crate) fn new(
        models: Models,
        n_running: usize,
        n_waiting: usize,
        timeout: Duration,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            current: ArcSwapOption::empty(),
            serials: AtomicU64::new(0),
            query_vectors: models.embedder.clone().map(|embedder| Arc::new(QueryVectors::new(embedder))),
            models,
            allowed: Cache::builder().max_capacity(ALLOWED_SETS_KEPT).time_to_idle(KEPT_IDLE).build(),
            allowed_tally: Tally::default(),
            admitted: Arc::new(Semaphore::new(n_running + n_waiting)),
            running: Arc::new(Semaphore::new(n_running)),
            n_running,
            n_waiting,
            timeout,
            metrics,
        }
    }

    /// Serves this snapshot as soon as it is known what the policy's patterns match there. Requests that run keep theirs; it is
    /// closed when the last of them ends.
    pub(crate) fn swap(&self, snapshot: Snapshot, in_force: &InForce) {
        in_force.prepare(&snapshot);
        let serial = self.serials.fetch_add(1, Ordering::Relaxed);
        self.current.store(Some(Arc::new(Serving { snapshot, serial, prepared: AtomicU64::new(in_force.serial) })));
        // The sets of the snapshot before are of no more use.
        self.allowed.invalidate_all();
    }

    /// Looks for what the policy's patterns match in the snapshot that serves, where it is another policy than was last looked
    /// for, so that its first grants need not. It is in force meanwhile.
    pub(crate) fn prepare(&self, in_force: &InForce) {
        let Some(serving) = self.current.load_full() else { return };
        if serving.prepared.load(Ordering::Relaxed) != in_force.serial {
            in_force.prepare(&serving.snapshot);
            serving.prepared.store(in_force.serial, Ordering::Relaxed);
        }
    }

    /// Opens a generation that is to follow the one that serves, sharing its base where the two have the same.
    ///
    /// # Errors
    /// [`OpenError`] when it does not verify.
    pub(crate) fn open_next(&self, store: &Store, number: u64) -> Result<Snapshot, OpenError> {
        let serving = self.current.load_full();
        store.open_beside(number, serving.as_ref().map(|serving| &serving.snapshot))
    }

    /// The number of the generation that serves.
    pub(crate) fn number(&self) -> Option<u64> {
        self.current.load().as_ref().map(|serving| serving.snapshot.number())
    }

    /// What can be said of the snapshot that serves, if any does.
    pub(crate) fn look_at<T>(&self, look: impl FnOnce(&Snapshot) -> T) -> Option<T> {
        self.current.load().as_ref().map(|serving| look(&serving.snapshot))
    }

    /// How much work there is now.
    pub(crate) fn load(&self) -> Load {
        let n_running = self.n_running.saturating_sub(self.running.available_permits());
        let n_admitted = (self.n_running + self.n_waiting).saturating_sub(self.admitted.available_permits());
        Load {
            n_running,
            n_waiting: n_admitted.saturating_sub(n_running),
            running_max: self.n_running,
            waiting_max: self.n_waiting,
        }
    }

    /// How often a resolved grant was at hand.
    pub(crate) fn allowed_tally(&self) -> &Tally {
        &self.allowed_tally
    }

    /// How often a query's vector was at hand; `None` without a model.
    pub(crate) fn query_vectors_tally(&self) -> Option<&Tally> {
        self.query_vectors.as_ref().map(|vectors| vectors.tally())
    }

    pub(crate) fn models(&self) -> &Models {
        &self.models
    }

    /// The fingerprint of the model that made the serving generation's vectors.
    pub(crate) fn expected_embedder(&self) -> Option<String> {
        self.current.load().as_ref().map(|serving| serving.snapshot.manifest().embedder.0.clone())
    }

    /// Runs a request's work on a blocking thread, with the generation pinned and the grant resolved.
    ///
    /// # Errors
    /// `not_ready` without a generation, `overloaded` when too many wait, `timeout`, and `internal` when the work panics;
    /// else the work's own.
    pub(crate) async fn run<T: Send + 'static>(
        self: &Arc<Self>,
        granted: Arc<Granted>,
        work: impl FnOnce(View) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let start = Instant::now();
        let serving = self.current.load_full().ok_or_else(|| ApiError::new(Code::NotReady))?;
        let admitted = Arc::clone(&self.admitted).try_acquire_owned().map_err(|_| ApiError::new(Code::Overloaded))?;
        let finished = async {
            let running = Arc::clone(&self.running).acquire_owned().instrument(stage_span("queue")).await;
            let running = running.map_err(ApiError::internal)?;
            let queue_ms = ms_since(start);
            self.metrics.stage("queue", start.elapsed());
            let engine = Arc::clone(self);
            let span = Span::current();
            let work = move || {
                // The permits go with the work: what timed out still occupies its thread until it ends.
                let (_admitted, _running, _entered) = (admitted, running, span.enter());
                let metrics = Arc::clone(&engine.metrics);
                let (allowed, allow_ms) =
                    timed(|| Followed::new(&metrics).run("allow", || engine.resolve(&serving, &granted)));
                metrics.allowed(allowed.len());
                let models = engine.models_of(&granted);
                let policy_version = Arc::clone(&granted.policy_version);
                work(View { serving, allowed, models, policy_version, queue_ms, allow_ms, metrics })
            };
            tokio::task::spawn_blocking(work).await.map_err(ended_early)?
        };
        match tokio::time::timeout(self.timeout, finished).await {
            Ok(result) => result,
            Err(_) => Err(ApiError::new(Code::Timeout)),
        }
    }

    /// The models as the holders of a grant use them.
    fn models_of(&self, granted: &Granted) -> Models {
        let embedder = self.query_vectors.as_ref().map(|vectors| vectors.of(&granted.fingerprint));
        Models { embedder, ..self.models.clone() }
    }

    fn resolve(&self, serving: &Serving, granted: &Granted) -> Arc<AllowedSet> {
        let key = (serving.serial, granted.fingerprint.clone());
        let mut is_hit = true;
        let allowed = self.allowed.get_with(key, || {
            is_hit = false;
            Arc::new(serving.snapshot.allow(&granted.grant))
        });
        self.allowed_tally.count(is_hit);
        allowed
    }
}

/// A panic's message may quote the request, so it stays out of the log's fields.
fn ended_early(error: tokio::task::JoinError) -> ApiError {
    if error.is_panic() { ApiError::internal(Panicked) } else { ApiError::internal(error) }
}

/// What the work gives, and how long it took.
pub(crate) fn timed<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let start = Instant::now();
    let result = work();
    (result, ms_since(start))
}

/// Milliseconds, with thousandths.
pub(crate) fn ms_since(start: Instant) -> f64 {
    (start.elapsed().as_secs_f64() * 1e6).round() / 1e3
}
