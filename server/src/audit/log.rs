//! [`Log`]: the files of an audit log, open for writing.
//!
//! `audit-<number of the first record>.jsonl` are the records, `anchor` names one that must be among them, `lock` is held by
//! the process that writes, and `torn-…` is what a crash left of a last line.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use shortlist_index::hex;

use super::read::{self, LogFile};
use super::record::{Head, Link, seal, unhex};
use super::{AuditConfig, AuditError, Durability, age, timestamp};

const LOCK: &str = "lock";
const ANCHOR: &str = "anchor";
/// Characters of a timestamp that are its day.
const DAY_CHARS: usize = 10;

/// The files of a log, open for writing. Whatever fails leaves it unusable; it is opened again then.
pub(super) struct Log {
    config: AuditConfig,
    key: [u8; 32],
    head: Head,
    file: Option<OpenFile>,
    /// What was cut off when it was opened.
    torn: Option<Torn>,
    /// Whether the run before ended by itself; nothing when there was none.
    ended_well: Option<bool>,
    _lock: File,
}

struct OpenFile {
    path: PathBuf,
    file: File,
    bytes: u64,
    /// The day (UTC) of its first record; empty until there is one.
    day: String,
}

/// What a crash left of a last write.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Torn {
    torn_bytes: u64,
    torn_file: String,
}

/// A file that may be removed, by the last record in it.
#[derive(Debug, Serialize)]
pub(super) struct Expired {
    #[serde(skip)]
    path: PathBuf,
    file: String,
    last_seq: u64,
    last_hash: String,
}

/// A record that must be in the log, as it stands in the file `anchor`.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Anchor {
    pub(super) seq: u64,
    pub(super) hash: String,
    pub(super) seal: String,
}

/// What a look at the last file found.
#[derive(Default)]
struct Tail {
    head: Head,
    /// The bytes up to and with the last good line.
    bytes: u64,
    day: String,
    ended_well: Option<bool>,
}

impl Log {
    /// Opens the log and mends a torn tail. `known` is the newest record that this process wrote, `creates` whether the
    /// folder may be made: one that vanishes while the server runs should not come back empty as if nothing had been.
    pub(super) fn open(
        config: &AuditConfig,
        key: &[u8; 32],
        known: Option<Head>,
        creates: bool,
    ) -> Result<Self, AuditError> {
        let folder = &config.folder;
        if creates {
            create_folder(folder).map_err(at(folder))?;
        }
        let lock = lock(folder)?;
        let mut tail = Tail::default();
        let mut last = None;
        let mut torn = None;
        for LogFile { path, .. } in read::files(folder)?.into_iter().rev() {
            if !fs::metadata(&path).map_err(at(&path))?.is_file() {
                return Err(AuditError::NotOurs { path, what: "it is not a file" });
            }
            tail = look(&path)?;
            let cut = cut_off(folder, &path, tail.bytes)?;
            if cut.is_some() {
                torn = cut;
                tail.ended_well = Some(false);
            }
            if tail.head.seq > 0 {
                last = Some(path);
                break;
            }
            // A file without a record: its first write failed.
            fs::remove_file(&path).map_err(at(&path))?;
        }
        // Where the files end before a record that is known to have been, the chain goes on after that one, in a file of its
        // own: what is missing between is never papered over.
        let anchored = anchored(folder, key);
        let head = [known.unwrap_or_default(), anchored.unwrap_or_default()]
            .into_iter()
            .fold(tail.head, |newest, other| if other.seq > newest.seq { other } else { newest });
        if head != tail.head {
            tracing::error!(
                audit.last_seq = tail.head.seq,
                audit.expected_seq = head.seq,
                "records of the audit log are missing; `shortlist audit verify` will say so"
            );
            tail.ended_well = Some(false);
        }
        let file = match last.filter(|_| head == tail.head) {
            Some(path) => {
                let file = OpenOptions::new().append(true).open(&path).map_err(at(&path))?;
                Some(OpenFile { path, file, bytes: tail.bytes, day: tail.day })
            }
            None => None,
        };
        let (config, key) = (config.clone(), *key);
        Ok(Self { config, key, head, file, torn, ended_well: tail.ended_well, _lock: lock })
    }

    pub(super) fn head(&self) -> Head {
        self.head
    }

    /// What was cut off when it was opened, told once.
    pub(super) fn take_torn(&mut self) -> Option<Torn> {
        self.torn.take()
    }

    pub(super) fn ended_well(&self) -> Option<bool> {
        self.ended_well
    }

