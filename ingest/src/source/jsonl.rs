//! A file of one JSON object a line, plain or gzip: the exchange format of this project's data sets
//! (`exchange` says what a line holds). Other keys are ignored.
//!
//! A line that cannot be taken is rejected with its number, and the rest goes on; a file that ends in the middle of its
//! gzip stream ends the pass, for half a catalog would look like a catalog with tools removed.

use std::path::PathBuf;

use super::exchange::{CatalogFile, Line, RECORD_BYTES_MAX, RECORDS_MAX, Seen};
use super::{Fetched, Record, Source, SourceState};
use crate::error::SourceError;

mod lines;

use lines::{Lines, Next};

/// The kind's name in configuration and provenance.
pub const SOURCE_TYPE: &str = "jsonl";

/// A JSONL file.
#[derive(Clone, Debug)]
pub struct Jsonl(CatalogFile);

impl Jsonl {
    /// The file `path` as the source `name`. Whether it is compressed is seen from its first bytes, not from its name.
    pub fn new(name: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        Self(CatalogFile { name: name.into(), path: path.into(), source_type: SOURCE_TYPE, unit: "line" })
    }
}

impl Source for Jsonl {
    fn name(&self) -> &str {
        &self.0.name
    }

    fn source_type(&self) -> &'static str {
        SOURCE_TYPE
    }

    fn fetch(&self, since: Option<&SourceState>, sink: &mut dyn FnMut(Record)) -> Result<Fetched, SourceError> {
        let Self(catalog) = self;
        let state = catalog.stamp()?;
        if since == Some(&state) {
            return Ok(Fetched::Unchanged);
        }
        let mut lines = Lines::new(catalog.open()?).map_err(|error| catalog.io_error(error))?;
        let mut seen = Seen::new();
        loop {
            let position = lines.number() + 1;
            match lines.next().map_err(|error| catalog.io_error(error))? {
                Next::End => break,
                Next::Line(text) if text.trim_ascii().is_empty() => {}
                Next::Line(text) => sink(catalog.record(position, Line::parse(text), &mut seen)),
                Next::TooLong => {
                    let reason = format!("has more than the {RECORD_BYTES_MAX} bytes allowed");
                    sink(catalog.record(position, Err(reason), &mut seen));
                }
                Next::TooMuch { max } => return Err(catalog.too_large(max, "bytes when unpacked")),
            }
            if lines.number() > RECORDS_MAX {
                return Err(catalog.too_large(RECORDS_MAX, "lines"));
            }
        }
        catalog.complete(state)
    }
}
