//! [`Dataset`]: a catalog of tools with judged queries, as it lies on the disk.

use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use shortlist_index::{Rejection, Tool, hex};
use shortlist_ingest::source::{Source, jsonl::Jsonl};

use crate::error::BenchError;
use crate::pool::PoolDescription;
use crate::queries::{self, JudgedQuery};

/// The source that a set's tools are read as; it stands in their refs and nowhere else.
const SOURCE: &str = "bench";
/// Which of a set's queries a sample takes is drawn once and for all.
const SAMPLE_SEED: u64 = 6;
/// How many rejections are kept with their reasons; the count is always complete.
const REJECTIONS_KEPT_MAX: usize = 20;

/// What to do with a record of the catalog that is no tool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BadTools {
    /// Stop with the file and the line: a smaller catalog is an easier one.
    #[default]
    Refuse,
    /// Go on without it and report the count: a query that wants it is then a miss.
    Skip,
}

/// A catalog with judged queries.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// The tools, in the file's order; their provenance keeps the id that queries name them by.
    pub tools: Vec<Tool>,
    /// The queries, in the file's order.
    pub queries: Vec<JudgedQuery>,
    /// What the set consists of.
    pub description: Description,
}

/// What a set consists of. A figure without it says nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// The set's name: the folder that its tools lie in.
    pub set: String,
    /// The file of tools, without its folder.
    pub tools_file: String,
    /// SHA-256 of that file, in hexadecimal.
    pub tools_sha256: String,
    /// The file of queries, without its folder.
    pub queries_file: String,
    /// SHA-256 of that file, in hexadecimal.
    pub queries_sha256: String,
    /// The catalog of distractors that was put to the tools; `None` where the set is searched alone.
    pub pool: Option<PoolDescription>,
    /// Tools that are searched, distractors included.
    pub n_tools: usize,
    /// Records that are no tools and were left out.
    pub n_rejected: usize,
    /// The first of them, as `record: reason`.
    pub rejections: Vec<String>,
    /// Queries that are asked.
    pub n_queries: usize,
    /// Judgements "relevant" over these queries.
    pub n_relevant: usize,
    /// Of these, those that name a tool that is not in the catalog. They can only be missed, and count so.
    pub n_relevant_absent: usize,
}

impl Dataset {
    /// Reads `tools` (plain or gzip) and the first `limit` of `queries`, or all of them.
    ///
    /// # Errors
    /// [`BenchError`] with file and line for the first line that is not what it should be.
    pub fn read(tools: &Path, queries: &Path, limit: Option<usize>, bad: BadTools) -> Result<Self, BenchError> {
        // Queries first: they are the smaller file, and a wrong path shows at once.
        let queries_read = queries::read(queries, limit)?;
        let (tools_read, rejected) = read_tools(SOURCE, tools, bad)?;
        let description = Description {
            set: folder_name(tools),
            tools_file: file_name(tools),
            tools_sha256: sha256(tools)?,
            queries_file: file_name(queries),
            queries_sha256: sha256(queries)?,
            pool: None,
            n_tools: 0,
            n_rejected: rejected.len(),
            rejections: rejected
                .iter()
                .take(REJECTIONS_KEPT_MAX)
                .map(|rejection| format!("{}: {}", rejection.record, rejection.reason))
                .collect(),
            n_queries: 0,
            n_relevant: 0,
            n_relevant_absent: 0,
        };
        Ok(Self::counted(tools_read, queries_read, description))
    }

    /// The set with as many of its queries, spread evenly over the file; whole where it has no more. The same each time.
    pub fn sample(&self, n_queries: usize) -> Self {
        let n = self.queries.len();
        if n_queries >= n {
            return self.clone();
        }
        let offset = fastrand::Rng::with_seed(SAMPLE_SEED).f64();
        let place = |nth: usize| ((nth as f64 + offset) * n as f64 / n_queries as f64) as usize;
        let queries = (0..n_queries).filter_map(|nth| self.queries.get(place(nth)).cloned()).collect();
        Self::counted(self.tools.clone(), queries, self.description.clone())
    }

    /// A set of these tools and queries: the description, with what can be counted counted.
    pub(crate) fn counted(tools: Vec<Tool>, queries: Vec<JudgedQuery>, description: Description) -> Self {
        let ids: HashSet<&str> = tools.iter().map(|tool| tool.provenance.foreign_id.as_str()).collect();
        let relevant = || {
            let judged = queries.iter().flat_map(|query| &query.relevant);
            judged.filter(|(_, grade)| **grade > 0).map(|(id, _)| id.as_str())
        };
        let description = Description {
            n_tools: tools.len(),
            n_queries: queries.len(),
            n_relevant: relevant().count(),
            n_relevant_absent: relevant().filter(|id| !ids.contains(id)).count(),
            ..description
        };
        Self { tools, queries, description }
    }
}

impl Description {
    /// The set's name, with a mark where it is pooled: what tables call it.
    pub fn label(&self) -> String {
        format!("{}{}", self.set, if self.pool.is_some() { "+pool" } else { "" })
    }
}

/// The tools of a file as those of a source, and the records that are none.
pub(crate) fn read_tools(source: &str, path: &Path, bad: BadTools) -> Result<(Vec<Tool>, Vec<Rejection>), BenchError> {
    let (mut tools, mut rejected) = (Vec::new(), Vec::new());
    Jsonl::new(source, path).fetch(None, &mut |record| match record {
        Ok(normalized) => tools.push(normalized.tool),
        Err(rejection) => rejected.push(rejection),
    })?;
    match rejected.first() {
        Some(Rejection { record, reason }) if bad == BadTools::Refuse => {
            Err(BenchError::BadTool { path: path.to_owned(), record: record.clone(), reason: reason.clone() })
        }
        _ if tools.is_empty() => Err(BenchError::NoTools { path: path.to_owned() }),
        _ => Ok((tools, rejected)),
    }
}

/// The name of the folder that a file lies in.
pub(crate) fn folder_name(path: &Path) -> String {
    let folder = std::path::absolute(path).ok().and_then(|path| Some(path.parent()?.file_name()?.to_owned()));
    folder.map_or_else(|| file_name(path), |name| name.to_string_lossy().into_owned())
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// The SHA-256 of a file, in hexadecimal.
pub(crate) fn sha256(path: &Path) -> Result<String, BenchError> {
    let io_error = |error| BenchError::Io { action: "read", path: path.to_owned(), error };
    let mut hasher = Sha256::new();
    io::copy(&mut File::open(path).map_err(io_error)?, &mut HashWriter(&mut hasher)).map_err(io_error)?;
    Ok(hex(&hasher.finalize()))
}

struct HashWriter<'a>(&'a mut Sha256);

impl io::Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
