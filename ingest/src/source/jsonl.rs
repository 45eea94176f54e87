//! A file of one JSON object a line, plain or gzip: the exchange format of this project's data sets.
//!
//! A line holds `id`, `namespace`, `name`, `description`, and where known `title`, `input_schema`, `output_schema`, `tags`,
//! `version`, `annotations` (`read_only`, `destructive`, `idempotent`, `open_world`), `execution` (`mode`, `auth_type`,
//! `requires_obo`), `required_scopes` (alternatives of scopes that are all needed: `[["a","b"],["c"]]`) and `deprecation`
//! (a note, or `true`). Other keys are ignored.
//!
//! The identity is the `id`, without the namespace where it begins with that and a colon: names are not unique in real
//! sets. A line that cannot be taken is rejected with its number, and the rest goes on; a file that ends in the middle of
//! its gzip stream ends the pass, for half a catalog would look like a catalog with tools removed.

use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::path::PathBuf;

use sha2::{Digest, Sha256};
use shortlist_index::hex;

use super::{Fetched, Record, Source, SourceState};
use crate::error::SourceError;
use crate::normalize::{normalize, rejection};

mod line;
mod lines;

use line::Line;
use lines::{LINE_BYTES_MAX, Lines, Next};

/// The kind's name in configuration and provenance.
pub const SOURCE_TYPE: &str = "jsonl";

/// The most lines of a file: five times the largest catalog this engine is made for.
pub const LINES_MAX: u64 = 1_000_000;

/// Grows when the same line would give another tool, so that a pass after an upgrade does not answer "unchanged".
const MAPPING: &str = "1";

/// A JSONL file.
#[derive(Clone, Debug)]
pub struct Jsonl {
    name: String,
    path: PathBuf,
}

impl Jsonl {
    /// The file `path` as the source `name`. Whether it is compressed is seen from its first bytes, not from its name.
    pub fn new(name: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        Self { name: name.into(), path: path.into() }
    }

    fn io_error(&self, error: io::Error) -> SourceError {
        SourceError::Io { name: self.name.clone(), path: self.path.clone(), error }
    }

    fn too_large(&self, max: u64, unit: &'static str) -> SourceError {
        SourceError::TooLarge { name: self.name.clone(), what: self.path.display().to_string(), max, unit }
    }

    /// Size and SHA-256 of the file as it lies on the disk.
    fn stamp(&self) -> io::Result<SourceState> {
        let mut hasher = HashWriter(Sha256::new());
        let size = io::copy(&mut File::open(&self.path)?, &mut hasher)?;
        Ok(SourceState::from([
            ("mapping".to_owned(), MAPPING.to_owned()),
            ("bytes".to_owned(), size.to_string()),
            ("sha256".to_owned(), hex(&hasher.0.finalize())),
        ]))
    }

    fn record(&self, position: &str, text: &[u8], seen: &mut HashSet<String>) -> Record {
        let line = Line::parse(text).map_err(|reason| rejection(position, reason))?;
        let tool = normalize(line.into_draft(), &self.name, SOURCE_TYPE).map_err(|rejected| {
            // The id alone does not lead to the line, and may be what is wrong with it.
            rejection(&format!("{position}: {}", rejected.record), rejected.reason)
        })?;
        if seen.insert(tool.reference.to_string()) {
            Ok(tool)
        } else {
            let reason = format!("an earlier line has the same identity {}", tool.reference);
            Err(rejection(&format!("{position}: {}", tool.provenance.foreign_id), reason))
        }
    }
}

impl Source for Jsonl {
    fn name(&self) -> &str {
        &self.name
    }

    fn source_type(&self) -> &'static str {
        SOURCE_TYPE
    }

    fn fetch(&self, since: Option<&SourceState>, sink: &mut dyn FnMut(Record)) -> Result<Fetched, SourceError> {
        let state = self.stamp().map_err(|error| self.io_error(error))?;
        if since == Some(&state) {
            return Ok(Fetched::Unchanged);
        }
        let file = File::open(&self.path).map_err(|error| self.io_error(error))?;
        let mut lines = Lines::new(file).map_err(|error| self.io_error(error))?;
        let mut seen = HashSet::new();
        loop {
            let position = format!("line {}", lines.number() + 1);
            match lines.next().map_err(|error| self.io_error(error))? {
                Next::End => break,
                Next::Line(text) if text.trim_ascii().is_empty() => {}
                Next::Line(text) => sink(self.record(&position, text, &mut seen)),
                Next::TooLong => {
                    sink(Err(rejection(
                        &position,
                        format!("the line has more than the {LINE_BYTES_MAX} bytes allowed"),
                    )));
                }
                Next::TooMuch { max } => return Err(self.too_large(max, "bytes when unpacked")),
            }
            if lines.number() > LINES_MAX {
                return Err(self.too_large(LINES_MAX, "lines"));
            }
        }
        // The state speaks of the bytes that were hashed, so those must be the ones that were read.
        match self.stamp() {
            Ok(after) if after == state => Ok(Fetched::Complete(state)),
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