    /// Makes the next write possible: sees that nobody touched the file, and begins another where it is full or of another
    /// day. Gives the files that may be removed with the next write.
    pub(super) fn prepare(&mut self, now: SystemTime) -> Result<Vec<Expired>, AuditError> {
        if let Some(open) = &self.file {
            open.is_untouched()?;
            let is_full = open.bytes >= self.config.rotate_bytes;
            let is_old = !open.day.is_empty() && !timestamp(now).starts_with(&open.day);
            if is_full || is_old {
                self.anchor()?;
                self.file = None;
            }
        }
        if self.file.is_some() {
            return Ok(Vec::new());
        }
        let path = self.config.folder.join(read::file_name(self.head.seq + 1));
        let file = private().create_new(true).append(true).open(&path).map_err(at(&path))?;
        sync_folder(&self.config.folder)?;
        self.file = Some(OpenFile { path, file, bytes: 0, day: String::new() });
        self.expired(now)
    }

    /// Writes whole lines that end with `head`. On an error none of them counts, and the log must be opened again.
    pub(super) fn append(&mut self, lines: &[u8], head: Head, now: SystemTime) -> Result<(), AuditError> {
        let nothing_open = || AuditError::NotOurs { path: self.config.folder.clone(), what: "no file is open" };
        let open = self.file.as_mut().ok_or_else(nothing_open)?;
        let written = open.file.write_all(lines).and_then(|()| match self.config.durability {
            Durability::Flush => Ok(()),
            Durability::Fsync => open.file.sync_data(),
        });
        if let Err(error) = written {
            // Whoever reads meanwhile should not see half of it. Where this fails too, the next opening cuts it off.
            let _ = open.file.set_len(open.bytes);
            return Err(at(&open.path)(error));
        }
        open.bytes += lines.len() as u64;
        if open.day.is_empty() {
            open.day = timestamp(now).chars().take(DAY_CHARS).collect();
        }
        self.head = head;
        Ok(())
    }

    /// Removes files whose removal was recorded.
    pub(super) fn remove(&self, expired: &[Expired]) {
        for Expired { path, .. } in expired {
            if let Err(error) = fs::remove_file(path) {
                tracing::warn!(error = %error, path = %path.display(), "an old file of the audit log cannot be removed");
            }
        }
    }

    /// Names the newest record where its absence would be noticed: in the server's log, and beside the records. These are on
    /// the disk first, so that an anchor never names what a loss of power took.
    pub(super) fn anchor(&self) -> Result<(), AuditError> {
        let Some(open) = self.file.as_ref().filter(|_| self.head.seq > 0) else { return Ok(()) };
        open.file.sync_data().map_err(at(&open.path))?;
        let Head { seq, hash } = self.head;
        tracing::info!(audit.seq = seq, audit.hash = hex(&hash), "audit anchor");
        let anchor = Anchor { seq, hash: hex(&hash), seal: hex(&seal(&self.key, &hash)) };
        let (path, new) = (self.config.folder.join(ANCHOR), self.config.folder.join("anchor.new"));
        let text = serde_json::to_vec(&anchor).map_err(|error| at(&path)(error.into()))?;
        let mut file = private().create(true).truncate(true).write(true).open(&new).map_err(at(&new))?;
        file.write_all(&text).and_then(|()| file.sync_data()).map_err(at(&new))?;
        fs::rename(&new, &path).map_err(at(&path))
    }

    /// Files that are more or older than configured; never the newest.
    fn expired(&self, now: SystemTime) -> Result<Vec<Expired>, AuditError> {
        let AuditConfig { folder, keep_files, keep_days, .. } = &self.config;
        if keep_files.is_none() && keep_days.is_none() {
            return Ok(Vec::new());
        }
        let files = read::files(folder)?;
        let too_many = keep_files.map_or(0, |keep| files.len().saturating_sub(keep.max(1)));
        let mut expired = Vec::new();
        for (place, pair) in files.windows(2).enumerate() {
            let [old, next] = pair else { continue };
            let written = fs::metadata(&old.path).and_then(|meta| meta.modified()).map_err(at(&old.path))?;
            let is_old = keep_days.is_some_and(|days| age(written, now) > Duration::from_secs(days * 24 * 60 * 60));
            if place >= too_many && !is_old {
                break;
            }
            // What follows a file says how it ended. The newest, which has no record yet, follows the head.
            let (last_seq, last_hash) = match read::first_line(&next.path)? {
                None => (self.head.seq, hex(&self.head.hash)),
                Some(line) => match Link::read(&line) {
                    Ok(link) => (link.head.seq.saturating_sub(1), link.prev),
                    // A file that is not right is evidence, and nothing before it is removed either.
                    Err(_) => break,
                },
            };
            let file = old.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            expired.push(Expired { path: old.path.clone(), file, last_seq, last_hash });
        }
        Ok(expired)
    }
}

