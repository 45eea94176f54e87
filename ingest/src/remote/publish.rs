//! Sending a generation: its files, then its manifest, then `CURRENT`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use futures_util::{StreamExt, TryStreamExt, stream};
use object_store::{Error, ObjectMeta, ObjectStoreExt, PutPayload};
use serde::Serialize;
use sha2::{Digest, Sha256};
use shortlist_index::{Store, StoreError, hex};

use super::current::{Entry, Seen, State};
use super::error::RemoteError;
use super::{CONCURRENCY, PART_BYTES, Remote, Transfer, layout, local};

/// What an operator may choose.
#[derive(Clone, Debug)]
pub struct PublishOptions {
    /// Older generations that stay in the remote, to roll back to; all others are removed, with the files that only they
    /// name.
    pub keep_older: usize,
    /// What is younger is not removed, for it may belong to a publish that runs. Longer than any publish takes.
    pub grace: Duration,
    /// Whether a generation that is kept there is not made current again where an older one is, so that a pass that built nothing
    /// does not undo a roll-back.
    pub leave_rolled_back: bool,
}

impl Default for PublishOptions {
    fn default() -> Self {
        Self { keep_older: 3, grace: Duration::from_secs(24 * 60 * 60), leave_rolled_back: false }
    }
}

/// What a publish did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Published {
    /// The generation that is current now.
    pub generation: u64,
    /// Whether it was not before.
    pub changed: bool,
    /// Files that were sent, with their bytes; the others were there.
    pub n_sent: usize,
    /// Bytes of those.
    pub bytes_sent: u64,
    /// Objects that were removed.
    pub n_removed: usize,
    /// What did not stop the publish and should be looked at.
    pub warnings: Vec<String>,
}

impl Published {
    /// This generation is current, and nothing was done for it.
    fn nothing(generation: u64) -> Self {
        Self { generation, changed: false, n_sent: 0, bytes_sent: 0, n_removed: 0, warnings: Vec::new() }
    }
}

impl Remote {
    /// Sends generation `number` of `store` and makes it the current one here. Sends only what is not there.
    ///
    /// A generation that is kept here already is made current again, which is how to roll back, even where `store` has it no
    /// more; any other must have a number above all that were ever given out here ([`State::highest`]).
    ///
    /// # Errors
    /// [`RemoteError`]; what was current still is. [`RemoteError::Lost`] when somebody else published meanwhile.
    pub fn publish(
        &self,
        store: &Store,
        number: u64,
        transfer: &dyn Transfer,
        options: &PublishOptions,
    ) -> Result<Published, RemoteError> {
        let folder = store.folder(number);
        if !folder.is_dir() {
            return self.publish_kept(number, options);
        }
        let manifest = Store::manifest_in(&folder)?;
        let path = folder.join(layout::MANIFEST);
        let text = fs::read(&path).map_err(local("read", &path))?;
        let refuse = |reason: String| RemoteError::Refused { object: path.display().to_string(), reason };
        // Else nobody could pull it.
        layout::check(&manifest).map_err(refuse)?;
        if text.len() as u64 > layout::MANIFEST_BYTES_MAX {
            return Err(refuse(format!("it has {} bytes; {} are allowed", text.len(), layout::MANIFEST_BYTES_MAX)));
        }
        let entry = Entry { number: manifest.number, manifest: layout::sha256(&text) };
        if let Some(folder) = &self.folder {
            fs::create_dir_all(folder).map_err(local("create", folder))?;
        }
        self.runtime.block_on(async {
            let seen = self.read_current().await?;
            self.check_number(seen.state.as_ref(), &entry)?;
            if let Some(state) = seen.state.as_ref().filter(|state| options.leave_rolled_back && state.is_rolled_back_from(&entry)) {
                let current = state.current.number;
                let warning = format!(
                    "generation {number} was not made current again at {}, where it was rolled back to {current}; a new \
                     generation will be, and `shortlist publish --to` does it now",
                    self.location
                );
                return Ok(Published { warnings: vec![warning], ..Published::nothing(current) });
            }
            let mut warnings = Vec::new();
            let there = self.kept_files(seen.state.as_ref(), &mut warnings).await;

            // By content: two files of the same bytes are one object.
            let files: BTreeMap<&str, (PathBuf, u64)> = manifest
                .files
                .iter()
                .map(|(path, sum)| (sum.sha256.as_str(), (folder.join(path), sum.bytes)))
                .collect();
            let progress = Progress::new(transfer, files.values().map(|(_, bytes)| bytes).sum());
            let sent: Vec<u64> = stream::iter(&files)
                .map(|(sha256, (path, bytes))| {
                    let old_enough = options.grace / 2;
                    self.send_missing(sha256, path, *bytes, there.contains(*sha256), old_enough, &progress)
                })
                .buffer_unordered(CONCURRENCY)
                .try_filter_map(async |sent| Ok(sent))
                .try_collect()
                .await?;
            let object = layout::manifest(&entry.manifest);
            let put = self.store.put(&object, PutPayload::from(text)).await;
            put.map_err(|error| self.failed("write", &object, &error))?;
            let bytes_sent = sent.iter().sum();
            let published = Published { n_sent: sent.len(), bytes_sent, warnings, ..Published::nothing(number) };
            self.make_current(seen, entry, published, options).await
        })
    }

    /// Makes a generation current again that is kept here and not at hand.
    fn publish_kept(&self, number: u64, options: &PublishOptions) -> Result<Published, RemoteError> {
        self.runtime.block_on(async {
            let seen = self.read_current().await?;
            let kept = seen.state.iter().flat_map(|state| &state.kept).find(|entry| entry.number == number);
            let entry = kept.cloned().ok_or(StoreError::Missing(number))?;
            // Else nobody could pull it.
            self.fetch_manifest(&entry).await?;
            self.make_current(seen, entry, Published::nothing(number), options).await
        })
    }

