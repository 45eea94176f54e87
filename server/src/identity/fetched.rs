//! [`FetchedKeys`]: an issuer's keys, held here and fetched anew.
//!
//! - A token whose key is known is verified at once, whatever the issuer does.
//! - A token with an unknown key waits for a fetch that begins after it came: the issuer may have a new key. There is one
//!   fetch at a time, and none begins sooner than [`KeyTimes::attempt`] after the one before, so that any number of tokens
//!   with made-up keys costs one fetch in that time. They wait together, [`KEY_WAITERS_MAX`] at most.
//! - Keys are fetched anew every [`KeyTimes::refresh`] (the server's own look drives that, so it needs no requests), which also
//!   ends the life of a key that the issuer has withdrawn. While the issuer cannot be reached they are believed for
//!   [`KeyTimes::keep`], then no more.
//!
//! No lock is held while anything is waited for, and a fetch belongs to no request: a caller who hangs up ends nothing.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

use super::fetch::Provider;
use super::keyset::KeySet;
use super::token::{Presented, TokenRefusal};
use crate::limits::KEY_WAITERS_MAX;
use crate::telemetry::Tally;

/// How keys are kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeyTimes {
    /// How often they are fetched.
    pub(crate) refresh: Duration,
    /// The least time between the beginnings of two fetches.
    pub(crate) attempt: Duration,
    /// How long they are believed while the issuer cannot be reached.
    pub(crate) keep: Duration,
}

/// An issuer's keys.
#[derive(Clone, Debug)]
pub(crate) struct FetchedKeys(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// The issuer's name in the log.
    name: Arc<str>,
    provider: Provider,
    times: KeyTimes,
    held: ArcSwapOption<Held>,
    /// How many fetches have begun.
    n_begun: AtomicU64,
    attempts: Mutex<Attempts>,
    waiting: Semaphore,
    tally: Tally,
}

#[derive(Debug)]
struct Held {
    keys: KeySet,
    since: Instant,
}

#[derive(Debug, Default)]
struct Attempts {
    /// When the last one began.
    last: Option<Instant>,
    /// Ends with the attempt that is under way.
    running: Option<watch::Receiver<()>>,
    /// What was wrong with the last one, so that it is said once.
    trouble: Option<String>,
}

impl FetchedKeys {
    pub(super) fn new(name: Arc<str>, provider: Provider, times: KeyTimes) -> Self {
        Self(Arc::new(Shared {
            name,
            provider,
            times,
            held: ArcSwapOption::empty(),
            n_begun: AtomicU64::new(0),
            attempts: Mutex::default(),
            waiting: Semaphore::new(KEY_WAITERS_MAX),
            tally: Tally::default(),
        }))
    }

    /// Proves the token's signature by a key that is held, or by one that a fetch brings.
    pub(super) async fn verify(&self, token: &Presented<'_>, tenant: Option<&str>) -> Result<(), TokenRefusal> {
        if token.key_id.is_none() {
            return Err(TokenRefusal::NoKeyId);
        }
        let held = self.held_for(token);
        self.0.tally.count(held.is_some());
        if let Some(held) = held {
            return held.keys.verify(token, tenant);
        }
        let _waiting = self.0.waiting.try_acquire().map_err(|_| TokenRefusal::Crowded)?;
        let n_before = self.0.n_begun.load(Ordering::Acquire);
        loop {
            let mut attempt = self.attempt();
            // An error is the end of the attempt, which is waited for.
            while attempt.changed().await.is_ok() {}
            if let Some(held) = self.held_for(token) {
                return held.keys.verify(token, tenant);
            }
            // One that had begun before this token came may have missed its key.
            if self.0.n_begun.load(Ordering::Acquire) > n_before {
                let any = self.0.held().is_some();
                return Err(if any { TokenRefusal::UnknownKey } else { TokenRefusal::NoKeys });
            }
        }
    }

    /// Fetches if it is time to; does not wait for it. Outside of a runtime nothing is done.
    pub(super) fn refresh(&self) {
        let attempts = self.0.attempts();
        // After a failure, sooner: what is held is getting old.
        let every = if attempts.trouble.is_some() { self.0.times.attempt } else { self.0.times.refresh };
        let is_due = attempts.last.is_none_or(|last| last.elapsed() >= every);
        drop(attempts);
        if is_due && Handle::try_current().is_ok() {
            drop(self.attempt());
        }
    }

    /// How often a token's key was at hand.
    pub(crate) fn tally(&self) -> &Tally {
        &self.0.tally
    }

    /// How old what is held is.
    pub(crate) fn age(&self) -> Option<Duration> {
        self.0.held().map(|held| held.since.elapsed())
    }

    /// Whether the last fetch failed.
    pub(crate) fn is_failing(&self) -> bool {
        self.0.attempts().trouble.is_some()
    }

    fn held_for(&self, token: &Presented<'_>) -> Option<Arc<Held>> {
        self.0.held().filter(|held| held.keys.knows(token))
    }

    /// The attempt that is under way, or a new one, which begins when it may.
    fn attempt(&self) -> watch::Receiver<()> {
        let mut attempts = self.0.attempts();
        // A sender that is gone is an attempt that has ended, however it did.
        if let Some(running) = attempts.running.as_ref().filter(|running| running.has_changed().is_ok()) {
            return running.clone();
        }
        let begins = attempts.last.map_or_else(Instant::now, |last| last + self.0.times.attempt);
        let (ends, running) = watch::channel(());
        attempts.running = Some(running.clone());
        drop(attempts);
        let shared = Arc::clone(&self.0);
        tokio::spawn(async move {
            tokio::time::sleep_until(begins).await;
            shared.fetch().await;
            drop(ends);
        });
        running
    }
}

impl Shared {
    /// The keys, unless they are too old.
    fn held(&self) -> Option<Arc<Held>> {
        self.held.load_full().filter(|held| held.since.elapsed() < self.times.keep)
    }

    fn attempts(&self) -> std::sync::MutexGuard<'_, Attempts> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn fetch(&self) {
        let begun = Instant::now();
        self.attempts().last = Some(begun);
        self.n_begun.fetch_add(1, Ordering::AcqRel);
        let issuer = &*self.name;
        match self.provider.keys().await {
            Ok(keys) => {
                let first = self.held.swap(Some(Arc::new(Held { keys, since: begun }))).is_none();
                let had_trouble = self.attempts().trouble.take().is_some();
                if first || had_trouble {
                    tracing::info!(issuer, "the issuer's keys are here");
                }
            }
            Err(error) => {
                let said = error.to_string();
                let news = self.attempts().trouble.replace(said.clone()).as_ref() != Some(&said);
                if news {
                    let source = std::error::Error::source(&error).and_then(std::error::Error::source);
                    let cause = source.map(ToString::to_string);
                    tracing::error!(
                        issuer,
                        error = said,
                        error.cause = cause,
                        keys.age_s = self.held().map(|held| held.since.elapsed().as_secs()),
                        "the issuer's keys cannot be fetched; those that are here are believed for a while, and it is tried again"
                    );
                }
            }
        }
    }
}
