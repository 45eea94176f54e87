//! The folder's documents: listed, hashed and known by name and version, none of them kept in memory.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest, Sha256};
use shortlist_index::{Rejection, hex};

use super::version::ApiVersion;
use crate::error::SourceError;
use crate::normalize::rejection;

/// The largest document; the largest real one (`compute` alpha) has 6 MB.
const DOCUMENT_BYTES_MAX: u64 = 32 * 1024 * 1024;
/// The most bytes of all documents together; the real ones have 120 MB.
const FOLDER_BYTES_MAX: u64 = 4 * 1024 * 1024 * 1024;
/// The most files a folder may hold; the real one has 611.
const FILES_MAX: usize = 10_000;

/// One document, read once for its hash and its head.
pub(super) struct Document {
    /// The file's name, without the folder.
    pub file_name: String,
    /// The API's name, such as `drive`.
    pub api: String,
    /// The API's version, such as `v3`.
    pub version: ApiVersion,
    sha256: [u8; 32],
}

/// A folder's documents in the order of their file names.
pub(super) struct Folder {
    source: String,
    path: PathBuf,
    documents: Vec<Document>,
    refused: Vec<Rejection>,
    digest: Sha256,
    n_bytes: u64,
}

/// What is read of a document before it is chosen.
#[derive(Deserialize)]
struct Head {
    kind: Option<String>,
    name: Option<String>,
    version: Option<String>,
}

impl Folder {
    /// Lists and hashes the `*.json` files of a folder. Costs one read of each.
    pub fn list(source: &str, path: &Path) -> Result<Self, SourceError> {
        let io_error = |path: &Path, error| SourceError::Io { name: source.to_owned(), path: path.to_owned(), error };
        let too_large = |max: u64, unit: &'static str| SourceError::TooLarge {
            name: source.to_owned(),
            what: path.display().to_string(),
            max,
            unit,
        };
        let mut file_names = Vec::new();
        for entry in fs::read_dir(path).map_err(|error| io_error(path, error))? {
            let name = entry.map_err(|error| io_error(path, error))?.file_name();
            if name.as_encoded_bytes().ends_with(b".json") {
                file_names.push(name);
            }
            if file_names.len() > FILES_MAX {
                return Err(too_large(FILES_MAX as u64, "files"));
            }
        }
        if file_names.is_empty() {
            return Err(SourceError::NoCatalog {
                name: source.to_owned(),
                detail: format!("{} holds no *.json file; it should hold Discovery documents", path.display()),
            });
        }
        file_names.sort();
        let mut folder = Self {
            source: source.to_owned(),
            path: path.to_owned(),
            documents: Vec::new(),
            refused: Vec::new(),
            digest: Sha256::new(),
            n_bytes: 0,
        };
        for name in file_names {
            folder.add(&name)?;
            if folder.n_bytes > FOLDER_BYTES_MAX {
                return Err(too_large(FOLDER_BYTES_MAX, "bytes"));
            }
        }
        Ok(folder)
    }

    fn add(&mut self, name: &OsStr) -> Result<(), SourceError> {
        self.digest.update((name.len() as u64).to_le_bytes());
        self.digest.update(name.as_encoded_bytes());
        let read = match name.to_str() {
            Some(file_name) => self.read(file_name)?.map(|bytes| (file_name.to_owned(), bytes)),
            None => Err("its file's name is not UTF-8".to_owned()),
        };
        let (file_name, bytes) = match read {
            Ok(read) => read,
            Err(reason) => {
                // What it holds is not in the digest: whatever that is, the document is refused.
                self.digest.update([0]);
                self.refused.push(rejection(&name.to_string_lossy(), reason));
                return Ok(());
            }
        };
        self.n_bytes += bytes.len() as u64;
        let sha256: [u8; 32] = Sha256::digest(&bytes).into();
        self.digest.update([1]);
        self.digest.update(sha256);
        match head(&bytes) {
            Ok(Some((api, version))) => self.documents.push(Document { file_name, api, version, sha256 }),
            Ok(None) => {}
            Err(reason) => self.refused.push(rejection(&file_name, reason)),
        }
        Ok(())
    }

    /// The file's bytes, or why it is no document.
    fn read(&self, file_name: &str) -> Result<Result<Vec<u8>, String>, SourceError> {
        let path = self.path.join(file_name);
        match crate::files::read(&path, DOCUMENT_BYTES_MAX) {
            Ok(bytes) => Ok(Ok(bytes)),
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
                Ok(Err(format!("the document has more than the {DOCUMENT_BYTES_MAX} bytes allowed")))
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                Ok(Err("a document is a file, and this is a folder, a pipe or a device".to_owned()))
            }
            Err(error) => Err(SourceError::Io { name: self.source.clone(), path, error }),
        }
    }

    /// The bytes of a document that was listed, which must be the same still: the state speaks of those.
    pub fn read_again(&self, document: &Document) -> Result<Vec<u8>, SourceError> {
        match self.read(&document.file_name)? {
            Ok(bytes) if <[u8; 32]>::from(Sha256::digest(&bytes)) == document.sha256 => Ok(bytes),
            _ => Err(SourceError::Changed { name: self.source.clone(), what: document.file_name.clone() }),
        }
    }

    /// The documents, by file name.
    pub fn documents(&self) -> &[Document] {
        &self.documents
    }

    /// The files that are no Discovery documents, with the reason.
    pub fn refused(&self) -> &[Rejection] {
        &self.refused
    }

    /// SHA-256 over all names and contents, in hexadecimal.
    pub fn digest(&self) -> String {
        hex(&self.digest.clone().finalize())
    }
}

/// Name and version of a document; `None` for the directory of documents that Google's own folder holds as well.
fn head(bytes: &[u8]) -> Result<Option<(String, ApiVersion)>, String> {
    let head: Head = serde_json::from_slice(bytes).map_err(|error| format!("the document is not JSON: {error}"))?;
    if head.kind.as_deref() == Some("discovery#directoryList") {
        return Ok(None);
    }
    match (head.name, head.version) {
        (Some(name), Some(version)) if !name.is_empty() => {
            let version = version.parse::<ApiVersion>().map_err(|error| error.to_string())?;
            Ok(Some((name, version)))
        }
        _ => Err("a Discovery document has a \"name\" and a \"version\", and this has not both".to_owned()),
    }
}
