//! [`Writer`]: the one thread that writes the log. What waits is written together.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime};

use serde::Serialize;
use serde_json::json;
use tokio::sync::oneshot;

use super::log::{Expired, Log, Torn};
use super::record::{Head, push_line};
use super::{AuditConfig, AuditError, Keys, OnFailure, timestamp};
use crate::limits::{AUDIT_ANCHOR_INTERVAL, AUDIT_GROUP, AUDIT_MISSED_PER_WARNING, AUDIT_RETRY_INTERVAL};

/// A decision that waits to be written.
pub(super) struct Entry {
    /// Its JSON object.
    pub(super) body: Vec<u8>,
    /// When it was made.
    pub(super) at: SystemTime,
    /// Whether it is a change that was made.
    pub(super) is_made: bool,
    /// Told whether it is written.
    pub(super) ack: oneshot::Sender<bool>,
}

/// What the thread and the requests share.
#[derive(Default)]
pub(super) struct Shared {
    head: Mutex<Head>,
    /// The last attempt to write failed.
    failing: AtomicBool,
    /// An attempt did not end in time, and has not ended yet.
    pub(super) stalled: AtomicBool,
    /// Decisions that were not recorded and of which the log does not know yet, without the changes that were made.
    missed: AtomicU64,
    /// Such changes. They stay made, whatever became of their answers.
    missed_made: AtomicU64,
    missed_ever: AtomicU64,
    /// Decisions that were sent to the thread and are not dealt with yet.
    pub(super) waiting: AtomicU64,
}

impl Shared {
    /// Counts a decision that is not recorded; `is_made` as in [`Entry`].
    pub(super) fn miss(&self, is_made: bool) {
        let missed = if is_made { &self.missed_made } else { &self.missed };
        missed.fetch_add(1, Ordering::Relaxed);
        let n_missed = self.missed_ever.fetch_add(1, Ordering::Relaxed) + 1;
        if n_missed == 1 || n_missed.is_multiple_of(AUDIT_MISSED_PER_WARNING) {
            tracing::error!(audit.n_missed = n_missed, "decisions are not recorded in the audit log");
        }
    }

    pub(super) fn head(&self) -> Head {
        *self.head.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_failing(&self) -> bool {
        self.failing.load(Ordering::Relaxed) || self.stalled.load(Ordering::Relaxed)
    }

    pub(super) fn n_missed(&self) -> u64 {
        self.missed_ever.load(Ordering::Relaxed)
    }
}

/// Writes what the requests send.
pub(super) struct Writer {
    config: AuditConfig,
    keys: Keys,
    shared: Arc<Shared>,
    receiver: Receiver<Entry>,
    /// Nothing while it cannot be opened.
    log: Option<Log>,
    head: Head,
    /// The run's first record, until it is written.
    begin: Option<Begin>,
    /// What was cut off when the log was opened again.
    torn: Option<Torn>,
    /// When the failure began that lasts.
    since: Option<SystemTime>,
    anchored: Instant,
    anchored_seq: u64,
}

/// The first record of a run.
#[derive(Serialize)]
struct Begin {
    kind: &'static str,
    version: &'static str,
    config: serde_json::Value,
    /// Whether the run before ended by itself; nothing when there was none.
    ended_well: Option<bool>,
    #[serde(flatten)]
    torn: Option<Torn>,
}

/// Says that decisions are not in the log.
#[derive(Serialize)]
struct Gap {
    kind: &'static str,
    /// What became of them: `refused` or `served`, or `made` of changes.
    missed: &'static str,
    n_missed: u64,
    since: String,
    #[serde(flatten)]
    torn: Option<Torn>,
}

#[derive(Serialize)]
struct Removed<'a> {
    kind: &'static str,
    #[serde(flatten)]
    file: &'a Expired,
}

impl Writer {
    pub(super) fn new(config: AuditConfig, keys: Keys, shared: Arc<Shared>, receiver: Receiver<Entry>) -> Self {
        let AuditConfig { on_failure, durability, queries, .. } = config;
        let begin = Begin {
            kind: "begin",
            version: env!("CARGO_PKG_VERSION"),
            config: json!({ "on_failure": on_failure, "durability": durability, "queries": queries }),
            ended_well: None,
            torn: None,
        };
        Self {
            config,
            keys,
            shared,
            receiver,
            log: None,
            head: Head::default(),
            begin: Some(begin),
            torn: None,
            since: None,
            anchored: Instant::now(),
            anchored_seq: 0,
        }
    }

    /// Writes the run's first record, if the log could be opened.
    pub(super) fn begin(&mut self, opened: Result<Log, AuditError>) {
        let begun = opened.and_then(|log| {
            self.take_over(log);
            self.write(&[])
        });
        self.note(begun);
        self.anchor();
    }

