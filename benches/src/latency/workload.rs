//! [`Workload`]: what is indexed, who asks, and what they ask.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use shortlist_index::{Embedding, Tool};

use super::folder;
use crate::dataset::Dataset;
use crate::error::BenchError;

/// What is to be indexed, and what is asked of it by whom.
pub struct Workload {
    pub(super) source: Source,
    /// The namespace of each document, by number.
    pub(super) namespace_of: Vec<u32>,
    /// Whoever asks.
    pub(crate) users: Vec<User>,
    /// In the order in which they are asked.
    pub(crate) queries: Vec<Query>,
}

/// Where the documents are.
pub(super) enum Source {
    /// In a folder of the rivals' harness, with a vector for each.
    Folder { path: PathBuf, meta: folder::Meta },
    /// At hand, without vectors.
    Tools { tools: Vec<Tool>, sha256: String },
}

/// Somebody who asks.
pub(crate) struct User {
    pub(crate) name: String,
    /// The namespaces that they may see, by number.
    pub(super) ns: HashSet<u32>,
    /// And by name, as patterns.
    pub(crate) namespaces: Vec<String>,
    /// Documents in these.
    pub(super) n_docs: usize,
}

/// A question.
pub(crate) struct Query {
    /// The share of all documents that its user may see, roughly.
    pub(crate) share: f64,
    /// The place of its user among the workload's.
    pub(crate) user: usize,
    pub(crate) text: String,
    /// Its vector, where one is given.
    pub(super) vector: Option<Embedding>,
    /// The documents that it was made of, or that answer it.
    pub(super) targets: Vec<usize>,
    /// Whether the user may see these.
    pub(super) aligned: bool,
    /// By its given vector, the nearest of all that the user may see: at most twenty.
    pub(super) nearest: Vec<usize>,
}

impl Workload {
    /// Reads a folder that the rivals' `gen.py` wrote, but for texts and vectors of the documents, which building reads.
    ///
    /// # Errors
    /// [`BenchError`] when a file cannot be read, is not what `gen.py` writes, or disagrees with another.
    pub fn open(folder: &Path) -> Result<Self, BenchError> {
        folder::open(folder)
    }

    /// A catalog of one's own, all of it visible. It has no vectors, so a model has to make them.
    pub fn of(dataset: &Dataset) -> Self {
        let tools = dataset.tools.clone();
        let place = |id: &String| tools.iter().position(|tool| tool.provenance.foreign_id == *id);
        let queries = dataset.queries.iter().map(|query| Query {
            share: 1.0,
            user: 0,
            text: query.query.clone(),
            vector: None,
            targets: query.relevant.iter().filter(|(_, grade)| **grade > 0).filter_map(|(id, _)| place(id)).collect(),
            aligned: true,
            nearest: Vec::new(),
        });
        let everyone = User {
            name: "everyone".to_owned(),
            ns: HashSet::from([0]),
            namespaces: vec!["*".to_owned()],
            n_docs: tools.len(),
        };
        Self {
            namespace_of: vec![0; tools.len()],
            users: vec![everyone],
            queries: queries.collect(),
            source: Source::Tools { tools: tools.clone(), sha256: dataset.description.tools_sha256.clone() },
        }
    }

    /// Documents.
    pub fn n_docs(&self) -> usize {
        self.namespace_of.len()
    }

    /// Names the documents by the sums of their files.
    pub(super) fn name(&self) -> String {
        match &self.source {
            Source::Folder { meta, .. } => meta.name(),
            Source::Tools { sha256, .. } => sha256.clone(),
        }
    }

    /// Numbers in a given vector; `None` where none is given.
    pub(super) fn dimension(&self) -> Option<usize> {
        match &self.source {
            Source::Folder { meta, .. } => Some(meta.dim),
            Source::Tools { .. } => None,
        }
    }

    /// Every document in order, each with its vector where `given` and there is one. Its number is the id that the source knows
    /// it by.
    ///
    /// # Errors
    /// [`BenchError`] when the files are not those that the folder says, or a document is no tool.
    pub(super) fn documents(&self, given: bool) -> Result<Vec<(Tool, Option<Embedding>)>, BenchError> {
        match &self.source {
            Source::Folder { path, meta } => folder::documents(path, meta, given),
            Source::Tools { tools, .. } => {
                let mut numbered = tools.clone();
                for (number, tool) in numbered.iter_mut().enumerate() {
                    tool.provenance.foreign_id = number.to_string();
                }
                Ok(numbered.into_iter().map(|tool| (tool, None)).collect())
            }
        }
    }

    /// The shares of the documents that users may see, the largest first.
    pub(crate) fn shares(&self) -> Vec<f64> {
        let mut shares: Vec<f64> = self.queries.iter().map(|query| query.share).collect();
        shares.sort_by(|a, b| b.total_cmp(a));
        shares.dedup();
        shares
    }

    /// What is wrong with it.
    pub(crate) fn bad(&self, reason: String) -> BenchError {
        let path = match &self.source {
            Source::Folder { path, .. } => path.clone(),
            Source::Tools { .. } => PathBuf::from("the catalog"),
        };
        BenchError::Workload { path, reason }
    }
}
