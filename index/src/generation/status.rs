//! [`SourceStatuses`]: how each source is doing at the moment, in `sources.json` beside the generations.
//!
//! A generation says what was read and when; it does not change when a source fails afterwards. What moves stands here:
//! attempts, failures, since when a source is stale, when it is due. Nothing that serves needs the file. It is replaced in
//! one step, and one that cannot be read is begun anew.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::error::StoreError;
use super::store::{Store, WriteLock, io};

/// The file's name in the store's folder.
const FILE: &str = "sources.json";
/// The largest file that is read: a thousand sources, each with the longest reason, are smaller.
const BYTES_MAX: u64 = 4 * 1024 * 1024;
/// The most characters of a reason that are kept.
const REASON_CHARS_MAX: usize = 1_000;

/// How each source is doing, by name.
pub type SourceStatuses = BTreeMap<String, SourceStatus>;

/// How one source is doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceStatus {
    /// The kind of source, such as `jsonl`.
    pub source_type: String,
    /// How the last attempt to read it ended.
    pub health: Health,
    /// Since when its health is what it is, in seconds of Unix time.
    pub since_unix_s: u64,
    /// The last attempt, in seconds of Unix time.
    pub attempted_unix_s: u64,
    /// The last attempt that succeeded: what it serves was confirmed then. `None` where none has.
    pub succeeded_unix_s: Option<u64>,
    /// Attempts that failed since then.
    pub n_failures: u32,
    /// The last failure, kept after a recovery.
    pub last_fault: Option<SourceFault>,
    /// When a schedule reads it next, in seconds of Unix time; `None` where no schedule runs.
    pub next_due_unix_s: Option<u64>,
}

/// How the last attempt to read a source ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// It was read, or said that nothing changed.
    Ok,
    /// It could not be read; its last good tools serve.
    Stale,
    /// It was read and had lost so many tools that its last good ones serve until an operator says otherwise.
    HeldBack,
    /// It could not be read and never was, so nothing of it serves.
    Failed,
}

/// Why an attempt failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceFault {
    /// When, in seconds of Unix time.
    pub at_unix_s: u64,
    /// A word for the kind of failure, such as `unreachable`.
    pub class: String,
    /// A sentence for the operator, cut to 1,000 characters.
    pub reason: String,
}

impl Health {
    /// As it stands in files and answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Stale => "stale",
            Self::HeldBack => "held_back",
            Self::Failed => "failed",
        }
    }
}

impl SourceFault {
    /// A failure of now.
    pub fn new(at_unix_s: u64, class: &str, reason: &str) -> Self {
        Self { at_unix_s, class: class.to_owned(), reason: reason.chars().take(REASON_CHARS_MAX).collect() }
    }
}

impl SourceStatus {
    /// What an attempt leaves: `before` is the status until now, `fault` why the attempt did not succeed.
    #[must_use]
    pub fn after(
        before: Option<&Self>,
        source_type: &str,
        health: Health,
        now: u64,
        fault: Option<SourceFault>,
    ) -> Self {
        let failed = matches!(health, Health::Stale | Health::Failed);
        let n_before = before.map_or(0, |before| before.n_failures);
        Self {
            source_type: source_type.to_owned(),
            health,
            since_unix_s: before.filter(|before| before.health == health).map_or(now, |before| before.since_unix_s),
            attempted_unix_s: now,
            succeeded_unix_s: if health == Health::Ok {
                Some(now)
            } else {
                before.and_then(|before| before.succeeded_unix_s)
            },
            n_failures: if failed { n_before.saturating_add(1) } else { 0 },
            last_fault: fault.or_else(|| before.and_then(|before| before.last_fault.clone())),
            next_due_unix_s: None,
        }
    }

    /// How old what it serves is, in seconds; `None` where nothing was ever read.
    pub fn age_s(&self, now: u64) -> Option<u64> {
        self.succeeded_unix_s.map(|succeeded| now.saturating_sub(succeeded))
    }
}

