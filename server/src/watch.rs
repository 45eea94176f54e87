//! Notices what changes on disk while the server runs: a new generation, another policy.
//!
//! Both are polled. A poll costs a few system calls a second, works on every file system, and cannot miss a change for good.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use shortlist_index::Store;

use crate::engine::Engine;
use crate::limits::POLLS_BEFORE_RETRY;
use crate::policy::Policies;
use crate::state::AppState;

/// Follows the store's `CURRENT`.
pub(crate) struct GenerationWatch {
    store: Store,
    /// Held only for the length of a look, so that two looks never open the same generation.
    refused: Mutex<Option<Refused>>,
    /// Whether something is refused, for whoever cannot wait for the end of a look.
    refuses: AtomicBool,
    /// When the generation that serves was written, as its manifest says on disk.
    written: Mutex<Option<SystemTime>>,
}

/// A generation that was not taken, so that it is not verified again each second.
struct Refused {
    /// `None` when `CURRENT` itself could not be read, or is not there.
    number: Option<u64>,
    polls_left: u32,
}

impl GenerationWatch {
    pub(crate) fn new(store: Store) -> Self {
        Self { store, refused: Mutex::new(None), refuses: AtomicBool::new(false), written: Mutex::new(None) }
    }

    /// Swaps to what `CURRENT` names, if it is another generation than the one that serves and if it verifies, as soon as it is
    /// known what the policy's patterns match there. When nothing serves yet, the newest older one that verifies will do; the
    /// newest of all, where `CURRENT` cannot be read.
    pub(crate) fn look(&self, engine: &Engine, policies: &Policies) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        self.look_once(engine, policies, &mut refused);
        self.refuses.store(refused.is_some(), Ordering::Relaxed);
    }

    /// Whether what is current now was refused when it was looked at last.
    pub(crate) fn refuses(&self) -> bool {
        self.refuses.load(Ordering::Relaxed)
    }

    fn look_once(&self, engine: &Engine, policies: &Policies, refused: &mut Option<Refused>) {
        let serving = engine.number();
        let current = match (self.store.current(), serving) {
            (Ok(current), _) => current,
            (Err(error), Some(serving)) => {
                if remember(refused, None) {
                    tracing::error!(
                        generation.serving = serving, error = %error,
                        "cannot read which generation is current; the one before it serves on"
                    );
                }
                return;
            }
            // Nothing serves yet: as where there is no CURRENT at all, what verifies will do.
            (Err(error), None) => {
                if is_news(refused, None) {
                    tracing::error!(
                        error = %error,
                        "cannot read which generation is current; the newest that verifies is to serve"
                    );
                }
                None
            }
        };
        // The same number is another generation when the store was set up anew.
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let written_now = current.and_then(|number| self.store.written(number));
        if serving.is_some() && current == serving && (written_now == *written || written_now.is_none()) {
            *refused = None;
            return;
        }
        if let Some(known) = refused.as_mut().filter(|known| known.number == current) {
            known.polls_left = known.polls_left.saturating_sub(1);
            if known.polls_left > 0 {
                return;
            }
        }
        match (current, serving) {
            (Some(number), Some(serving)) => match engine.open_next(&self.store, number) {
                Ok(snapshot) => {
                    engine.swap(snapshot, &policies.in_force());
                    *refused = None;
                    *written = written_now;
                    tracing::info!(generation = number, generation.before = serving, "generation is serving");
                }
                Err(error) => {
                    remember(refused, current);
                    tracing::error!(
                        generation = number, generation.serving = serving, error = %error,
                        "generation refused; the one before it serves on"
                    );
                }
            },
            (_, None) => {
                self.open_first(engine, policies, current, refused);
                *written = engine.number().and_then(|number| self.store.written(number));
            }
            // CURRENT is gone; what serves is still whole.
            (None, Some(serving)) => {
                if remember(refused, None) {
                    tracing::error!(
                        generation.serving = serving,
                        "no generation is current any more; this one serves on"
                    );
                }
            }
        }
    }

    fn open_first(&self, engine: &Engine, policies: &Policies, current: Option<u64>, refused: &mut Option<Refused>) {
        match self.store.open_current() {
            Ok(opened) => {
                for (number, error) in &opened.refused {
                    tracing::error!(generation = number, error = %error, "generation refused; an older one is tried");
                }
                let number = opened.snapshot.number();
                let is_current = Some(number) == current;
                engine.swap(opened.snapshot, &policies.in_force());
                tracing::info!(generation = number, "generation is serving");
                if is_current {
                    *refused = None;
                } else {
                    remember(refused, current);
                }
            }
            Err(error) => {
                if remember(refused, current) {
                    tracing::error!(error = %error, "no generation to serve; run `shortlist sync` to make one");
                }
            }
        }
    }
}

/// Notes a refusal, and says whether it is news.
fn remember(refused: &mut Option<Refused>, number: Option<u64>) -> bool {
    let news = is_news(refused, number);
    *refused = Some(Refused { number, polls_left: POLLS_BEFORE_RETRY });
    news
}

fn is_news(refused: &Option<Refused>, number: Option<u64>) -> bool {
    refused.as_ref().is_none_or(|known| known.number != number)
}

/// Looks again and again until it is dropped. For the policy and the API keys by themselves: the opening of a large generation takes seconds, and a
/// revocation must not wait for it.
pub(crate) async fn follow(state: AppState) {
    tokio::join!(look(&state, AppState::refresh_access), look(&state, AppState::refresh_catalog));
}

/// The catalog alone, where no policy decides.
pub(crate) async fn follow_catalog(state: AppState) {
    look(&state, AppState::refresh_catalog).await;
}

async fn look(state: &AppState, at: fn(&AppState)) {
    let mut interval = tokio::time::interval(state.0.poll_interval);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        let looked = state.clone();
        if let Err(error) = tokio::task::spawn_blocking(move || at(&looked)).await {
            tracing::error!(error = %error, "the look for new generations and policies failed; it goes on");
        }
    }
}
