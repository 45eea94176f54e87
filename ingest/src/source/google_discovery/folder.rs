//! The folder's documents: listed, hashed and known by name and version, none of them kept in memory.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest, Sha256};
use shortlist_index::{Rejection, hex};

use super::version::ApiVersion;
use crate::error::SourceError;
use crate::normalize::rejection;

/// The largest document; the largest real one (`compute` alpha) has 6 MB.
const DOCUMENT_BYTES_MAX: u64 = 32 * 1024 * 1024;
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
        let mut file_names = Vec::new();
        for entry in fs::read_dir(path).map_err(|error| io_error(path, error))? {
            let name = entry.map_err(|error| io_error(path, error))?.file_name().to_string_lossy().into_owned();
            if name.ends_with(".json") {
                file_names.push(name);
            }
            if file_names.len() > FILES_MAX {
                return Err(SourceError::TooLarge {
                    name: source.to_owned(),
                    what: path.display().to_string(),
                    max: FILES_MAX as u64,
                    unit: "files",
                });
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
        };
        for name in file_names {
            folder.add(name)?;
        }
        Ok(folder)
    }

    fn add(&mut self, file_name: String) -> Result<(), SourceError> {
        self.digest.update((file_name.len() as u64).to_le_bytes());
        self.digest.update(file_name.as_bytes());
        let Some(bytes) = self.read(&file_name)? else {
            // The size is not in the digest: whatever it is, the document is refused.
            self.digest.update([0]);
            let reason = format!("the document has more than the {DOCUMENT_BYTES_MAX} bytes allowed");
            self.refused.push(rejection(&file_name, reason));
            return Ok(());
        };
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

    /// The file's bytes; `None` when there are too many.
    fn read(&self, file_name: &str) -> Result<Option<Vec<u8>>, SourceError> {
        let path = self.path.join(file_name);
        let read = || -> io::Result<Vec<u8>> {
            let mut bytes = Vec::new();
            fs::File::open(&path)?.take(DOCUMENT_BYTES_MAX + 1).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        let bytes = read().map_err(|error| SourceError::Io { name: self.source.clone(), path: path.clone(), error })?;
        Ok((bytes.len() as u64 <= DOCUMENT_BYTES_MAX).then_some(bytes))
    }

    /// The bytes of a document that was listed, which must be the same still: the state speaks of those.
    pub fn read_again(&self, document: &Document) -> Result<Vec<u8>, SourceError> {
        match self.read(&document.file_name)? {
            Some(bytes) if <[u8; 32]>::from(Sha256::digest(&bytes)) == document.sha256 => Ok(bytes),
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
