//! [`Versions`]: the rules that were added at run time, on disk.
//!
//! `grants/` in the home holds a file for each change, `00000012-<sha256>.json`, never changed once it has its name. The
//! newest is in force. One that does not fit its checksum is refused, and no older one takes its place: it may be the one
//! that took a grant away.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use thiserror::Error;

use super::run_time::{Record, RunTimeRules, VersionRow};
use crate::limits::{RUN_TIME_BYTES_MAX, RUN_TIME_VERSIONS_KEPT};

/// The versions of one home.
#[derive(Clone, Debug)]
pub(crate) struct Versions {
    folder: PathBuf,
}

/// Why it is not known which rules were added at run time, or why another version cannot be written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RunTimeError {
    /// The disk.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A version that cannot be believed.
    #[error("{} is refused: {reason}; an older version might bring back what this one took away, so an admin has to say which one is right: POST /v1/admin/policy/roll_back", path.display())]
    Refused {
        /// Its file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file that is no version.
    #[error("{} is named like no version; move it elsewhere", path.display())]
    Stranger {
        /// The file.
        path: PathBuf,
    },
    /// Two files claim to be the same version.
    #[error("there are two versions {version} in {}; move the wrong one elsewhere, or go back to an earlier version: POST /v1/admin/policy/roll_back", folder.display())]
    Twice {
        /// The folder.
        folder: PathBuf,
        /// The number.
        version: u64,
    },
    /// A version that this process has seen is gone.
    #[error("version {seen} was in force, and the newest in {} is {newest}; restart the server if that is meant", folder.display())]
    WentBack {
        /// The folder.
        folder: PathBuf,
        /// What was in force.
        seen: u64,
        /// What is there now.
        newest: u64,
    },
    /// Too much to be written.
    #[error(
        "all run-time rules together take more than the {RUN_TIME_BYTES_MAX} bytes allowed; move some into the policy's file"
    )]
    TooLarge,
}

/// The right to write; released when it is dropped.
pub(super) struct Lock(#[expect(dead_code, reason = "holding it open is what it is for")] File);

/// A file's name, taken apart. Ordered by number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name {
    pub(super) version: u64,
    pub(super) sum: String,
}

impl Versions {
    /// Those of a home. Touches nothing.
    pub(crate) fn of(home: &Path) -> Self {
        Self { folder: home.join("grants") }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The version in force.
    ///
    /// # Errors
    /// [`RunTimeError`]; then it is not known which rules there are, and nothing may be shown.
    pub(crate) fn newest(&self) -> Result<RunTimeRules, RunTimeError> {
        self.newest_name()?.map_or_else(|| Ok(RunTimeRules::none()), |name| self.read(&name))
    }

    /// Which version is in force; `None` before the first. Reads no file.
    pub(super) fn newest_name(&self) -> Result<Option<Name>, RunTimeError> {
        let names = self.list()?;
        match names.as_slice() {
            [.., before, newest] if before.version == newest.version => {
                Err(RunTimeError::Twice { folder: self.folder.clone(), version: newest.version })
            }
            names => Ok(names.last().cloned()),
        }
    }

    /// All of them, oldest first, whether they can be believed or not.
    pub(super) fn list(&self) -> Result<Vec<Name>, RunTimeError> {
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(failed("read", &self.folder))?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(failed("read", &self.folder))?;
            let file = entry.file_name();
            // What a write that died left behind, and the lock.
            let Some(stem) = file.to_str().and_then(|file| file.strip_suffix(".json")) else { continue };
            names.push(Name::parse(stem).ok_or_else(|| RunTimeError::Stranger { path: entry.path() })?);
        }
        names.sort_unstable();
        Ok(names)
    }