impl Store {
    /// How the sources are doing; empty before the first pass.
    ///
    /// # Errors
    /// [`StoreError`] when the file cannot be read or is not one of this program's.
    pub fn statuses(&self) -> Result<SourceStatuses, StoreError> {
        self.read_state(FILE, BYTES_MAX)
    }

    /// Reads a small file beside the generations; one that is not there says nothing.
    pub(super) fn read_state<T: Default + DeserializeOwned>(
        &self,
        file: &str,
        bytes_max: u64,
    ) -> Result<T, StoreError> {
        let path = self.home().join(file);
        let mut bytes = Vec::new();
        match File::open(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(T::default()),
            opened => {
                opened.and_then(|file| file.take(bytes_max + 1).read_to_end(&mut bytes)).map_err(io("read", &path))?
            }
        };
        let refuse = |reason: String| StoreError::Statuses { path: path.clone(), reason };
        if bytes.len() as u64 > bytes_max {
            return Err(refuse(format!("it has more than {bytes_max} bytes")));
        }
        serde_json::from_slice(&bytes).map_err(|error| refuse(error.to_string()))
    }

    /// When the statuses were written last; `None` before the first pass. Tells cheaply whether they changed.
    pub fn statuses_written(&self) -> Option<std::time::SystemTime> {
        fs::metadata(self.home().join(FILE)).and_then(|file| file.modified()).ok()
    }

    /// Replaces the statuses in one step.
    ///
    /// # Errors
    /// [`StoreError`] when the disk refuses; the statuses before are still there.
    pub fn set_statuses(&self, lock: &WriteLock, statuses: &SourceStatuses) -> Result<(), StoreError> {
        self.write_state(lock, FILE, statuses)
    }

    /// Replaces a small file beside the generations in one step.
    pub(super) fn write_state(&self, _: &WriteLock, file: &str, state: &impl Serialize) -> Result<(), StoreError> {
        let text = serde_json::to_vec_pretty(state);
        let text = text.map_err(|error| io("write", &self.home().join(file))(error.into()))?;
        self.replace(file, &text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(before: Option<&SourceStatus>, health: Health, now: u64) -> SourceStatus {
        let fault = (health != Health::Ok).then(|| SourceFault::new(now, "status", "it answered 500"));
        SourceStatus::after(before, "jsonl", health, now, fault)
    }

    #[test]
    fn failures_are_counted_and_the_age_is_that_of_the_last_success() {
        let well = status(None, Health::Ok, 100);
        let ill = status(Some(&well), Health::Stale, 200);
        let worse = status(Some(&ill), Health::Stale, 300);
        assert_eq!((worse.n_failures, worse.since_unix_s, worse.age_s(350)), (2, 200, Some(250)));
        let again = status(Some(&worse), Health::Ok, 400);
        assert_eq!((again.n_failures, again.since_unix_s, again.age_s(400)), (0, 400, Some(0)));
        assert_eq!(again.last_fault.map(|fault| fault.at_unix_s), Some(300), "the last failure is remembered");
        assert_eq!(status(None, Health::Failed, 5).age_s(9), None);
    }

    #[test]
    fn statuses_are_read_back_and_what_is_none_is_refused() {
        let home = tempfile::tempdir().expect("a folder");
        let store = Store::new(home.path());
        assert_eq!(store.statuses().expect("none yet"), SourceStatuses::new());
        let lock = store.lock().expect("nobody else writes");
        let statuses = SourceStatuses::from([("hub".to_owned(), status(None, Health::Stale, 7))]);
        store.set_statuses(&lock, &statuses).expect("they are written");
        assert_eq!(store.statuses().expect("they are there"), statuses);
        for text in ["", "{", "[]", r#"{"hub":{}}"#, &"x".repeat(5 << 20)] {
            fs::write(home.path().join(FILE), text).expect("it is written");
            assert!(matches!(store.statuses(), Err(StoreError::Statuses { .. })));
        }
    }
}