    /// Names what is here as current, if `CURRENT` is still what was seen, and sweeps.
    async fn make_current(
        &self,
        seen: Seen,
        entry: Entry,
        mut published: Published,
        options: &PublishOptions,
    ) -> Result<Published, RemoteError> {
        published.changed = seen.state.as_ref().is_none_or(|state| state.current != entry);
        let next = State::after(seen.state.clone(), entry, options.keep_older);
        if seen.state.as_ref() != Some(&next) {
            self.replace_current(&seen.version, &next).await?;
        }
        published.n_removed = self.sweep(&next, options.grace).await.unwrap_or_else(|error| {
            published.warnings.push(format!("old generations were not removed: {error}"));
            0
        });
        Ok(published)
    }

    fn check_number(&self, state: Option<&State>, entry: &Entry) -> Result<(), RemoteError> {
        match state {
            Some(state) if entry.number <= state.highest && !state.kept.contains(entry) => Err(RemoteError::NotNewer {
                location: self.location.clone(),
                number: entry.number,
                highest: state.highest,
            }),
            _ => Ok(()),
        }
    }

    /// The files that kept generations name. Nobody removes these while `CURRENT` is what it was.
    async fn kept_files(&self, state: Option<&State>, warnings: &mut Vec<String>) -> BTreeSet<String> {
        let mut files = BTreeSet::new();
        for entry in state.into_iter().flat_map(|state| &state.kept) {
            match self.fetch_manifest(entry).await {
                Ok((manifest, _)) => files.extend(manifest.files.into_values().map(|sum| sum.sha256)),
                Err(error) => warnings.push(format!("generation {} there cannot be used: {error}", entry.number)),
            }
        }
        files
    }

    /// Sends a file unless it is there for sure: kept by a generation, or so young that nobody removes it yet. Says how
    /// many bytes were sent.
    async fn send_missing(
        &self,
        sha256: &str,
        path: &Path,
        bytes: u64,
        kept: bool,
        old: Duration,
        progress: &Progress<'_>,
    ) -> Result<Option<u64>, RemoteError> {
        let object = layout::file(sha256);
        match self.store.head(&object).await {
            Ok(meta) if meta.size == bytes && (kept || age(&meta) < old) => {
                progress.add(bytes);
                return Ok(None);
            }
            Ok(_) | Err(Error::NotFound { .. }) => {}
            Err(error) => return Err(self.failed("look at", &object, &error)),
        }
        let mut parts = Parts::open(path)?;
        let damaged = || RemoteError::LocalDamage { path: path.display().to_string() };
        let failed = |error| self.failed("write", &object, &error);
        if bytes <= PART_BYTES {
            let part = parts.next()?;
            if !parts.were(bytes, sha256) {
                return Err(damaged());
            }
            self.store.put(&object, PutPayload::from(part)).await.map_err(failed)?;
            progress.add(bytes);
            return Ok(Some(bytes));
        }
        let mut upload = self.store.put_multipart(&object).await.map_err(failed)?;
        let sending = async {
            while parts.n_read <= bytes {
                let part = parts.next()?;
                if part.is_empty() {
                    break;
                }
                let len = part.len() as u64;
                upload.put_part(PutPayload::from(part)).await.map_err(failed)?;
                progress.add(len);
            }
            if !parts.were(bytes, sha256) {
                return Err(damaged());
            }
            upload.complete().await.map_err(failed).map(drop)
        };
        match sending.await {
            Ok(()) => Ok(Some(bytes)),
            Err(error) => {
                // Parts that stay behind are the bucket's to expire.
                let _ = upload.abort().await;
                Err(error)
            }
        }
    }
}

/// A local file, part by part, summed on the way.
struct Parts<'p> {
    path: &'p Path,
    file: File,
    hasher: Sha256,
    n_read: u64,
}

impl<'p> Parts<'p> {
    fn open(path: &'p Path) -> Result<Self, RemoteError> {
        let file = File::open(path).map_err(local("open", path))?;
        Ok(Self { path, file, hasher: Sha256::new(), n_read: 0 })
    }

    /// The next part; empty at the end.
    fn next(&mut self) -> Result<Vec<u8>, RemoteError> {
        let mut part = Vec::new();
        Read::by_ref(&mut self.file).take(PART_BYTES).read_to_end(&mut part).map_err(local("read", self.path))?;
        self.hasher.update(&part);
        self.n_read += part.len() as u64;
        Ok(part)
    }

    /// Whether what was read has this size and checksum.
    fn were(&self, bytes: u64, sha256: &str) -> bool {
        self.n_read == bytes && hex(&self.hasher.clone().finalize()) == sha256
    }
}

/// How long ago an object was written, by this machine's clock.
pub(super) fn age(meta: &ObjectMeta) -> Duration {
    SystemTime::now().duration_since(SystemTime::from(meta.last_modified)).unwrap_or_default()
}

/// Bytes that are done, counted over all transfers.
pub(super) struct Progress<'t> {
    transfer: &'t dyn Transfer,
    done: AtomicU64,
    total: u64,
}

impl<'t> Progress<'t> {
    pub(super) fn new(transfer: &'t dyn Transfer, total: u64) -> Self {
        transfer.bytes(0, total);
        Self { transfer, done: AtomicU64::new(0), total }
    }

    pub(super) fn add(&self, bytes: u64) {
        let done = self.done.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.transfer.bytes(done, self.total);
    }
}