    /// Reads one version.
    pub(super) fn read(&self, name: &Name) -> Result<RunTimeRules, RunTimeError> {
        let path = self.path(name);
        let mut bytes = Vec::new();
        File::open(&path)
            .and_then(|file| file.take(RUN_TIME_BYTES_MAX + 1).read_to_end(&mut bytes))
            .map_err(failed("read", &path))?;
        let refused = |reason: String| RunTimeError::Refused { path: path.clone(), reason };
        let sum = sum(&bytes);
        if sum != name.sum {
            return Err(refused(format!(
                "it has {} bytes with the SHA-256 {sum}, another than its name says",
                bytes.len()
            )));
        }
        let record: Record = serde_json::from_slice(&bytes).map_err(|error| refused(error.to_string()))?;
        if record.version != name.version {
            return Err(refused(format!("it says that it is version {}", record.version)));
        }
        record.understand(sum).map_err(refused)
    }

    /// A line for each version, newest first.
    pub(crate) fn rows(&self) -> Result<Vec<VersionRow>, RunTimeError> {
        let row = |name: &Name| match self.read(name) {
            Ok(rules) => rules.row(),
            Err(error) => VersionRow {
                version: name.version,
                refusal: Some(error.to_string()),
                unix_s: None,
                by: None,
                made: None,
                n_rules: None,
            },
        };
        Ok(self.list()?.iter().rev().map(row).collect())
    }

    /// Takes the right to write, waiting for whoever has it: a write takes milliseconds.
    pub(super) fn lock(&self) -> Result<Lock, RunTimeError> {
        fs::create_dir_all(&self.folder).map_err(failed("create", &self.folder))?;
        let path = self.folder.join("LOCK");
        let file = File::options().create(true).append(true).open(&path).map_err(failed("open", &path))?;
        file.lock().map_err(failed("lock", &path))?;
        Ok(Lock(file))
    }

    /// Writes a version down. When it returns, the version outlives a loss of power; where it fails, the version may be
    /// there all the same, and the next look finds it.
    pub(super) fn write(&self, _: &Lock, record: Record) -> Result<RunTimeRules, RunTimeError> {
        let bytes = serde_json::to_vec(&record).map_err(|error| failed("write", &self.folder)(error.into()))?;
        if bytes.len() as u64 > RUN_TIME_BYTES_MAX {
            return Err(RunTimeError::TooLarge);
        }
        let name = Name { version: record.version, sum: sum(&bytes) };
        let (path, unfinished) = (self.path(&name), self.folder.join("unfinished"));
        let rules =
            record.understand(name.sum).map_err(|reason| RunTimeError::Refused { path: path.clone(), reason })?;
        let mut file = File::create(&unfinished).map_err(failed("create", &unfinished))?;
        file.write_all(&bytes).and_then(|()| file.sync_all()).map_err(failed("write", &unfinished))?;
        fs::rename(&unfinished, &path).map_err(failed("write", &path))?;
        let flush = |folder: &Path| File::open(folder).and_then(|folder| folder.sync_all());
        flush(&self.folder).map_err(failed("flush", &self.folder))?;
        // The folder itself may be new.
        self.folder.parent().map_or(Ok(()), flush).map_err(failed("flush", &self.folder))?;
        Ok(rules)
    }

    /// Removes the oldest versions, as far as they are not kept.
    pub(super) fn remove_older(&self, _: &Lock) -> Result<(), RunTimeError> {
        let names = self.list()?;
        let n_old = names.len().saturating_sub(RUN_TIME_VERSIONS_KEPT);
        names
            .iter()
            .take(n_old)
            .map(|name| self.path(name))
            .try_for_each(|path| fs::remove_file(&path).map_err(failed("remove", &path)))
    }

    fn path(&self, Name { version, sum }: &Name) -> PathBuf {
        self.folder.join(format!("{version:08}-{sum}.json"))
    }
}

impl Name {
    fn parse(stem: &str) -> Option<Self> {
        let (version, sum) = stem.split_once('-')?;
        let version: u64 = version.parse().ok()?;
        let is_sum = sum.len() == 64 && sum.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        // One spelling for each, so that none can be there twice.
        (is_sum && version > 0 && stem == format!("{version:08}-{sum}")).then(|| Self { version, sum: sum.to_owned() })
    }
}

fn sum(bytes: &[u8]) -> String {
    shortlist_index::hex(&Sha256::digest(bytes))
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> RunTimeError + use<> {
    let path = path.to_owned();
    move |source| RunTimeError::Io { action, path, source }
}
