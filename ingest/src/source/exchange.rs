//! [`CatalogFile`]: what the sources that read this project's exchange format from a file have in common, whatever kind of
//! file that is.
//!
//! A record holds `id`, `namespace`, `name`, `description`, and where known `title`, `input_schema`, `output_schema`, `tags`,
//! `version`, `annotations` (`read_only`, `destructive`, `idempotent`, `open_world`), `execution` (`mode`, `auth_type`,
//! `requires_obo`), `required_scopes` (alternatives of scopes that are all needed: `[["a","b"],["c"]]`) and `deprecation`
//! (a note, or `true`).
//!
//! The identity is the `id`, without the namespace where it begins with that and a colon: names are not unique in real
//! sets.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use sha2::{Digest, Sha256};
use shortlist_index::hex;

use super::{Fetched, Record, SourceState};
use crate::error::SourceError;
use crate::normalize::{normalize, rejection};

mod line;

pub(super) use line::Line;

/// The most records of a file: five times the largest catalog this engine is made for.
pub(super) const RECORDS_MAX: u64 = 1_000_000;
/// The most bytes of one record; a tool's two schemas have at most a quarter of a megabyte each.
pub(super) const RECORD_BYTES_MAX: usize = 2 * 1024 * 1024;
/// The most bytes a file may have when it is unpacked: a packed one of a few megabytes can hold a disk full of zeros. The
/// largest real catalog (115,824 tools) has 200 MB.
pub(super) const UNPACKED_BYTES_MAX: u64 = 4 * 1024 * 1024 * 1024;

/// Grows when the same record would give another tool, so that a pass after an upgrade does not answer "unchanged".
const MAPPING: &str = "1";

/// A file of records, as the source that reads it.
#[derive(Clone, Debug)]
pub(super) struct CatalogFile {
    pub(super) name: String,
    pub(super) path: PathBuf,
    /// The kind of source.
    pub(super) source_type: &'static str,
    /// What holds a record, such as `line`.
    pub(super) unit: &'static str,
}

/// The identities given so far.
pub(super) type Seen = HashSet<String>;

impl CatalogFile {
    pub(super) fn io_error(&self, error: io::Error) -> SourceError {
        SourceError::Io { name: self.name.clone(), path: self.path.clone(), error }
    }

    pub(super) fn too_large(&self, max: u64, unit: &'static str) -> SourceError {
        SourceError::TooLarge { name: self.name.clone(), what: self.path.display().to_string(), max, unit }
    }

    /// The file, which is one: a pipe would be waited for, and a device has no end.
    pub(super) fn open(&self) -> Result<File, SourceError> {
        let file = crate::files::open(&self.path).map_err(|error| self.io_error(error))?;
        let n_bytes = file.metadata().map_err(|error| self.io_error(error))?.len();
        if n_bytes > UNPACKED_BYTES_MAX { Err(self.too_large(UNPACKED_BYTES_MAX, "bytes")) } else { Ok(file) }
    }

    /// Size and SHA-256 of the file as it lies on the disk.
    pub(super) fn stamp(&self) -> Result<SourceState, SourceError> {
        let mut hasher = HashWriter(Sha256::new());
        // A file that grows for ever is found changed; here it only has to end.
        let mut file = self.open()?.take(UNPACKED_BYTES_MAX);
        let size = io::copy(&mut file, &mut hasher).map_err(|error| self.io_error(error))?;
        Ok(SourceState::from([
            ("mapping".to_owned(), MAPPING.to_owned()),
            ("bytes".to_owned(), size.to_string()),
            ("sha256".to_owned(), hex(&hasher.0.finalize())),
        ]))
    }

    /// The tool of the record at `position` (from 1), or why there is none.
    pub(super) fn record(&self, position: u64, line: Result<Line, String>, seen: &mut Seen) -> Record {
        let position = format!("{} {position}", self.unit);
        let line = line.map_err(|reason| rejection(&position, format!("the {} {reason}", self.unit)))?;
        let tool = normalize(line.into_draft(), &self.name, self.source_type).map_err(|rejected| {
            // The id alone does not lead to the record, and may be what is wrong with it.
            rejection(&format!("{position}: {}", rejected.record), rejected.reason)
        })?;
        if seen.insert(tool.reference.to_string()) {
            Ok(tool)
        } else {
            let reason = format!("an earlier {} has the same identity {}", self.unit, tool.reference);
            Err(rejection(&format!("{position}: {}", tool.provenance.foreign_id), reason))
        }
    }

    /// The end of a pass. The state speaks of the bytes that were hashed, so those must be the ones that were read.
    pub(super) fn complete(&self, before: SourceState) -> Result<Fetched, SourceError> {
        match self.stamp() {
            Ok(after) if after == before => Ok(Fetched::Complete(before)),
            _ => Err(SourceError::Changed { name: self.name.clone(), what: self.path.display().to_string() }),
        }
    }
}

struct HashWriter(Sha256);

impl io::Write for HashWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
