//! [`EmbeddingCache`]: text -> vector, on disk, so that no text is embedded twice.
//!
//! Vectors stand in `<folder>/<model fingerprint>/` as Arrow IPC files, called parts. A part is written under a temporary
//! name, flushed and renamed, and never changed again, so a sync that is killed keeps every part it had finished. Its name
//! carries the checksum of its bytes: a damaged part is recognised before anything in it is believed. A cache can only
//! save time, so whatever is wrong with one is a warning and an embedding done again, never an error; only that nothing
//! can be written is one.

mod part;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use shortlist_index::{Embedding, ModelFingerprint};
use thiserror::Error;

use self::part::{Part, PartFile, Unusable};

/// Texts in one part while a sync runs: what a killed sync loses at most.
pub const PART_ROWS: usize = 2_048;
/// The most rows that are kept in memory: 2,000,000 of 384 numbers are 3 GB.
const ROWS_MAX: usize = 2_000_000;
/// More parts than this are written together into one.
const PARTS_MAX: usize = 64;
/// So many dead rows are not worth a rewrite, whatever their share.
const DEAD_ROWS_KEPT: usize = 2 * PART_ROWS;

/// SHA-256 of a text, the cache's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TextHash(pub [u8; 32]);

impl TextHash {
    /// The hash of a text as it is given to the model.
    pub fn of(text: &str) -> Self {
        Self(Sha256::digest(text.as_bytes()).into())
    }
}

/// Why the cache could not be written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CacheError {
    /// A file operation failed.
    #[error("cannot write the embedding cache at {path}: {error}; is the disk full, or the folder read-only?", path = path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        error: io::Error,
    },
    /// Arrow refused the rows.
    #[error("cannot write the embedding cache at {path}: {error}", path = path.display())]
    Arrow {
        /// The file.
        path: PathBuf,
        /// What Arrow said.
        #[source]
        error: arrow::error::ArrowError,
    },
}

/// The vectors of one model.
pub struct EmbeddingCache {
    folder: PathBuf,
    dimension: usize,
    parts: Vec<Part>,
    /// Hash -> part and row. A text that stands in two parts is found in either: the vectors are equal.
    places: HashMap<TextHash, (u32, u32)>,
    next_number: u32,
    warnings: Vec<String>,
}

impl EmbeddingCache {
    /// Opens the vectors of a model under `folder`, making nothing. Costs a read and a checksum of every part.
    ///
    /// Parts that are damaged, of another dimension or not finished are removed; one that cannot be read at the moment is
    /// skipped and left. [`EmbeddingCache::warnings`] names them.
    pub fn open(folder: &Path, model: &ModelFingerprint, dimension: usize) -> Self {
        let mut cache = Self {
            folder: folder.join(folder_name(model)),
            dimension,
            parts: Vec::new(),
            places: HashMap::new(),
            next_number: 1,
            warnings: Vec::new(),
        };
        for file in cache.part_files() {
            cache.next_number = cache.next_number.max(file.number.saturating_add(1));
            match file.read(dimension) {
                Ok(part) if cache.places.len().saturating_add(part.len()) <= ROWS_MAX => cache.add(part),
                Ok(_) => cache.warnings.push(format!(
                    "the embedding cache at {} holds more than {ROWS_MAX} texts; the rest is not used",
                    cache.folder.display()
                )),
                Err(Unusable::Damaged(reason)) => cache.discard(&file.path, &reason),
                Err(Unusable::Unread(reason)) => cache.warnings.push(format!(
                    "the embedding cache's part {} cannot be read ({reason}); it was left where it is, and its texts are embedded again",
                    file.path.display()
                )),
            }
        }
        cache
    }

    /// Vectors that can be found.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// What was found damaged, in sentences for the operator.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Whether a text's vector is known.
    pub fn contains(&self, text: &TextHash) -> bool {
        self.places.contains_key(text)
    }

    /// A text's vector.
    pub fn get(&self, text: &TextHash) -> Option<Embedding> {
        self.vector(text).map(|vector| Embedding::from_normalised(vector.to_vec()))
    }

