//! The audit log: every decision of the doors, one JSON line each, chained.
//!
//! **A line** is a JSON object without line breaks. It ends in `,"hash":"…","seal":"…"}`, 149 bytes; `hash` is the SHA-256
//! of all bytes before these, in hexadecimal, and they hold `prev`, the hash of the line before (64 zeros in the first).
//! So anybody can check the chain with a few lines of any language. `seal` is an HMAC-SHA256 of the hash under a key
//! derived from the server's secret: whoever can write the files and has no secret cannot make a chain that verifies with it.
//!
//! **The end** of a chain that was cut off looks like an end. Therefore the newest record's number and hash are told each
//! minute to the server's own log, and to the file `anchor` beside the records (sealed, so that it can be put back to an
//! older one, but not made up). A log that does not hold what its anchors name is refused by [`verify`].
//!
//! **Writing.** [`Audit`] takes the decisions of all requests and hands them to one thread, which writes those that wait
//! together, and the answers leave when that is done. What happens when it cannot be done, [`OnFailure`] says.

mod filter;
mod log;
mod read;
mod record;
mod verify;
mod writer;

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::sync::oneshot;
use utoipa::ToSchema;

use crate::limits::{AUDIT_ACK_TIMEOUT, AUDIT_CLOSE_TIMEOUT, AUDIT_QUEUE, AUDIT_ROTATE_BYTES};
use crate::secret::{Secret, keyed};
use log::Log;
use writer::{Entry, Shared, Writer};

pub use filter::Filter;
pub use read::{Backward, Follow};
pub use verify::{Bad, Report, verify};

/// How the log is kept.
#[derive(Clone, Debug)]
pub struct AuditConfig {
    /// The log's own folder; one server writes into it.
    pub folder: PathBuf,
    /// What happens to requests whose decision cannot be recorded.
    pub on_failure: OnFailure,
    /// How safe a record is when its answer leaves.
    pub durability: Durability,
    /// Whether the texts of queries are recorded, rather than only their HMAC.
    pub queries: bool,
    /// A file of this many bytes is followed by the next; each day (UTC) begins one too.
    pub rotate_bytes: u64,
    /// How many files are kept; without a number, all. An open door can be flooded, so this alone lets a stranger push out
    /// what was recorded: prefer `keep_days`.
    pub keep_files: Option<usize>,
    /// For how many days after its last record a file is kept; without a number, for ever.
    pub keep_days: Option<u64>,
}

impl AuditConfig {
    /// The defaults: serve on and count what is lost, survive the end of the process, record no query text, remove nothing.
    pub fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            on_failure: OnFailure::default(),
            durability: Durability::default(),
            queries: false,
            rotate_bytes: AUDIT_ROTATE_BYTES,
            keep_files: None,
            keep_days: None,
        }
    }
}

/// What happens to requests whose decision cannot be recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnFailure {
    /// They are answered with 503 `audit_unavailable`, and nothing is shown.
    Refuse,
    /// They are answered; the records that are lost are counted, and the log says how many once it works again.
    #[default]
    Count,
}

/// How safe a record is when its answer leaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// It outlives the process, not a loss of power.
    #[default]
    Flush,
    /// It outlives a loss of power too, at the cost of waiting for the disk.
    Fsync,
}

/// Why a log cannot be kept or read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AuditError {
    /// Another process writes into the folder.
    #[error(
        "another server writes the audit log in {}; two cannot share one, so give this one a folder of its own", .0.display()
    )]
    Locked(PathBuf),
    /// The disk refuses.
    #[error("the audit log at {}: {source}", path.display())]
    Io {
        /// What was touched.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Something else stands where the log should, or somebody else changed it.
    #[error("the audit log at {}: {what}", path.display())]
    NotOurs {
        /// What was touched.
        path: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The writing thread could not be started.
    #[error("the audit log's thread cannot start: {0}")]
    Thread(std::io::Error),
}

/// The keys of a log, from the server's secret.
#[derive(Clone, Copy)]
pub(crate) struct Keys {
    query: [u8; 32],
    seal: [u8; 32],
}

impl Keys {
    fn new(secret: &Secret) -> Self {
        Self { query: secret.derive_key("shortlist audit query 1"), seal: secret.derive_key("shortlist audit seal 1") }
    }
}

/// A query as it stands in the log: its HMAC-SHA256 in hexadecimal. A bare hash of a short text could be guessed by
/// whoever reads the log; this one cannot without the secret.
pub fn query_hmac(secret: &Secret, query: &str) -> String {
    shortlist_index::hex(&keyed(&Keys::new(secret).query, &[query.as_bytes()]))
}

/// Takes the server's decisions, and writes them before their answers leave.
pub struct Audit {
    config: AuditConfig,
    keys: Keys,
    shared: Arc<Shared>,
    sender: Option<SyncSender<Entry>>,
    /// Done when the thread has written its last record.
    ended: Option<Mutex<Receiver<()>>>,
    /// How long an answer waits for its record.
    ack_timeout: Duration,
    /// One permit for each reading through the admin door.
    pub(crate) readers: Arc<tokio::sync::Semaphore>,
}

/// How the log is.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AuditStatus {
    /// What happens to requests whose decision cannot be recorded.
    pub on_failure: OnFailure,
    /// How safe a record is when its answer leaves.
    pub durability: Durability,
    /// The newest record's number; 0 when there is none.
    pub last_seq: u64,
    /// The newest record's hash.
    pub last_hash: String,
    /// Whether decisions cannot be recorded at the moment.
    pub failing: bool,
    /// Decisions that were not recorded since the server was started: lost with `count`, refused with `refuse`, but for
    /// changes that were already made.
    pub n_missed: u64,
}

