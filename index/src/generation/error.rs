//! What can go wrong with a generation: building it, opening it, finding it.

use std::path::PathBuf;

use arrow::error::ArrowError;
use thiserror::Error;

use crate::places::ROWS_MAX;
use crate::tool_ref::ToolRef;

/// Why a generation was not built. Nothing was published, and what was current still is.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BuildError {
    /// Two tools have the same ref.
    #[error("two tools have the ref {0}; a source must give each tool one")]
    Duplicate(Box<ToolRef>),
    /// More tools than a layer has rows.
    #[error("{0} tools are more than one generation holds ({ROWS_MAX})")]
    TooMany(usize),
    /// A vector has another length than the generation's.
    #[error("the vector of {tool} has {got} dimensions, expected {expected}; was it made by another model?")]
    Dimension {
        /// Whose vector.
        tool: Box<ToolRef>,
        /// The generation's dimension.
        expected: usize,
        /// The vector's.
        got: usize,
    },
    /// A file could not be written.
    #[error("cannot write {path}: {source}; is the disk full, or the folder read-only?")]
    Io {
        /// Which file or folder.
        path: PathBuf,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// An Arrow file could not be written.
    #[error("cannot write {path}: {source}")]
    Arrow {
        /// Which file.
        path: PathBuf,
        /// Arrow's error.
        source: ArrowError,
    },
    /// The posting lists could not be written.
    #[error("cannot write the lexical index: {0}")]
    Lexical(#[from] tantivy::TantivyError),
    /// The graph could not be written.
    #[error("cannot write the vector graph: {0}")]
    Graph(String),
    /// What was written does not open.
    #[error("the new generation does not open, so it was not published: {0}")]
    Verify(#[from] OpenError),
    /// The store is not in order.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a generation was refused.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// A file could not be read.
    #[error("cannot read {path}: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// `manifest.json` is no manifest.
    #[error("{path} is not a manifest: {reason}")]
    Manifest {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// It was written by another version of this program.
    #[error(
        "generation {number} has format {got}, and this program reads format {expected}; run `shortlist sync` to build a new one"
    )]
    Format {
        /// Which generation.
        number: u64,
        /// What this program reads.
        expected: u32,
        /// What it has.
        got: u32,
    },
    /// A file is not what it was when it was published.
    #[error("{path} is damaged: expected {expected}, found {got}; roll back, or run `shortlist sync`")]
    Checksum {
        /// Which file.
        path: PathBuf,
        /// Size and SHA-256 by the manifest.
        expected: String,
        /// Size and SHA-256 of the file.
        got: String,
    },
    /// An Arrow file does not hold what it should.
    #[error("cannot open {path}: {source}")]
    Arrow {
        /// Which file.
        path: PathBuf,
        /// Arrow's error.
        source: ArrowError,
    },
    /// The posting lists do not open.
    #[error("cannot open the lexical index: {0}")]
    Lexical(#[from] tantivy::TantivyError),
    /// The graph does not open.
    #[error("cannot open the vector graph: {0}")]
    Graph(String),
    /// It is not the generation that its folder is named after.
    #[error("the folder of generation {expected} holds generation {got}; a generation is not to be renamed or copied")]
    Number {
        /// The folder's number.
        expected: u64,
        /// The manifest's.
        got: u64,
    },
    /// The manifest leaves out a file that must be verified.
    #[error("the manifest of generation {number} does not name {part}")]
    Unnamed {
        /// Which generation.
        number: u64,
        /// Which file or folder.
        part: &'static str,
    },
    /// The parts disagree about how many tools there are.
    #[error("generation {number} is inconsistent: {part} has {got} tools, expected {expected}")]
    Count {
        /// Which generation.
        number: u64,
        /// Which part.
        part: &'static str,
        /// The manifest's count of all tools, or of a layer's part the count of the layer's table.
        expected: usize,
        /// The part's.
        got: usize,
    },
}

/// Why the folder of generations cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A file or folder could not be used.
    #[error("cannot {action} {path}: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// Another process is writing.
    #[error("another process is writing to {0}; wait until it has finished")]
    Busy(PathBuf),
    /// `CURRENT` holds no number.
    #[error(
        "{path} should hold the number of a generation and holds {got:?}; `shortlist generations roll-back N` writes one of `shortlist generations list` into it"
    )]
    Current {
        /// Which file.
        path: PathBuf,
        /// Its content, cut to 80 characters.
        got: String,
    },
    /// `ABOVE` holds no number.
    #[error(
        "{path} should hold the highest number that was given out elsewhere and holds {got:?}; `shortlist sync --publish-to URL` asks there and writes it anew; remove it where nothing is published"
    )]
    Above {
        /// Which file.
        path: PathBuf,
        /// Its content, cut to 80 characters.
        got: String,
    },
    /// Every number up to the largest was given out.
    #[error("no generation of {0} can follow number {max}, the largest there is; use another home (--home)", max = u64::MAX)]
    NoNumberLeft(PathBuf),
    /// There is no such generation.
    #[error("there is no generation {0}; `shortlist generations list` shows those there are")]
    Missing(u64),
    /// `sources.json` is not one of this program's.
    #[error("{path} cannot be used: {reason}; it is begun anew when it is written next", path = path.display())]
    Statuses {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// `quarantine.json` cannot be read, or is not one of this program's. It is never begun anew by itself, for what it held
    /// would be forgotten.
    #[error(
        "{path} cannot be used: {reason}; mend it, or remove it: then nothing is approved but what serves, and what was rejected waits again",
        path = path.display()
    )]
    Decisions {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// There is nothing to open.
    #[error("{0} holds no generation yet; run `shortlist sync` first, or name the home that has one with --home")]
    Empty(PathBuf),
    /// There are generations, and none of them opens.
    #[error(
        "no generation in {home} opens; the newest: {newest}; run `shortlist sync` to build a new one{}",
        rolled_back_from(newer)
    )]
    NoneOpens {
        /// The store.
        home: PathBuf,
        /// Why the newest does not.
        newest: Box<OpenError>,
        /// Newer ones than `CURRENT` names, which were not tried.
        newer: Vec<u64>,
    },
    /// The generation that serves is gone, and so are all before it.
    #[error(
        "{home} has no generation {current}, which CURRENT names, and none before it; run `shortlist sync` to build a new one{}",
        rolled_back_from(newer)
    )]
    Gone {
        /// The store.
        home: PathBuf,
        /// What `CURRENT` names.
        current: u64,
        /// Newer ones, which were not tried.
        newer: Vec<u64>,
    },
}

/// What else an operator may do where there are generations that were rolled back from.
fn rolled_back_from(newer: &[u64]) -> String {
    let numbers: Vec<String> = newer.iter().map(u64::to_string).collect();
    match numbers.is_empty() {
        true => String::new(),
        false => {
            format!(", or serve a newer one again with `shortlist generations roll-back` ({})", numbers.join(", "))
        }
    }
}
