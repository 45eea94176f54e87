//! [`BenchError`]: why a set could not be measured.

use std::io;
use std::path::PathBuf;

use shortlist_index::{BuildError, EmbedError, OpenError, SearchError, StoreError};
use shortlist_ingest::embedding_cache::CacheError;
use shortlist_ingest::error::SourceError;
use shortlist_ingest::sync::SyncError;
use thiserror::Error;

/// Why a set could not be measured. A figure that would mean something else than its name is an error, never a figure.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BenchError {
    /// A file could not be read or written.
    #[error("could not {action} {path}: {error}", path = path.display())]
    Io {
        /// `read` or `write`.
        action: &'static str,
        /// Which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        error: io::Error,
    },
    /// A line of the queries' file is no judged query.
    #[error(
        "{path}, line {line}: {reason}; a line is {{\"id\",\"query\",\"relevant\":{{\"<tool id>\":1}},\"split\"?}}",
        path = path.display()
    )]
    BadQuery {
        /// Which file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// The queries' file has no query.
    #[error("{path} holds no query; give a file of judged queries, one JSON object a line", path = path.display())]
    NoQueries {
        /// Which file.
        path: PathBuf,
    },
    /// A folder of the rivals' harness, or what was made of it, is not what it should be.
    #[error("{path}: {reason}", path = path.display())]
    Workload {
        /// Which file or folder.
        path: PathBuf,
        /// What was expected, and what is there.
        reason: String,
    },
    /// The catalog could not be read to its end.
    #[error("the tools could not be read")]
    Tools(#[from] SourceError),
    /// A record of the catalog is no tool, and the caller did not ask to go on without it.
    #[error(
        "{path}, {record}: {reason}; mend the file, or measure without such tools if their absence is part of the figure",
        path = path.display()
    )]
    BadTool {
        /// Which file.
        path: PathBuf,
        /// The line and, where it has one, the record's id.
        record: String,
        /// Why it is no tool.
        reason: String,
    },
    /// The catalog has no tool.
    #[error("{path} holds no tool; give a catalog, one JSON object a line", path = path.display())]
    NoTools {
        /// Which file.
        path: PathBuf,
    },
    /// There is no folder of sets.
    #[error(
        "{path} is no folder of sets; name one with --sets (each set a folder with tools.jsonl and queries.jsonl), or measure a \
         set of your own with --tools and --queries",
        path = path.display()
    )]
    NoSets {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A folder of sets has no set of a name.
    #[error("{path} has no set {name:?} (a folder with {files}); there are: {known}", path = path.display())]
    NoSet {
        /// The folder of sets.
        path: PathBuf,
        /// What was asked for.
        name: String,
        /// What such a folder holds.
        files: &'static str,
        /// The sets that are there.
        known: String,
    },
    /// A saved run cannot be read.
    #[error("{path} is no saved run: {reason}; write one with --json", path = path.display())]
    Saved {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A saved run was of other data.
    #[error(
        "the saved run measured {set} with other {what}, so its figures say nothing about these; measure both on the same files \
         and queries"
    )]
    OtherDataset {
        /// The set.
        set: String,
        /// What differs.
        what: &'static str,
    },
    /// A saved run has nothing in common with this one.
    #[error(
        "the saved run has no set and setting in common with this one; measure the same with --set, --mode and --rerank"
    )]
    NothingToCompare,
    /// The plain BM25 failed.
    #[error("the plain BM25 could not be measured")]
    Plain(#[source] Box<tantivy::TantivyError>),
    /// A file of floors says something else.
    #[error(
        "{path}: {reason}; a floor is [set] and in it a setting, as in lexical = {{ ndcg_at_10 = 0.9, queries = 150 }}",
        path = path.display()
    )]
    Floors {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A floor for a class that none of the asked queries is of.
    #[error("{floor}: no asked query is of class {class}, so its floor would check nothing; there are: {there}")]
    NoSuchClass {
        /// The set and the setting.
        floor: String,
        /// The class.
        class: String,
        /// The classes of the asked queries.
        there: String,
    },
    /// A mode needs a model that is not there.
    #[error("mode {mode} needs {model}, and none was given; measure mode lexical without reranking, or give the model")]
    NoModel {
        /// The mode.
        mode: String,
        /// What is missing.
        model: &'static str,
    },
    /// The generation is too small for sketches to be asked.
    #[error(
        "generation {generation} has {n_tools} tools, so few that all vectors are compared; measure a larger catalog"
    )]
    NoSketches {
        /// The generation.
        generation: u64,
        /// Its tools.
        n_tools: usize,
    },
    /// A text could not be embedded.
    #[error("a text could not be embedded")]
    Embed(#[from] EmbedError),
    /// The embedding cache could not be written.
    #[error("the embedding cache could not be written")]
    Cache(#[from] CacheError),
    /// The temporary index could not be stored.
    #[error("the temporary index could not be stored")]
    Store(#[from] StoreError),
    /// The temporary index could not be built.
    #[error("the temporary index could not be built")]
    // Boxed, like the next: the index's errors name files and sums, and every result here would carry their size.
    Build(#[source] Box<BuildError>),
    /// The temporary index could not be opened.
    #[error("the temporary index could not be opened")]
    Open(#[source] Box<OpenError>),
    /// The catalog could not be synced.
    #[error("the catalog could not be synced: {0}")]
    Sync(#[source] Box<SyncError>),
    /// A change was synced and a search did not show it.
    #[error("generation {generation} was published, and a search in it does not show the change")]
    NotVisible {
        /// The generation.
        generation: u64,
    },
    /// A made-up catalog or its rules are not such as the index takes.
    #[error("the catalog that is made up to be measured: {0}")]
    MadeUp(String),
    /// The server whose times were to be measured failed.
    #[error("the server whose times are measured failed: {0}")]
    Timing(String),
    /// A grant was resolved to something else than its rules say.
    #[error("{reference} is seen or hidden otherwise than the rules say; nothing was measured")]
    OtherGrant {
        /// The first tool that differs.
        reference: String,
    },
    /// A set has too few queries of a split.
    #[error("{set} has fewer than two queries of the split {split:?}, so none could be asked and another known")]
    NoSplit {
        /// The set.
        set: String,
        /// The split.
        split: String,
    },
    /// A tool that was to be put to a set could not be made.
    #[error("a tool of an attack could not be made: {reason}")]
    Forged {
        /// Why.
        reason: String,
    },
    /// A query was refused or failed.
    #[error("query {query:?} failed")]
    Search {
        /// The query's id.
        query: String,
        /// What the index said.
        #[source]
        error: SearchError,
    },
    /// A stage failed, so the answer is not that of the mode being measured.
    #[error("query {query:?} was answered without its {stage} stage ({reason}), so it would not measure {mode}")]
    Degraded {
        /// The query's id.
        query: String,
        /// The stage that was left out.
        stage: &'static str,
        /// The mode that was to be measured.
        mode: String,
        /// Why it was left out.
        reason: String,
    },
}

impl From<tantivy::TantivyError> for BenchError {
    fn from(error: tantivy::TantivyError) -> Self {
        Self::Plain(Box::new(error))
    }
}

impl From<BuildError> for BenchError {
    fn from(error: BuildError) -> Self {
        Self::Build(Box::new(error))
    }
}

impl From<SyncError> for BenchError {
    fn from(error: SyncError) -> Self {
        Self::Sync(Box::new(error))
    }
}

impl From<OpenError> for BenchError {
    fn from(error: OpenError) -> Self {
        Self::Open(Box::new(error))
    }
}