    /// Writes vectors as a new part; when this returns they survive a crash.
    ///
    /// # Errors
    /// [`CacheError`] when the disk refuses; the cache is then what it was.
    pub fn append(&mut self, rows: &[(TextHash, Embedding)]) -> Result<(), CacheError> {
        let rows: Vec<(TextHash, &[f32])> = rows.iter().map(|(text, vector)| (*text, vector.as_slice())).collect();
        self.write(&rows)
    }

    /// Whether so many parts have piled up that [`EmbeddingCache::compact`] would join them, whatever is live.
    pub fn has_many_parts(&self) -> bool {
        self.parts.len() > PARTS_MAX
    }

    /// Writes everything into one part when parts or rows that no text of `live` needs have piled up. Says whether it did.
    ///
    /// # Errors
    /// [`CacheError`] when the disk refuses; nothing is lost by it.
    pub fn compact(&mut self, live: &BTreeSet<TextHash>) -> Result<bool, CacheError> {
        let n_rows: usize = self.parts.iter().map(Part::len).sum();
        let n_live = live.iter().filter(|text| self.contains(text)).count();
        let n_dead = n_rows - n_live;
        if !self.has_many_parts() && (n_dead <= n_live || n_dead <= DEAD_ROWS_KEPT) {
            return Ok(false);
        }
        let old: Vec<PathBuf> = self.parts.iter().map(|part| part.path().to_owned()).collect();
        let rows: Vec<(TextHash, &[f32])> = live.iter().filter_map(|text| Some((*text, self.vector(text)?))).collect();
        let written = if rows.is_empty() {
            None
        } else {
            Some(part::write(&self.folder, self.next_number, self.dimension, &rows)?)
        };
        self.next_number = self.next_number.saturating_add(1);
        self.parts.clear();
        self.places.clear();
        self.parts.extend(written);
        for (row, text) in self.parts.iter().flat_map(Part::texts).enumerate() {
            self.places.insert(text, (0, row as u32));
        }
        // A crash in here leaves rows that stand twice, which the next compaction removes.
        for path in old {
            fs::remove_file(&path).map_err(|error| CacheError::Io { path, error })?;
        }
        Ok(true)
    }

    fn write(&mut self, rows: &[(TextHash, &[f32])]) -> Result<(), CacheError> {
        if rows.is_empty() {
            return Ok(());
        }
        let part = part::write(&self.folder, self.next_number, self.dimension, rows)?;
        self.next_number = self.next_number.saturating_add(1);
        self.add(part);
        Ok(())
    }

    fn add(&mut self, part: Part) {
        let index = self.parts.len() as u32;
        for (row, text) in part.texts().enumerate() {
            self.places.insert(text, (index, row as u32));
        }
        self.parts.push(part);
    }

    fn vector(&self, text: &TextHash) -> Option<&[f32]> {
        let &(part, row) = self.places.get(text)?;
        self.parts.get(part as usize)?.vector(row as usize)
    }

    /// The finished parts, oldest first. What a killed sync left unfinished is removed.
    fn part_files(&mut self) -> Vec<PartFile> {
        let mut files = Vec::new();
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return files,
            Err(error) => {
                let folder = self.folder.display();
                self.warnings.push(format!("the embedding cache at {folder} cannot be read and is not used: {error}"));
                return files;
            }
        };
        for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
            match PartFile::of(&path) {
                Some(file) => files.push(file),
                // Unfinished: the writer died, for only one may write at a time and it is we who do.
                None if path.extension().is_some_and(|extension| extension == part::UNFINISHED) => {
                    let _ = fs::remove_file(&path);
                }
                None => {}
            }
        }
        files.sort_by_key(|file| file.number);
        files
    }

    fn discard(&mut self, path: &Path, reason: &str) {
        let removed = match fs::remove_file(path) {
            Ok(()) => "it was removed and its texts are embedded again".to_owned(),
            Err(error) => format!("it is not used, and could not be removed: {error}"),
        };
        self.warnings.push(format!("the embedding cache's part {} is damaged ({reason}); {removed}", path.display()));
    }
}

/// The fingerprint itself where it can name a folder, else its hash.
fn folder_name(model: &ModelFingerprint) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    match &model.0 {
        name if (1..=100).contains(&name.len()) && name.bytes().all(plain) => name.clone(),
        name => shortlist_index::hex(&Sha256::digest(name.as_bytes())),
    }
}
