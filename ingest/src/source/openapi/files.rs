//! [`Files`]: the documents of a folder, or the one that a path names, listed and hashed, none of them kept in memory.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde_json::Value;
use sha2::{Digest, Sha256};
use shortlist_index::hex;

use super::parse::{DOCUMENT_BYTES_MAX, parse};
use crate::error::SourceError;

/// The most documents of a folder; the largest real collection has 2,639.
const FILES_MAX: usize = 20_000;
/// The most bytes of a folder's documents together; that collection has 430 MB.
const FOLDER_BYTES_MAX: u64 = 4 * 1024 * 1024 * 1024;
/// How deep folders may lie in each other.
const FOLDERS_DEEP_MAX: usize = 16;
/// How documents' names end.
const EXTENSIONS: [&str; 3] = ["json", "yaml", "yml"];

/// Documents in the order of their paths.
pub(super) struct Files {
    source: String,
    files: BTreeMap<String, FileOnDisk>,
    is_folder: bool,
}

struct FileOnDisk {
    path: PathBuf,
    /// `None` for one that is larger than it may be.
    sha256: Option<[u8; 32]>,
}

impl Files {
    /// Lists and hashes the documents of a folder and of the folders inside it, or takes the one file. Hidden files and
    /// folders, and links that lead out of the folder, are left out. Costs one read of each document.
    pub fn list(source: &str, path: &Path) -> Result<Self, SourceError> {
        let mut files = Self { source: source.to_owned(), files: BTreeMap::new(), is_folder: false };
        let metadata = fs::metadata(path).map_err(|error| files.io_error(path, error))?;
        let mut found = Vec::new();
        if metadata.is_dir() {
            files.is_folder = true;
            let root = path.canonicalize().map_err(|error| files.io_error(path, error))?;
            let mut bytes_left = FOLDER_BYTES_MAX;
            files.collect(&root, &root, "", FOLDERS_DEEP_MAX, &mut found, &mut bytes_left)?;
            if found.is_empty() {
                return Err(SourceError::NoCatalog {
                    name: source.to_owned(),
                    detail: format!(
                        "{} holds no *.json, *.yaml or *.yml file; it should hold OpenAPI documents",
                        path.display()
                    ),
                });
            }
        } else {
            let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
            found.push((name, path.to_owned()));
        }
        // A thread for each core reads one document at a time.
        let hashed = found.into_par_iter().map(|(name, path)| {
            let bytes = read_bounded(&path).map_err(|error| files.io_error(&path, error))?;
            let sha256 = bytes.map(|bytes| Sha256::digest(bytes).into());
            Ok((name, FileOnDisk { path, sha256 }))
        });
        let hashed: Result<_, SourceError> = hashed.collect();
        files.files = hashed?;
        Ok(files)
    }

    /// Whether a folder was listed, rather than one file.
    pub fn is_folder(&self) -> bool {
        self.is_folder
    }

    /// The paths inside the folder, with `/` between the parts.
    pub fn paths(&self) -> Vec<&str> {
        self.files.keys().map(String::as_str).collect()
    }

    /// SHA-256 over all paths and contents, in hexadecimal.
    pub fn digest(&self) -> String {
        let mut digest = Sha256::new();
        for (path, file) in &self.files {
            digest.update((path.len() as u64).to_le_bytes());
            digest.update(path.as_bytes());
            match &file.sha256 {
                Some(sha256) => digest.update(sha256),
                // The content does not matter: whatever it is, the document is refused.
                None => digest.update([0]),
            }
        }
        hex(&digest.finalize())
    }

    /// Parses a document that was listed; `None` where there is none of that path. The bytes must still be those that were
    /// hashed, for the state speaks of them.
    ///
    /// # Errors
    /// [`SourceError`] when it cannot be read; inside, the reason when it can and is no document.
    pub fn parse(&self, path: &str) -> Result<Option<Result<Value, String>>, SourceError> {
        let Some(file) = self.files.get(path) else { return Ok(None) };
        let Some(expected) = file.sha256 else {
            return Ok(Some(Err(format!("the document has more than the {DOCUMENT_BYTES_MAX} bytes allowed"))));
        };
        match read_bounded(&file.path).map_err(|error| self.io_error(&file.path, error))? {
            Some(bytes) if <[u8; 32]>::from(Sha256::digest(&bytes)) == expected => Ok(Some(parse(&bytes))),
            _ => Err(SourceError::Changed { name: self.source.clone(), what: path.to_owned() }),
        }
    }

    fn collect(
        &self,
        root: &Path,
        folder: &Path,
        prefix: &str,
        deep: usize,
        found: &mut Vec<(String, PathBuf)>,
        bytes_left: &mut u64,
    ) -> Result<(), SourceError> {
        for entry in fs::read_dir(folder).map_err(|error| self.io_error(folder, error))? {
            let entry = entry.map_err(|error| self.io_error(folder, error))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with('.') {
                continue;
            }
            let path = entry.path();
            let kind = entry.file_type().map_err(|error| self.io_error(&path, error))?;
            // A mounted secret or configuration is a link to a file beside it, which is fine; a link to a folder might lead
            // in a circle, and is not followed.
            let is_inside = || path.canonicalize().is_ok_and(|target| target.is_file() && target.starts_with(root));
            let name = format!("{prefix}{name}");
            if kind.is_dir() {
                let Some(below) = deep.checked_sub(1) else {
                    return Err(self.too_large(folder, FOLDERS_DEEP_MAX as u64, "folders inside each other"));
                };
                self.collect(root, &path, &format!("{name}/"), below, found, bytes_left)?;
            } else if is_document(&path) && (kind.is_file() || (kind.is_symlink() && is_inside())) {
                let bytes = fs::metadata(&path).map_err(|error| self.io_error(&path, error))?.len();
                *bytes_left = bytes_left
                    .checked_sub(bytes)
                    .ok_or_else(|| self.too_large(root, FOLDER_BYTES_MAX, "bytes of documents"))?;
                found.push((name, path));
                if found.len() > FILES_MAX {
                    return Err(self.too_large(root, FILES_MAX as u64, "documents"));
                }
            }
        }
        Ok(())
    }

    fn io_error(&self, path: &Path, error: io::Error) -> SourceError {
        SourceError::Io { name: self.source.clone(), path: path.to_owned(), error }
    }

    fn too_large(&self, path: &Path, max: u64, unit: &'static str) -> SourceError {
        SourceError::TooLarge { name: self.source.clone(), what: path.display().to_string(), max, unit }
    }
}

fn is_document(path: &Path) -> bool {
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
    extension.is_some_and(|extension| EXTENSIONS.contains(&extension.as_str()))
}

/// A file's bytes; `None` when there are too many.
fn read_bounded(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match crate::files::read(path, DOCUMENT_BYTES_MAX) {
        Err(error) if error.kind() == io::ErrorKind::FileTooLarge => Ok(None),
        read => read.map(Some),
    }
}
