//! [`State`]: what `CURRENT` says, and its replacement in one step.

use std::fs::{self, File};
use std::path::Path;

use object_store::path::Path as ObjectPath;
use object_store::{Error, GetOptions, ObjectStore, PutMode, PutOptions, PutPayload, UpdateVersion};
use serde::{Deserialize, Serialize};

use super::error::RemoteError;
use super::layout::{CURRENT, is_sha256};
use super::{Remote, local};

/// The largest `CURRENT` that is read.
const BYTES_MAX: u64 = 1 << 20;
/// The most generations that one keeps.
pub(super) const KEPT_MAX: usize = 1_000;
/// The layout that this code writes and reads.
const FORMAT: u32 = 1;

/// What a remote says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    format: u32,
    /// The generation that serves.
    pub current: Entry,
    /// The highest number ever given out here: a number means one content for good.
    pub highest: u64,
    /// The generations that are kept, the current one among them, the latest published last.
    pub kept: Vec<Entry>,
}

/// A generation in a remote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its number.
    pub number: u64,
    /// SHA-256 of its manifest.
    pub manifest: String,
}

/// `CURRENT` as it was read.
pub(super) struct Seen {
    pub(super) state: Option<State>,
    /// Names this very content.
    pub(super) version: Version,
}

/// A content of `CURRENT`.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Version {
    Absent,
    Tag(UpdateVersion),
    Bytes(Vec<u8>),
}

impl State {
    /// This state with another generation current, and at most `keep` older ones besides.
    pub(super) fn after(before: Option<Self>, current: Entry, keep: usize) -> Self {
        let (highest, mut kept) = before.map_or((0, Vec::new()), |state| (state.highest, state.kept));
        kept.retain(|entry| *entry != current);
        kept.push(current.clone());
        kept.drain(..kept.len().saturating_sub(keep.saturating_add(1).min(KEPT_MAX)));
        Self { format: FORMAT, highest: highest.max(current.number), current, kept }
    }

    /// Whether the generation is kept and an older one is current: it was rolled back from.
    pub(super) fn is_rolled_back_from(&self, entry: &Entry) -> bool {
        self.current.number < entry.number && self.kept.contains(entry)
    }

    fn check(self) -> Result<Self, String> {
        if self.format != FORMAT {
            return Err(format!("it has format {}, and this program reads {FORMAT}", self.format));
        }
        if self.kept.len() > KEPT_MAX || !self.kept.contains(&self.current) {
            return Err("its list of kept generations is none".to_owned());
        }
        if self.kept.iter().any(|entry| entry.number > self.highest || !is_sha256(&entry.manifest)) {
            return Err("it names what is no generation".to_owned());
        }
        Ok(self)
    }
}

impl Remote {
    pub(super) async fn read_current(&self) -> Result<Seen, RemoteError> {
        Ok(self.read_current_unless(None).await?.unwrap_or(Seen { state: None, version: Version::Absent }))
    }

    /// Reads `CURRENT`, unless it is still the one of this tag: then `None`.
    pub(super) async fn read_current_unless(&self, tag: Option<&str>) -> Result<Option<Seen>, RemoteError> {
        let path = ObjectPath::from(CURRENT);
        let options = GetOptions { if_none_match: tag.map(str::to_owned), ..GetOptions::default() };
        let got = match self.store.get_opts(&path, options).await {
            Ok(got) => got,
            Err(Error::NotModified { .. }) => return Ok(None),
            Err(Error::NotFound { .. }) => return Ok(Some(Seen { state: None, version: Version::Absent })),
            Err(error) => return Err(self.failed("read", &path, &error)),
        };
        let damaged = |reason: String| RemoteError::Damaged { object: format!("{}/{CURRENT}", self.location), reason };
        if got.meta.size > BYTES_MAX {
            return Err(damaged(format!("it has {} bytes", got.meta.size)));
        }
        let version = UpdateVersion { e_tag: got.meta.e_tag.clone(), version: got.meta.version.clone() };
        let bytes = got.bytes().await.map_err(|error| self.failed("read", &path, &error))?;
        let state: State = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        let state = state.check().map_err(damaged)?;
        let version = match self.folder {
            Some(_) => Version::Bytes(bytes.to_vec()),
            None => Version::Tag(version),
        };
        Ok(Some(Seen { state: Some(state), version }))
    }

    /// Replaces `CURRENT` if it is still what was seen.
    ///
    /// # Errors
    /// [`RemoteError::Lost`] when it is not.
    pub(super) async fn replace_current(&self, seen: &Version, next: &State) -> Result<(), RemoteError> {
        let path = ObjectPath::from(CURRENT);
        let text = serde_json::to_vec_pretty(next).map_err(|error| RemoteError::Damaged {
            object: format!("{}/{CURRENT}", self.location),
            reason: error.to_string(),
        })?;
        let replaced = match (&self.folder, seen) {
            (Some(folder), seen) => replace_file(folder, seen, &text)?,
            (None, seen) => {
                let mode = match seen {
                    Version::Tag(version) => PutMode::Update(version.clone()),
                    Version::Absent | Version::Bytes(_) => PutMode::Create,
                };
                let options = PutOptions { mode, ..PutOptions::default() };
                match self.store.put_opts(&path, PutPayload::from(text), options).await {
                    Ok(_) => true,
                    Err(Error::Precondition { .. } | Error::AlreadyExists { .. }) => false,
                    Err(error) => return Err(self.failed("replace", &path, &error)),
                }
            }
        };
        if replaced {
            return Ok(());
        }
        // A request that was repeated because its answer got lost finds its own work.
        match self.read_current().await?.state {
            Some(state) if state == *next => Ok(()),
            Some(state) => Err(RemoteError::Lost { location: self.location.clone(), current: state.current.number }),
            None => Err(RemoteError::Empty(self.location.clone())),
        }
    }
}

/// The same on a file system: under a lock, compared, and renamed into place. Says whether it was what was seen.
fn replace_file(folder: &Path, seen: &Version, text: &[u8]) -> Result<bool, RemoteError> {
    let lock = folder.join("LOCK");
    // Held for the length of this function, and released by the system when the process dies.
    let file = File::options().create(true).append(true).open(&lock).map_err(local("open", &lock))?;
    file.lock().map_err(local("lock", &lock))?;
    let path = folder.join(CURRENT);
    let now = match fs::read(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Version::Absent,
        Err(error) => return Err(local("read", &path)(error)),
        Ok(bytes) => Version::Bytes(bytes),
    };
    if now != *seen {
        return Ok(false);
    }
    let next = folder.join("CURRENT.next");
    fs::write(&next, text).map_err(local("write", &next))?;
    File::open(&next).and_then(|file| file.sync_all()).map_err(local("flush", &next))?;
    fs::rename(&next, &path).map_err(local("replace", &path))?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(local("flush", folder))?;
    Ok(true)
}
