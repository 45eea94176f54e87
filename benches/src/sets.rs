//! [`Sets`]: a folder of sets, each a folder with `tools.jsonl` (or `tools.jsonl.gz`) and `queries.jsonl`.

use std::fs;
use std::path::{Path, PathBuf};

use crate::dataset::{BadTools, Dataset};
use crate::error::BenchError;
use crate::pool::Pool;

/// The catalog of distractors among them.
pub const POOL: &str = "catalog_agent_tools";

const QUERIES_FILE: &str = "queries.jsonl";
const TOOLS_FILES: [&str; 2] = ["tools.jsonl", "tools.jsonl.gz"];

/// A folder of sets.
#[derive(Clone, Debug)]
pub struct Sets {
    folder: PathBuf,
}

impl Sets {
    /// The sets in a folder.
    ///
    /// # Errors
    /// [`BenchError::NoSets`] where it is no folder, or none of its folders is a set.
    pub fn open(folder: &Path) -> Result<Self, BenchError> {
        let sets = Self { folder: folder.to_owned() };
        if sets.names().is_empty() { Err(BenchError::NoSets { path: sets.folder }) } else { Ok(sets) }
    }

    /// The names of all sets, in alphabetical order. Catalogs without queries are none.
    pub fn names(&self) -> Vec<String> {
        let folders = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let names = folders.filter_map(|folder| folder.file_name().into_string().ok());
        let mut names: Vec<String> = names.filter(|name| self.files(name).is_some()).collect();
        names.sort();
        names
    }

    /// One set, as [`Dataset::read`] reads it.
    ///
    /// # Errors
    /// [`BenchError::NoSet`] where there is none of that name, else as [`Dataset::read`].
    pub fn read(&self, name: &str, limit: Option<usize>, bad: BadTools) -> Result<Dataset, BenchError> {
        let (tools, queries) = self.files(name).ok_or_else(|| self.absent(name, "tools.jsonl and queries.jsonl"))?;
        Dataset::read(&tools, &queries, limit, bad)
    }

    /// The catalog of distractors.
    ///
    /// # Errors
    /// [`BenchError::NoSet`] where there is none, else as [`Pool::read`].
    pub fn pool(&self, bad: BadTools) -> Result<Pool, BenchError> {
        let tools = self.tools(POOL).ok_or_else(|| self.absent(POOL, "tools.jsonl.gz"))?;
        Pool::read(&tools, bad)
    }

    fn files(&self, name: &str) -> Option<(PathBuf, PathBuf)> {
        let queries = self.folder.join(name).join(QUERIES_FILE);
        Some((self.tools(name)?, queries.is_file().then_some(queries)?))
    }

    fn tools(&self, name: &str) -> Option<PathBuf> {
        TOOLS_FILES.iter().map(|file| self.folder.join(name).join(file)).find(|path| path.is_file())
    }

    fn absent(&self, name: &str, files: &'static str) -> BenchError {
        BenchError::NoSet { path: self.folder.clone(), name: name.to_owned(), files, known: self.names().join(", ") }
    }
}