impl OpenFile {
    /// Whether the path still leads to the file that is open, and its length is what was written: a file that was moved away,
    /// removed or written by somebody else would swallow records unseen.
    fn is_untouched(&self) -> Result<(), AuditError> {
        let there = fs::metadata(&self.path).map_err(at(&self.path))?;
        let changed = |what| Err(AuditError::NotOurs { path: self.path.clone(), what });
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            let open = self.file.metadata().map_err(at(&self.path))?;
            if (there.dev(), there.ino()) != (open.dev(), open.ino()) {
                return changed("somebody put another file in its place");
            }
        }
        if there.len() == self.bytes { Ok(()) } else { changed("somebody else changed its length") }
    }
}

/// The anchor beside the records, if it is sealed with this key.
fn anchored(folder: &Path, key: &[u8; 32]) -> Option<Head> {
    let anchor = anchor_in(folder)?;
    let hash = unhex(&anchor.hash)?;
    (hex(&seal(key, &hash)) == anchor.seal).then_some(Head { seq: anchor.seq, hash })
}

/// The anchor beside the records, whoever made it.
pub(super) fn anchor_in(folder: &Path) -> Option<Anchor> {
    serde_json::from_slice(&fs::read(folder.join(ANCHOR)).ok()?).ok()
}

/// Whether some process writes into the folder now.
pub(super) fn is_written(folder: &Path) -> bool {
    File::open(folder.join(LOCK)).is_ok_and(|file| file.try_lock_shared().is_err())
}

fn lock(folder: &Path) -> Result<File, AuditError> {
    let path = folder.join(LOCK);
    let file = private().create(true).truncate(false).write(true).open(&path).map_err(at(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(AuditError::Locked(folder.to_owned())),
        Err(fs::TryLockError::Error(error)) => Err(at(&path)(error)),
    }
}

/// Where the last good line of a file ends. A line that is not right with good ones after it stays: it is for `verify`.
fn look(path: &Path) -> Result<Tail, AuditError> {
    let mut tail = Tail::default();
    let mut end = 0;
    for line in read::raw_lines_of(path)? {
        let line = line?;
        end += line.len() as u64;
        let whole = line.strip_suffix(b"\n").map(Link::read);
        if let Some(Ok(link)) = whole {
            if tail.day.is_empty() {
                tail.day = link.time.chars().take(DAY_CHARS).collect();
            }
            tail.ended_well = Some(link.kind == "end");
            tail.head = link.head;
            tail.bytes = end;
        }
    }
    Ok(tail)
}

/// Moves what stands after the last good line to a file of its own.
fn cut_off(folder: &Path, path: &Path, good_bytes: u64) -> Result<Option<Torn>, AuditError> {
    let bytes = fs::metadata(path).map_err(at(path))?.len();
    if bytes == good_bytes {
        return Ok(None);
    }
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let name = format!("torn-{stem}-{good_bytes}-{:016x}", fastrand::u64(..));
    let torn = folder.join(&name);
    let mut from = File::open(path).map_err(at(path))?;
    io::Seek::seek(&mut from, io::SeekFrom::Start(good_bytes)).map_err(at(path))?;
    let mut to = private().create_new(true).write(true).open(&torn).map_err(at(&torn))?;
    io::copy(&mut from, &mut to).and_then(|_| to.sync_all()).map_err(at(&torn))?;
    let file = OpenOptions::new().write(true).open(path).map_err(at(path))?;
    file.set_len(good_bytes).and_then(|()| file.sync_all()).map_err(at(path))?;
    tracing::warn!(audit.torn_bytes = bytes - good_bytes, audit.torn_file = name, "the end of the audit log was torn");
    Ok(Some(Torn { torn_bytes: bytes - good_bytes, torn_file: name }))
}

/// Files that their owner alone reads.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn create_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// A new file is there after a loss of power only when its folder is on the disk.
fn sync_folder(folder: &Path) -> Result<(), AuditError> {
    if cfg!(unix) { File::open(folder).and_then(|folder| folder.sync_all()).map_err(at(folder)) } else { Ok(()) }
}

pub(super) fn at(path: &Path) -> impl FnOnce(io::Error) -> AuditError + use<> {
    let path = path.to_owned();
    move |source| AuditError::Io { path, source }
}
