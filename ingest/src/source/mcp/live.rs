//! [`Live`]: a session that is kept, so that its server can announce changes.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Handle, Runtime};

use super::session::{Plan, Session};
use super::{Pass, Reader};
use crate::error::SourceError;

/// What a server announced since somebody last looked.
#[derive(Default)]
pub(super) struct Changes {
    heard: Mutex<Heard>,
    signal: Condvar,
}

#[derive(Default)]
struct Heard {
    changed: bool,
    ended: bool,
}

/// How waiting ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Waited {
    /// The server announced a change.
    Changed,
    /// It said nothing.
    Quiet,
    /// The session is over, so it can say nothing any more.
    Over,
}

impl Changes {
    pub(super) fn announce(&self) {
        self.heard().changed = true;
        self.signal.notify_all();
    }

    pub(super) fn end(&self) {
        self.heard().ended = true;
        self.signal.notify_all();
    }

    /// Forgets what was announced: it is about to be read.
    fn clear(&self) {
        self.heard().changed = false;
    }

    fn is_over(&self) -> bool {
        self.heard().ended
    }

    /// Waits for a change and forgets it.
    pub(super) fn wait(&self, until: Instant) -> Waited {
        let mut heard = self.heard();
        loop {
            if std::mem::take(&mut heard.changed) {
                return Waited::Changed;
            }
            if heard.ended {
                return Waited::Over;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Waited::Quiet;
            }
            heard = self.signal.wait_timeout(heard, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A session with a runtime of its own, which goes on while nobody waits.
pub(super) struct Live {
    pub(super) changes: Arc<Changes>,
    /// `None` only while it is being dropped.
    runtime: Option<Runtime>,
    session: Mutex<Option<Session>>,
}

impl Live {
    /// Connects and subscribes. `known` is the digest of what was last read: a listing that is another by now counts as
    /// announced, for nobody listened in between.
    pub(super) fn open(plan: &Plan, reader: &Reader, known: Option<[u8; 32]>) -> Result<Self, SourceError> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .map_err(|error| plan.no_runtime(&error))?;
        let changes = Arc::<Changes>::default();
        let session = runtime.block_on(async {
            let session = plan.open(&changes).await?;
            match session.subscribe(plan, &changes).await {
                Ok(()) => Ok(session),
                Err(error) => {
                    session.close().await;
                    Err(error)
                }
            }
        })?;
        let live = Self { changes, runtime: Some(runtime), session: Mutex::new(Some(session)) };
        if let Some(known) = known
            && live.read(plan, reader)?.digest != known
        {
            live.changes.announce();
        }
        Ok(live)
    }

    /// Whether the server can still be heard.
    pub(super) fn is_over(&self) -> bool {
        self.changes.is_over()
    }

    /// Reads the listing. What was announced before is told by it.
    pub(super) fn read(&self, plan: &Plan, reader: &Reader) -> Result<Pass, SourceError> {
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        match (&self.runtime, &mut *session) {
            (Some(runtime), Some(session)) => {
                self.changes.clear();
                runtime.block_on(reader.read(plan, session))
            }
            _ => Err(plan.no_listing("the connection is over".to_owned())),
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        let session = self.session.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        let Some(runtime) = self.runtime.take() else { return };
        if Handle::try_current().is_ok() {
            // Nobody may wait here. The session's program is killed where the session is dropped.
            drop(session);
            runtime.shutdown_background();
        } else if let Some(session) = session {
            runtime.block_on(session.close());
            runtime.shutdown_timeout(Duration::from_secs(1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_told_once_and_before_the_end() {
        let changes = Changes::default();
        let now = Instant::now();
        assert_eq!(changes.wait(now), Waited::Quiet);
        changes.announce();
        changes.announce();
        changes.end();
        assert_eq!(changes.wait(now), Waited::Changed);
        assert_eq!(changes.wait(now + Duration::from_secs(600)), Waited::Over);
        assert!(changes.is_over());
    }

    #[test]
    fn whoever_waits_is_woken() {
        let changes = Changes::default();
        let waited = std::thread::scope(|scope| {
            let waiter = scope.spawn(|| changes.wait(Instant::now() + Duration::from_secs(600)));
            changes.announce();
            waiter.join().expect("no panic")
        });
        assert_eq!(waited, Waited::Changed);
    }
}
