//! Follows a remote while the server runs: pulls what becomes current there into the store that the server watches.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use shortlist_index::Store;
use shortlist_ingest::remote::{Puller, Remote, Silent};

/// Generations that stay in the store besides the one that serves.
const KEEP_OLDER: usize = 1;

/// Pulls once, then again and again on a thread of its own, which ends with the process: a pull that is cut off changes
/// nothing. A remote that cannot be read is said and tried again; what is here serves on.
///
/// # Errors
/// When the URL is none, or the thread cannot be started.
pub fn follow(url: &str, store: Store, every: Duration) -> Result<()> {
    let remote = Remote::open(url)?;
    let (first, began) = std::sync::mpsc::channel();
    let look = move || {
        let mut follower = Follower { puller: Puller::new(&remote, store.clone(), KEEP_OLDER), trouble: None };
        follower.look(&store, remote.location());
        // Whoever waited has gone on, or is gone.
        let _ = first.send(());
        loop {
            // Replicas that were started together do not ask together.
            thread::sleep(every.mul_f64(0.75 + 0.5 * fastrand::f64()));
            follower.look(&store, remote.location());
        }
    };
    thread::Builder::new().name("follow".to_owned()).spawn(look).context("cannot start a thread")?;
    began.recv().context("the thread that follows the remote ended")
}

struct Follower<'r> {
    puller: Puller<'r>,
    /// What was wrong last time, so that it is said once.
    trouble: Option<String>,
}

impl Follower<'_> {
    fn look(&mut self, store: &Store, remote: &str) {
        match self.puller.pull(&Silent) {
            Ok(pulled) => {
                if self.trouble.take().is_some() {
                    tracing::info!(remote, generation = pulled.generation, "the remote can be read again");
                }
                if pulled.changed {
                    let bytes = pulled.bytes_fetched;
                    tracing::info!(
                        remote,
                        generation = pulled.generation,
                        fetched_bytes = bytes,
                        "generation was pulled"
                    );
                }
            }
            Err(error) => {
                let error = error.to_string();
                if self.trouble.as_ref() != Some(&error) {
                    let here = store.current().ok().flatten();
                    tracing::error!(
                        remote,
                        error,
                        generation.here = here,
                        "cannot pull from the remote; what is here serves on, and it is tried again"
                    );
                    self.trouble = Some(error);
                }
            }
        }
    }
}