impl Audit {
    /// Opens the log and goes on where it ended. A tail that was torn by a crash is cut off into a file of its own.
    ///
    /// A folder that cannot be written is no error here: it is told and counted, or refuses requests, like one that fails
    /// later, and it is tried again.
    ///
    /// # Errors
    /// [`AuditError::Locked`] when another server writes into the folder, [`AuditError::Thread`].
    pub fn start(config: AuditConfig, secret: &Secret) -> Result<Self, AuditError> {
        let keys = Keys::new(secret);
        let opened = Log::open(&config, &keys.seal, None, true);
        if let Err(locked @ AuditError::Locked(_)) = opened {
            return Err(locked);
        }
        let (sender, receiver) = sync_channel(AUDIT_QUEUE);
        let (ends, ended) = channel();
        let shared = Arc::new(Shared::default());
        let mut writer = Writer::new(config.clone(), keys, Arc::clone(&shared), receiver);
        writer.begin(opened);
        std::thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || {
                writer.run();
                // The receiver is gone when nobody waited so long.
                let _ = ends.send(());
            })
            .map_err(AuditError::Thread)?;
        let readers = Arc::new(tokio::sync::Semaphore::new(1));
        Ok(Self {
            config,
            keys,
            shared,
            sender: Some(sender),
            ended: Some(Mutex::new(ended)),
            ack_timeout: AUDIT_ACK_TIMEOUT,
            readers,
        })
    }

    /// Records a decision: `body` is its JSON object, which the writer numbers and chains, and `is_made` whether it is a
    /// change that was made, which a gap must not call refused. Gives whether the answer may leave. Waits for the disk, but
    /// never long: a disk that hangs is a failing one.
    pub(crate) async fn record(&self, body: Vec<u8>, is_made: bool) -> bool {
        let serves_on = self.config.on_failure == OnFailure::Count;
        let is_stalled = self.shared.stalled.load(Ordering::Relaxed);
        if is_stalled && !serves_on {
            self.shared.miss(is_made);
            return false;
        }
        let (ack, acked) = oneshot::channel();
        let entry = Entry { body, at: SystemTime::now(), is_made, ack };
        // Counted before it is sent, for it may be written at once.
        self.shared.waiting.fetch_add(1, Ordering::Relaxed);
        if self.sender.as_ref().is_none_or(|sender| sender.try_send(entry).is_err()) {
            self.shared.waiting.fetch_sub(1, Ordering::Relaxed);
            self.shared.miss(is_made);
            return serves_on;
        }
        if is_stalled {
            return true;
        }
        match tokio::time::timeout(self.ack_timeout, acked).await {
            Ok(written) => written.unwrap_or(false) || serves_on,
            Err(_) => {
                if !self.shared.stalled.swap(true, Ordering::Relaxed) {
                    tracing::error!(
                        audit.wait_ms = self.ack_timeout.as_millis(),
                        "the audit log's disk hangs; {}",
                        self.config.on_failure.effect()
                    );
                }
                serves_on
            }
        }
    }

    /// The query as it stands in the log.
    pub(crate) fn hmac(&self, query: &str) -> String {
        shortlist_index::hex(&keyed(&self.keys.query, &[query.as_bytes()]))
    }

    /// Decisions that wait to be written.
    pub(crate) fn n_waiting(&self) -> u64 {
        self.shared.waiting.load(Ordering::Relaxed)
    }

    /// How it is kept.
    pub(crate) fn config(&self) -> &AuditConfig {
        &self.config
    }

    /// How it is now.
    pub fn status(&self) -> AuditStatus {
        let head = self.shared.head();
        AuditStatus {
            on_failure: self.config.on_failure,
            durability: self.config.durability,
            last_seq: head.seq,
            last_hash: shortlist_index::hex(&head.hash),
            failing: self.shared.is_failing(),
            n_missed: self.shared.n_missed(),
        }
    }
}

