//! [`Puller`]: takes over what a remote says is current.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use futures_util::{StreamExt, TryStreamExt, stream};
use object_store::ObjectStoreExt;
use sha2::{Digest, Sha256};
use shortlist_index::{FileSum, Manifest, Store, hex};

use super::current::{Entry, Seen, Version};
use super::error::RemoteError;
use super::publish::Progress;
use super::{CONCURRENCY, PART_BYTES, Remote, Transfer, layout, local};

/// Follows one remote into one store.
pub struct Puller<'r> {
    remote: &'r Remote,
    store: Store,
    /// Older generations that stay in the store.
    keep_older: usize,
    /// What was taken over last, and the tag of the `CURRENT` that said so.
    last: Option<(Option<String>, u64)>,
}

/// What a pull did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pulled {
    /// The generation that is current at the remote, and here now.
    pub generation: u64,
    /// Whether it was not before.
    pub changed: bool,
    /// Bytes that were fetched; the rest was here.
    pub bytes_fetched: u64,
}

impl<'r> Puller<'r> {
    /// Pulls from `remote` into `store`, keeping so many older generations there.
    pub fn new(remote: &'r Remote, store: Store, keep_older: usize) -> Self {
        Self { remote, store, keep_older, last: None }
    }

    /// Takes over what is current at the remote. Costs one small request when nothing changed; else what is missing here
    /// is fetched, verified, opened as a reader would, and made current. What an interrupted pull fetched is used.
    ///
    /// # Errors
    /// [`RemoteError`]; what was current here still is.
    pub fn pull(&mut self, transfer: &dyn Transfer) -> Result<Pulled, RemoteError> {
        let before = self.store.current().ok().flatten();
        // Where something else was made current here meanwhile, the remote is asked as if for the first time.
        self.last.take_if(|(_, number)| before != Some(*number));
        let tag = self.last.as_ref().and_then(|(tag, _)| tag.as_deref());
        let seen = self.remote.runtime.block_on(self.remote.read_current_unless(tag))?;
        let unchanged = |generation| Pulled { generation, changed: false, bytes_fetched: 0 };
        let Seen { state, version } = match (seen, &self.last) {
            (Some(seen), _) => seen,
            (None, Some((_, number))) => return Ok(unchanged(*number)),
            (None, None) => return Err(RemoteError::Empty(self.remote.location.clone())),
        };
        let state = state.ok_or_else(|| RemoteError::Empty(self.remote.location.clone()))?;
        let Entry { number, manifest } = &state.current;
        let tag = match version {
            Version::Tag(version) => version.e_tag,
            Version::Absent | Version::Bytes(_) => None,
        };
        let here = self.manifest_here(*number).as_ref() == Some(manifest);
        // Read through once; from then on this process knows that it is good.
        let known = self.last.as_ref().is_some_and(|(_, known)| known == number);
        if here && before == Some(*number) && (known || self.store.open(*number).is_ok()) {
            self.last = Some((tag, *number));
            return Ok(unchanged(*number));
        }
        let lock = self.store.lock()?;
        let (staged, bytes_fetched) = self.fetch(&state.current, transfer)?;
        self.store.install(&lock, &staged)?;
        // Both are tidying: what could not be removed is removed next time.
        let _ = fs::remove_dir_all(self.pulling());
        let _ = self.store.remove_older(&lock, self.keep_older);
        self.last = Some((tag, *number));
        Ok(Pulled { generation: *number, changed: true, bytes_fetched })
    }

    /// The checksum of the manifest of a generation that is here.
    fn manifest_here(&self, number: u64) -> Option<String> {
        fs::read(self.store.folder(number).join(layout::MANIFEST)).ok().map(|text| layout::sha256(&text))
    }

    /// Where generations grow until they are whole.
    fn pulling(&self) -> PathBuf {
        self.store.home().join("pulling")
    }

    /// A folder with everything of a generation, and how many bytes had to be fetched.
    fn fetch(&self, entry: &Entry, transfer: &dyn Transfer) -> Result<(PathBuf, u64), RemoteError> {
        let staged = self.pulling().join(&entry.manifest);
        // Of other generations nothing is of use.
        for other in fs::read_dir(self.pulling()).into_iter().flatten().flatten().map(|other| other.path()) {
            if other != staged {
                fs::remove_dir_all(&other).map_err(local("remove", &other))?;
            }
        }
        fs::create_dir_all(&staged).map_err(local("create", &staged))?;
        let here = self.files_here();
        self.remote.runtime.block_on(async {
            let (manifest, text) = self.remote.fetch_manifest(entry).await?;
            remove_strangers(&staged, &staged, &manifest).map_err(local("tidy", &staged))?;
            let progress = Progress::new(transfer, manifest.files.values().map(|sum| sum.bytes).sum());
            let fetched: Vec<u64> = stream::iter(&manifest.files)
                .map(|(path, sum)| self.remote.fetch_file(staged.join(path), sum, here.get(&sum.sha256), &progress))
                .buffer_unordered(CONCURRENCY)
                .try_collect()
                .await?;
            for (name, bytes) in
                [(layout::MANIFEST, text.as_slice()), (layout::MANIFEST_SUM, entry.manifest.as_bytes())]
            {
                let path = staged.join(name);
                fs::write(&path, bytes).map_err(local("write", &path))?;
            }
            Ok((staged.clone(), fetched.iter().sum()))
        })
    }

