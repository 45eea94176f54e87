//! [`SyncError`]: why a pass published nothing.

use std::collections::BTreeMap;

use shortlist_index::{BuildError, EmbedError, StoreError};
use thiserror::Error;

use super::reading::Reading;
use crate::embedding_cache::CacheError;

/// Why a pass published nothing. What served before still does.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SyncError {
    /// There is nothing to read.
    #[error("no source was named, so there is nothing to read; name one at least")]
    NoSource,
    /// Two sources would make the same refs.
    #[error("two sources are named {0:?}; a source's name is the first part of its tools' refs, so give each its own")]
    SourceTwice(String),
    /// No source could be read, and there is no earlier generation to keep.
    #[error("no source could be read and nothing was read before, so there is nothing to publish: {}", .0.join("; "))]
    NothingRead(Vec<String>),
    /// The folder of generations cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The model failed.
    #[error("the tools could not be embedded: {0}")]
    Embed(#[from] EmbedError),
    /// The model gave another number of vectors than it got texts.
    #[error("model {model} gave {got} vectors for {expected} texts; its embedder is broken")]
    EmbedCount {
        /// The model's fingerprint.
        model: String,
        /// Texts given.
        expected: usize,
        /// Vectors returned.
        got: usize,
    },
    /// Finished vectors could not be kept.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// The generation could not be built or published.
    #[error(transparent)]
    Build(Box<BuildError>),
}

impl From<BuildError> for SyncError {
    // Boxed, for it is many times the size of the others.
    fn from(error: BuildError) -> Self {
        Self::Build(Box::new(error))
    }
}

impl SyncError {
    pub(super) fn nothing_read(readings: &BTreeMap<String, Reading>) -> Self {
        Self::NothingRead(readings.values().filter_map(|reading| reading.report.stale.clone()).collect())
    }
}
