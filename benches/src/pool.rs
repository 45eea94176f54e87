//! [`Pool`]: a large catalog of tools that answer none of a set's queries, to hide the set's tools in.
//!
//! A catalog of 200 tools is an easy one. Among 19,000 others the same queries show what the search is worth where many tools
//! sound alike. That is fair only while the others do not answer the queries: a copy of a wanted tool would be counted as wrong.

use std::collections::HashSet;
use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};
use shortlist_index::Tool;

use crate::dataset::{self, BadTools, Dataset, Description};
use crate::error::BenchError;

/// The source of the distractors' refs: another than a set's, so that no two tools share a ref.
const SOURCE: &str = "pool";
/// Up to one in so many of a set's tools may be in the pool too; the copies are then left out. With more, the set comes from
/// that catalog, and the siblings of its tools are there as well.
const SHARED_MAX: usize = 20;

/// A catalog of distractors.
#[derive(Clone, Debug)]
pub struct Pool {
    tools: Vec<Tool>,
    name: String,
    sha256: String,
}

/// What was put to a set's tools.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolDescription {
    /// The catalog's name: its folder.
    pub name: String,
    /// SHA-256 of its file, in hexadecimal.
    pub sha256: String,
    /// Distractors that are searched with the set.
    pub n_tools: usize,
    /// Tools of the catalog that were left out, because the set has the same: by id, or by name and description.
    pub n_left_out: usize,
}

/// Why a set is not pooled: its tools are in the pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overlap {
    /// The set.
    pub set: String,
    /// The pool.
    pub pool: String,
    /// Tools of the set that are in the pool too.
    pub n_shared: usize,
    /// Tools of the set.
    pub n_tools: usize,
}

impl Pool {
    /// Reads a catalog, plain or gzip.
    ///
    /// # Errors
    /// [`BenchError`] for the first record that is no tool, unless such are to be skipped.
    pub fn read(path: &Path, bad: BadTools) -> Result<Self, BenchError> {
        let (tools, _) = dataset::read_tools(SOURCE, path, bad)?;
        Ok(Self { tools, name: dataset::folder_name(path), sha256: dataset::sha256(path)? })
    }

    /// The set among these distractors.
    ///
    /// # Errors
    /// [`Overlap`] where more than a twentieth of the set's tools are in the pool.
    pub fn around(&self, set: &Dataset) -> Result<Dataset, Overlap> {
        let ids = |tools: &[Tool]| tools.iter().map(|tool| tool.provenance.foreign_id.clone()).collect::<HashSet<_>>();
        let texts = |tools: &[Tool]| tools.iter().map(text).collect::<HashSet<_>>();

        let (pool_ids, pool_texts) = (ids(&self.tools), texts(&self.tools));
        let is_shared =
            |tool: &&Tool| pool_ids.contains(&tool.provenance.foreign_id) || pool_texts.contains(&text(tool));
        let n_shared = set.tools.iter().filter(is_shared).count();
        if n_shared * SHARED_MAX > set.tools.len() {
            let (set_name, n_tools) = (set.description.set.clone(), set.tools.len());
            return Err(Overlap { set: set_name, pool: self.name.clone(), n_shared, n_tools });
        }

        let (set_ids, set_texts) = (ids(&set.tools), texts(&set.tools));
        let is_other =
            |tool: &&Tool| !set_ids.contains(&tool.provenance.foreign_id) && !set_texts.contains(&text(tool));
        let mut tools = set.tools.clone();
        tools.extend(self.tools.iter().filter(is_other).cloned());
        let n_added = tools.len() - set.tools.len();
        let pool = PoolDescription {
            name: self.name.clone(),
            sha256: self.sha256.clone(),
            n_tools: n_added,
            n_left_out: self.tools.len() - n_added,
        };
        let description = Description { pool: Some(pool), ..set.description.clone() };
        Ok(Dataset::counted(tools, set.queries.clone(), description))
    }
}

/// What a tool says of itself, whatever its letters' case and its spaces.
fn text(tool: &Tool) -> (String, String) {
    let plain = |text: &str| text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ");
    (plain(&tool.name), plain(&tool.description))
}

impl fmt::Display for Overlap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { set, pool, n_shared, n_tools } = self;
        write!(
            f,
            "{set} is not pooled with {pool}: {n_shared} of its {n_tools} tools are in it, so others there answer its queries too"
        )
    }
}
