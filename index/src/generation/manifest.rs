//! [`Manifest`]: what a generation says of itself, in `manifest.json`.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::error::OpenError;
use super::quarantine::Pending;
use crate::embed::ModelFingerprint;

/// The format this code writes and reads. A change of any file's layout or meaning raises it.
pub const FORMAT: u32 = 2;

/// The most rejections of one source that a manifest keeps with their reasons; the count is always complete. It is as many
/// as a large catalog has records, so in practice none is lost; a source that gives more bad records is no catalog.
pub const REJECTIONS_KEPT_MAX: usize = 100_000;

/// What a generation says of itself. It is the last file written, and names the checksum of every other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`FORMAT`] when it was written.
    pub format: u32,
    /// Its number; 1 is the first, and a later one is larger.
    pub number: u64,
    /// The generation that was current when it was built.
    pub parent: Option<u64>,
    /// When it was built, in seconds of Unix time.
    pub created_unix_s: u64,
    /// Tools in it, all versions.
    pub n_tools: usize,
    /// Set when it is a base with a delta over it; `None` when it was built whole.
    pub delta: Option<DeltaCounts>,
    /// The model that made its vectors.
    pub embedder: ModelFingerprint,
    /// Numbers in each vector.
    pub dimension: usize,
    /// The sources, by name.
    pub sources: BTreeMap<String, SourceReport>,
    /// Every other file, by its path inside the generation (with `/`).
    pub files: BTreeMap<String, FileSum>,
}

/// How far a generation has moved from its base.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeltaCounts {
    /// Tools of the base.
    pub n_base: usize,
    /// Of these, those that are gone or said anew.
    pub n_hidden: usize,
    /// Tools of the delta.
    pub n_delta: usize,
}

impl Manifest {
    /// Reads the text of a manifest; `path` says in errors where it is from.
    ///
    /// # Errors
    /// [`OpenError::Format`] when it is of another format, [`OpenError::Manifest`] when it is none.
    pub fn parse(path: &Path, text: &[u8]) -> Result<Self, OpenError> {
        /// Read before the rest, which may have changed with the format.
        #[derive(Deserialize)]
        struct Version {
            format: u32,
            number: u64,
        }
        let malformed =
            |error: serde_json::Error| OpenError::Manifest { path: path.to_owned(), reason: error.to_string() };
        let Version { format, number } = serde_json::from_slice(text).map_err(malformed)?;
        if format != FORMAT {
            return Err(OpenError::Format { number, expected: FORMAT, got: format });
        }
        serde_json::from_slice(text).map_err(malformed)
    }
}

/// One source as it stands in a generation. Complete: `n_searchable` = `n_ingested` - `n_rejected` - `n_pending`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceReport {
    /// The kind of source, such as `jsonl`.
    pub source_type: String,
    /// Records that the source gave.
    pub n_ingested: u64,
    /// Of these, those that became no tool.
    pub n_rejected: u64,
    /// Of these, those that are not searchable until an operator approves their text.
    pub n_pending: u64,
    /// Of these, those that are tools of this generation.
    pub n_searchable: u64,
    /// Of the searchable, those that say they are deprecated (found only on request).
    pub n_deprecated: u64,
    /// The first [`REJECTIONS_KEPT_MAX`] rejections.
    pub rejections: Vec<Rejection>,
    /// Of the searchable, those that serve at their approved text while another one is not approved.
    pub n_kept: u64,
    /// The texts that wait for an operator.
    pub pending: Vec<Pending>,
    /// Of the searchable, those whose prose lost characters that cannot be seen (control and bidirectional ones).
    pub n_touched: u64,
    /// How many such characters were taken out.
    pub n_stripped: u64,
    /// The source's own bookmarks, such as ETags, for its next pass.
    pub state: BTreeMap<String, String>,
    /// When its records were last read completely, in seconds of Unix time.
    pub read_unix_s: u64,
    /// Why its records are older than the generation: the error of the last pass.
    pub stale: Option<String>,
}

/// A record that became no tool, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rejection {
    /// The record's identity in its source, or its position.
    pub record: String,
    /// A sentence for the operator.
    pub reason: String,
}

/// Size and checksum of one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileSum {
    /// Its length.
    pub bytes: u64,
    /// SHA-256, in lower-case hexadecimal.
    pub sha256: String,
}
