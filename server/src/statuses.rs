//! [`StatusWatch`]: how the sources are, as the passes leave it beside the generations.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use arc_swap::ArcSwap;
use shortlist_index::{Health, SourceStatuses, Store};

/// Follows the store's statuses. Nothing that serves depends on them: they are told to operators and to the log.
pub(crate) struct StatusWatch {
    store: Store,
    current: ArcSwap<SourceStatuses>,
    /// When the file that was read last was written.
    written: Mutex<Option<SystemTime>>,
}

impl StatusWatch {
    pub(crate) fn new(store: Store) -> Self {
        Self { store, current: ArcSwap::default(), written: Mutex::new(None) }
    }

    /// What was read last.
    pub(crate) fn current(&self) -> Arc<SourceStatuses> {
        self.current.load_full()
    }

    /// Whether some source's tools are older than they should be.
    pub(crate) fn has_stale(&self) -> bool {
        self.current.load().values().any(|status| status.health != Health::Ok)
    }

    /// Reads the file if it is another one, and logs which sources fell ill or recovered.
    pub(crate) fn look(&self) {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let written_now = self.store.statuses_written();
        if written_now == *written {
            return;
        }
        *written = written_now;
        match self.store.statuses() {
            Ok(statuses) => {
                let before = self.current.swap(Arc::new(statuses));
                log_changes(&before, &self.current.load());
            }
            Err(error) => {
                tracing::warn!(error = %error, "the state of the sources cannot be read; the one before is told")
            }
        }
    }
}

fn log_changes(before: &SourceStatuses, now: &SourceStatuses) {
    for (name, status) in now {
        let was = before.get(name).map_or(Health::Ok, |before| before.health);
        if was == status.health {
            continue;
        }
        let class = status.last_fault.as_ref().map_or("", |fault| fault.class.as_str());
        match status.health {
            Health::Ok => tracing::info!(source = name, source.was = was.as_str(), "source is well again"),
            health => tracing::warn!(
                source = name,
                source.state = health.as_str(),
                source.fault = class,
                source.since_unix_s = status.since_unix_s,
                source.succeeded_unix_s = status.succeeded_unix_s,
                "source is not read; its last good tools serve"
            ),
        }
    }
}
