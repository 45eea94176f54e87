//! [`Layer`]: one folder of a generation: a table, vectors, posting lists and, for a large base, a graph.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::build::PublishStep;
use super::error::{BuildError, OpenError};
use super::table::ToolTable;
use crate::dense::{GRAPH_TOOLS_MIN, Graph, Vectors};
use crate::embed::Embedding;
use crate::lexical::{self, LexicalIndex};
use crate::places::ROWS_MAX;
use crate::tool::Tool;

/// The base's folder.
pub(super) const BASE: &str = "base";
/// The delta's folder.
pub(super) const DELTA: &str = "delta";
/// The table's file name.
const TOOLS: &str = "tools.arrow";
/// The vectors' file name.
const VECTORS: &str = "vectors.arrow";
/// The posting lists' folder.
const LEXICAL: &str = "lexical";
/// The graph's folder.
const GRAPH: &str = "graph";

/// One layer, memory-mapped. Its parts are shared by the generations that have the same base.
#[derive(Clone)]
pub(super) struct Layer {
    pub table: Arc<ToolTable>,
    pub vectors: Arc<Vectors>,
    pub lexical: Arc<LexicalIndex>,
    pub graph: Option<Arc<Graph>>,
}

impl Layer {
    /// Writes a layer into `dir`, which is made. The tools are put into ref order. A base of many tools gets a graph; a
    /// delta never does, for it is small and is compared whole.
    ///
    /// # Errors
    /// [`BuildError`] when two tools have one ref, a vector has not `dimension` numbers, or the disk refuses.
    pub fn write(
        dir: &Path,
        mut tools: Vec<(Tool, Embedding)>,
        dimension: usize,
        may_have_graph: bool,
        on_step: &mut dyn FnMut(PublishStep),
    ) -> Result<usize, BuildError> {
        check(&mut tools, dimension)?;
        let (tools, vectors): (Vec<Tool>, Vec<Vec<f32>>) =
            tools.into_iter().map(|(tool, embedding)| (tool, embedding.into_vec())).unzip();
        make_dir(dir.to_owned())?;

        on_step(PublishStep::Tools);
        let path = dir.join(TOOLS);
        ToolTable::write(&path, &tools).map_err(|source| BuildError::Arrow { path, source })?;

        on_step(PublishStep::Vectors);
        let path = dir.join(VECTORS);
        Vectors::write(&path, dimension, &vectors).map_err(|source| BuildError::Arrow { path, source })?;

        on_step(PublishStep::Lexical);
        lexical::build(&make_dir(dir.join(LEXICAL))?, &tools)?;

        on_step(PublishStep::Graph);
        if may_have_graph && tools.len() >= GRAPH_TOOLS_MIN {
            Graph::build(&make_dir(dir.join(GRAPH))?, &vectors).map_err(BuildError::Graph)?;
        }
        Ok(tools.len())
    }

    /// Maps what [`Layer::write`] wrote into `dir`, whose checksums were compared. `has_graph` when the manifest names one.
    ///
    /// # Errors
    /// [`OpenError`] when a part does not open, or the parts disagree about how many tools there are (`number` is the
    /// generation's, to say so).
    pub fn open(dir: &Path, number: u64, dimension: usize, has_graph: bool) -> Result<Self, OpenError> {
        let path = dir.join(TOOLS);
        let table = ToolTable::open(&path).map_err(|source| OpenError::Arrow { path, source })?;
        let path = dir.join(VECTORS);
        let vectors = Vectors::open(&path, dimension).map_err(|source| OpenError::Arrow { path, source })?;
        let lexical = LexicalIndex::open(&dir.join(LEXICAL))?;
        let graph = has_graph.then(|| Graph::open(&dir.join(GRAPH))).transpose().map_err(OpenError::Graph)?;

        let expected = table.len();
        let parts = [
            (VECTORS, vectors.len()),
            (LEXICAL, lexical.n_documents()),
            (GRAPH, graph.as_ref().map_or(expected, Graph::len)),
        ];
        match parts.into_iter().find(|&(_, got)| got != expected) {
            Some((part, got)) => Err(OpenError::Count { number, part, expected, got }),
            None => Ok(Self {
                table: Arc::new(table),
                vectors: Arc::new(vectors),
                lexical: Arc::new(lexical),
                graph: graph.map(Arc::new),
            }),
        }
    }

    /// Whether `files` (paths inside a generation) name a graph of the layer `folder`.
    pub fn has_graph<'f>(folder: &str, mut files: impl Iterator<Item = &'f String>) -> bool {
        files.any(|file| is_below(file, folder, GRAPH))
    }

    /// A part that a layer must have and that `files` do not name.
    pub fn unnamed<'f>(folder: &str, files: impl Iterator<Item = &'f String> + Clone) -> Option<&'static str> {
        [TOOLS, VECTORS, LEXICAL].into_iter().find(|part| !files.clone().any(|file| is_below(file, folder, part)))
    }
}

fn is_below(file: &str, folder: &str, part: &str) -> bool {
    let mut parts = file.split('/');
    parts.next() == Some(folder) && parts.next() == Some(part)
}

/// Puts the tools into ref order and refuses what cannot be a layer.
fn check(tools: &mut [(Tool, Embedding)], dimension: usize) -> Result<(), BuildError> {
    if tools.len() > ROWS_MAX {
        return Err(BuildError::TooMany(tools.len()));
    }
    tools.sort_by(|(a, _), (b, _)| a.reference.cmp(&b.reference));
    if let Some([(tool, _), _]) = tools.array_windows().find(|[(a, _), (b, _)]| a.reference == b.reference) {
        return Err(BuildError::Duplicate(Box::new(tool.reference.clone())));
    }
    match tools.iter().find(|(_, embedding)| embedding.as_slice().len() != dimension) {
        Some((tool, embedding)) => Err(BuildError::Dimension {
            tool: Box::new(tool.reference.clone()),
            expected: dimension,
            got: embedding.as_slice().len(),
        }),
        None => Ok(()),
    }
}

/// Makes a folder that is not there yet.
pub(super) fn make_dir(path: PathBuf) -> Result<PathBuf, BuildError> {
    match fs::create_dir(&path) {
        Ok(()) => Ok(path),
        Err(source) => Err(BuildError::Io { path, source }),
    }
}