    /// Writes until nobody sends any more, and then the run's last record.
    pub(super) fn run(&mut self) {
        loop {
            let mut group = Vec::new();
            // A log that fails is tried without a decision too, or a server that gets no requests because it is not ready would
            // never recover.
            match self.receiver.recv_timeout(AUDIT_RETRY_INTERVAL) {
                Ok(entry) => {
                    group.push(entry);
                    group.extend(self.receiver.try_iter().take(AUDIT_GROUP - 1));
                }
                // Nothing hangs, and yet it may be noted so: by who gave up waiting just as the record was written.
                Err(RecvTimeoutError::Timeout) => self.shared.stalled.store(false, Ordering::Relaxed),
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if !group.is_empty() || self.shared.failing.load(Ordering::Relaxed) {
                self.write_and_tell(group);
            }
            if self.anchored.elapsed() >= AUDIT_ANCHOR_INTERVAL {
                self.anchor();
            }
        }
        self.shared.waiting.fetch_add(1, Ordering::Relaxed);
        let body = b"{\"kind\":\"end\"}".to_vec();
        let end = Entry { body, at: SystemTime::now(), is_made: false, ack: oneshot::channel().0 };
        self.write_and_tell(vec![end]);
        self.anchor();
    }

    fn write_and_tell(&mut self, group: Vec<Entry>) {
        let mut written = self.write(&group);
        if written.is_err() {
            // Somebody may have moved the file away, or a failure is over: opened anew, it may well take them. Before the run's
            // first record the folder may be one that could not be made yet.
            let creates = self.begin.is_some();
            let again = Log::open(&self.config, &self.keys.seal, Some(self.head), creates).and_then(|log| {
                self.take_over(log);
                self.write(&group)
            });
            if let (Err(first), Ok(())) = (&written, &again)
                && self.since.is_none()
            {
                tracing::error!(error = %first, "the audit log was touched by somebody else; it was opened again");
            }
            written = again;
        }
        let is_written = written.is_ok();
        if !is_written {
            group.iter().for_each(|entry| self.shared.miss(entry.is_made));
        }
        self.note(written);
        self.shared.stalled.store(false, Ordering::Relaxed);
        self.shared.waiting.fetch_sub(group.len() as u64, Ordering::Relaxed);
        for entry in group {
            // Whoever asked may be gone.
            let _ = entry.ack.send(is_written);
        }
    }

    fn take_over(&mut self, mut log: Log) {
        let torn = log.take_torn();
        match &mut self.begin {
            Some(begin) => {
                begin.ended_well = log.ended_well();
                begin.torn = torn.or_else(|| begin.torn.take());
            }
            None => self.torn = torn.or_else(|| self.torn.take()),
        }
        self.head = log.head();
        self.log = Some(log);
    }

    /// Writes these decisions, with what else there is to say before them.
    fn write(&mut self, group: &[Entry]) -> Result<(), AuditError> {
        let Some(mut log) = self.log.take() else {
            return Err(AuditError::NotOurs { path: self.config.folder.clone(), what: "it is not open" });
        };
        let now = SystemTime::now();
        let expired = log.prepare(now)?;
        let (mut lines, mut head) = (Vec::new(), self.head);
        let mut say = |body: Vec<u8>, at: SystemTime| {
            push_line(&mut lines, &mut head, &self.keys.seal, &timestamp(at), &body);
        };
        if let Some(begin) = &self.begin {
            say(to_json(begin), now);
        }
        let missed = self.shared.missed.swap(0, Ordering::Relaxed);
        let made = self.shared.missed_made.swap(0, Ordering::Relaxed);
        let mut torn = self.torn.clone();
        let answered = match self.config.on_failure {
            OnFailure::Refuse => "refused",
            OnFailure::Count => "served",
        };
        for (what, n_missed) in [(answered, missed), ("made", made)] {
            if n_missed > 0 || torn.is_some() {
                let since = timestamp(self.since.unwrap_or(now));
                say(to_json(&Gap { kind: "gap", missed: what, n_missed, since, torn: torn.take() }), now);
            }
        }
        for file in &expired {
            say(to_json(&Removed { kind: "removed", file }), now);
        }
        for entry in group {
            say(entry.body.clone(), entry.at);
        }
        let written = if lines.is_empty() { Ok(()) } else { log.append(&lines, head, now) };
        if let Err(error) = written {
            self.shared.missed.fetch_add(missed, Ordering::Relaxed);
            self.shared.missed_made.fetch_add(made, Ordering::Relaxed);
            return Err(error);
        }
        log.remove(&expired);
        self.log = Some(log);
        (self.begin, self.torn) = (None, None);
        self.head = head;
        *self.shared.head.lock().unwrap_or_else(PoisonError::into_inner) = head;
        Ok(())
    }

    /// Notes how an attempt went, and logs where that is news.
    fn note(&mut self, written: Result<(), AuditError>) {
        match written {
            Ok(()) => {
                if self.since.take().is_some() {
                    tracing::info!(audit.seq = self.head.seq, "the audit log works again");
                }
                self.shared.failing.store(false, Ordering::Relaxed);
            }
            Err(error) => {
                if self.since.is_none() {
                    self.since = Some(SystemTime::now());
                    tracing::error!(error = %error, "the audit log fails; {}", self.config.on_failure.effect());
                }
                self.shared.failing.store(true, Ordering::Relaxed);
            }
        }
    }

    /// Names the newest record, if it has not been yet.
    fn anchor(&mut self) {
        self.anchored = Instant::now();
        let Some(log) = self.log.as_ref().filter(|_| self.head.seq > self.anchored_seq) else { return };
        match log.anchor() {
            Ok(()) => self.anchored_seq = self.head.seq,
            Err(error) => tracing::error!(error = %error, "the audit log's anchor cannot be written"),
        }
    }
}

/// These types hold nothing that JSON cannot say; an empty object would still be a record.
fn to_json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_else(|_| b"{\"kind\":\"unknown\"}".to_vec())
}