    /// The files of the generations that are here, by checksum.
    fn files_here(&self) -> BTreeMap<String, PathBuf> {
        let mut files = BTreeMap::new();
        for number in self.store.list().unwrap_or_default() {
            let folder = self.store.folder(number);
            let Ok(manifest) = Store::manifest_in(&folder) else { continue };
            files.extend(manifest.files.into_iter().map(|(path, sum)| (sum.sha256, folder.join(path))));
        }
        files
    }
}

impl Remote {
    /// A manifest, checked, with its text.
    pub(super) async fn fetch_manifest(&self, entry: &Entry) -> Result<(Manifest, Vec<u8>), RemoteError> {
        let path = layout::manifest(&entry.manifest);
        let object = format!("{}/{path}", self.location);
        let failed = |error| match error {
            object_store::Error::NotFound { .. } => {
                RemoteError::Damaged { object: object.clone(), reason: "it is not there".to_owned() }
            }
            error => self.failed("read", &path, &error),
        };
        let got = self.store.get(&path).await.map_err(failed)?;
        let refuse = |reason: String| RemoteError::Refused { object: object.clone(), reason };
        if got.meta.size > layout::MANIFEST_BYTES_MAX {
            let (got, max) = (got.meta.size, layout::MANIFEST_BYTES_MAX);
            return Err(refuse(format!("it has {got} bytes; {max} are allowed")));
        }
        let text = got.bytes().await.map_err(failed)?.to_vec();
        let sum = layout::sha256(&text);
        if sum != entry.manifest {
            let reason = format!("its SHA-256 is {sum}");
            return Err(RemoteError::Damaged { object: object.clone(), reason });
        }
        let manifest = Manifest::parse(Path::new(&object), &text).map_err(|error| refuse(error.to_string()))?;
        if manifest.number != entry.number {
            return Err(refuse(format!("it is of generation {}, not {}", manifest.number, entry.number)));
        }
        layout::check(&manifest).map_err(refuse)?;
        Ok((manifest, text))
    }

    /// Puts a file into its place: it is there from a pull before, or copied from a generation that has it, or fetched.
    /// Says how many bytes were fetched.
    async fn fetch_file(
        &self,
        path: PathBuf,
        sum: &FileSum,
        here: Option<&PathBuf>,
        progress: &Progress<'_>,
    ) -> Result<u64, RemoteError> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(local("create", folder))?;
        }
        if !is(&path, sum)
            && let Some(here) = here
            && fs::remove_file(&path).or_else(absent).is_ok()
        {
            // A copy, not a link, so that damage to one generation leaves the other good. Where it fails, it is fetched.
            let _ = fs::copy(here, &path);
        }
        if is(&path, sum) {
            progress.add(sum.bytes);
            return Ok(0);
        }
        fs::remove_file(&path).or_else(absent).map_err(local("remove", &path))?;
        self.download(&path, sum, progress).await?;
        Ok(sum.bytes)
    }

    /// Fetches a file part by part under another name; it gets its own when it is whole.
    async fn download(&self, path: &Path, sum: &FileSum, progress: &Progress<'_>) -> Result<(), RemoteError> {
        let object = layout::file(&sum.sha256);
        let damaged = |reason: String| RemoteError::Damaged { object: format!("{}/{object}", self.location), reason };
        let failed = |error| match error {
            object_store::Error::NotFound { .. } => damaged("it is not there".to_owned()),
            error => self.failed("read", &object, &error),
        };
        let size = self.store.head(&object).await.map_err(failed)?.size;
        if size != sum.bytes {
            return Err(damaged(format!("it has {size} bytes, and {} are expected", sum.bytes)));
        }
        // No name of a generation's file holds a tilde.
        let part = PathBuf::from(format!("{}~", path.display()));
        let mut file = File::create(&part).map_err(local("create", &part))?;
        let mut hasher = Sha256::new();
        let mut start = 0;
        while start < size {
            let end = size.min(start + PART_BYTES);
            let bytes = self.store.get_range(&object, start..end).await.map_err(failed)?;
            if bytes.len() as u64 != end - start {
                return Err(damaged(format!("its bytes {start} to {end} are {} bytes", bytes.len())));
            }
            hasher.update(&bytes);
            file.write_all(&bytes).map_err(local("write", &part))?;
            progress.add(end - start);
            start = end;
        }
        let got = hex(&hasher.finalize());
        if got != sum.sha256 {
            return Err(damaged(format!("its SHA-256 is {got}")));
        }
        file.sync_all().map_err(local("flush", &part))?;
        fs::rename(&part, path).map_err(local("rename", &part))
    }
}

/// Whether a file is what it should be.
fn is(path: &Path, sum: &FileSum) -> bool {
    let digest = || -> io::Result<String> {
        let mut hasher = Sha256::new();
        let mut file = File::open(path)?;
        let mut buffer = vec![0; 1 << 20];
        loop {
            match io::Read::read(&mut file, &mut buffer)? {
                0 => return Ok(hex(&hasher.finalize())),
                n_read => hasher.update(&buffer[..n_read]),
            }
        }
    };
    fs::symlink_metadata(path).is_ok_and(|found| found.is_file() && found.len() == sum.bytes)
        && digest().is_ok_and(|digest| digest == sum.sha256)
}

/// Removes files that the manifest does not name: what a pull that was interrupted left half done.
fn remove_strangers(root: &Path, folder: &Path, manifest: &Manifest) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            remove_strangers(root, &path, manifest)?;
        } else {
            let inside = path.strip_prefix(root).ok().and_then(Path::to_str);
            if inside.is_none_or(|inside| !manifest.files.contains_key(inside)) {
                fs::remove_file(&path)?;
            }
        }
    }
    Ok(())
}

fn absent(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}