impl Drop for Audit {
    /// Lets what waits be written, and the end said. A disk that hangs is not waited for.
    fn drop(&mut self) {
        self.sender.take();
        if let Some(ended) = self.ended.take() {
            let ended = ended.into_inner().unwrap_or_else(PoisonError::into_inner);
            let _ = ended.recv_timeout(AUDIT_CLOSE_TIMEOUT);
        }
    }
}

impl OnFailure {
    /// What its failure means for the callers, for the server's log.
    fn effect(self) -> &'static str {
        match self {
            Self::Refuse => "requests are refused until it works again",
            Self::Count => "requests are served on, and the decisions that are lost are counted",
        }
    }
}

/// RFC 3339 in UTC with milliseconds, which sorts as it reads.
fn timestamp(time: SystemTime) -> String {
    humantime::format_rfc3339_millis(time).to_string()
}

/// The age of a file's last change, nothing where the clock was set back.
fn age(written: SystemTime, now: SystemTime) -> Duration {
    now.duration_since(written).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    const WAIT: Duration = Duration::from_millis(200);

    /// An audit whose thread never takes anything: the disk hangs.
    fn hanging(on_failure: OnFailure) -> (Audit, Receiver<Entry>) {
        let (sender, receiver) = sync_channel(4);
        let config = AuditConfig { on_failure, ..AuditConfig::new(PathBuf::from("nowhere")) };
        let keys = Keys::new(&Secret::new("0123456789abcdef").expect("long enough"));
        let readers = Arc::new(tokio::sync::Semaphore::new(1));
        (
            Audit {
                config,
                keys,
                shared: Arc::default(),
                sender: Some(sender),
                ended: None,
                ack_timeout: WAIT,
                readers,
            },
            receiver,
        )
    }

    #[tokio::test]
    async fn a_disk_that_hangs_is_waited_for_once_and_not_by_everybody() {
        let (audit, waiting) = hanging(OnFailure::Count);
        assert!(audit.record(b"{}".to_vec(), false).await, "it serves on");
        for _ in 0..9 {
            assert_eq!(audit.record(b"{}".to_vec(), false).now_or_never(), Some(true), "it does so at once");
        }
        assert_eq!((waiting.try_iter().count(), audit.status().n_missed), (4, 6), "what found no room is counted");
        assert!(audit.status().failing);

        let (audit, waiting) = hanging(OnFailure::Refuse);
        assert!(!audit.record(b"{}".to_vec(), false).await, "nothing is shown");
        for _ in 0..9 {
            assert_eq!(audit.record(b"{}".to_vec(), false).now_or_never(), Some(false), "and that at once");
        }
        assert_eq!((waiting.try_iter().count(), audit.status().n_missed), (1, 9));
    }

    #[tokio::test]
    async fn a_hang_that_is_noted_after_it_is_over_does_not_last() {
        let folder = tempfile::tempdir().expect("a folder");
        let config = AuditConfig { on_failure: OnFailure::Refuse, ..AuditConfig::new(folder.path().join("audit")) };
        let secret = Secret::new("0123456789abcdef").expect("long enough");
        let audit = Audit::start(config, &secret).expect("nobody else writes it");
        let body = || b"{\"kind\":\"decision\"}".to_vec();
        assert!(audit.record(body(), false).await);
        // As by a request whose time is up while it is told that its record is written. Nothing more is sent then.
        audit.shared.stalled.store(true, Ordering::Relaxed);
        let given_up = SystemTime::now() + Duration::from_secs(30);
        while audit.status().failing {
            assert!(SystemTime::now() < given_up, "it never ends by itself");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(audit.record(body(), false).await);
    }

    #[test]
    fn a_query_cannot_be_recognised_without_the_secret() {
        let hmac = |secret: &str| query_hmac(&Secret::new(secret).expect("long enough"), "send a mail");
        assert_eq!(hmac("0123456789abcdef"), hmac("0123456789abcdef"));
        assert_ne!(hmac("0123456789abcdef"), hmac("0123456789abcdeg"));
    }
}
