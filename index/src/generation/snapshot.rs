//! [`Snapshot`]: a generation, opened.

use std::path::Path;

use sha2::{Digest, Sha256};

use super::build::{GRAPH, LEXICAL, MANIFEST, MANIFEST_SUM, TOOLS, VECTORS, sum_file};
use super::error::OpenError;
use super::manifest::{FORMAT, Manifest};
use super::resolve::Attributes;
use super::table::ToolTable;
use crate::allowed::AllowedSet;
use crate::dense::{Graph, Vectors};
use crate::filter::Filter;
use crate::grant::Grant;
use crate::hex;
use crate::lexical::LexicalIndex;
use crate::tool::Tool;
use crate::tool_ref::ToolRef;

/// One generation, verified, memory-mapped and immutable. Hold it in an `Arc` for as long as a request runs.
pub struct Snapshot {
    manifest: Manifest,
    table: ToolTable,
    attributes: Attributes,
    pub(crate) lexical: LexicalIndex,
    pub(crate) vectors: Vectors,
    pub(crate) graph: Option<Graph>,
}

/// How many tools of a namespace somebody may see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamespaceCount {
    /// The source that it belongs to.
    pub source: String,
    /// The namespace.
    pub namespace: String,
    /// Its tools, each counted once however many versions it has.
    pub n_tools: u64,
}

impl Snapshot {
    /// Opens the generation in `dir`: every file is read once and its checksum compared, then mapped.
    ///
    /// # Errors
    /// [`OpenError`] when a file is missing or damaged, or was written by a program of another format.
    pub fn open(dir: &Path) -> Result<Self, OpenError> {
        let manifest = read_manifest(dir)?;
        verify_files(dir, &manifest)?;

        let path = dir.join(TOOLS);
        let table = ToolTable::open(&path).map_err(|source| OpenError::Arrow { path: path.clone(), source })?;
        let attributes = Attributes::read(&table).map_err(|source| OpenError::Arrow { path, source })?;
        let path = dir.join(VECTORS);
        let vectors = Vectors::open(&path, manifest.dimension).map_err(|source| OpenError::Arrow { path, source })?;
        let lexical = LexicalIndex::open(&dir.join(LEXICAL))?;
        let has_graph = manifest.files.keys().any(|file| file.starts_with(GRAPH));
        let graph = has_graph.then(|| Graph::open(&dir.join(GRAPH))).transpose().map_err(OpenError::Graph)?;

        let parts = [
            (TOOLS, table.len()),
            (VECTORS, vectors.len()),
            (LEXICAL, lexical.n_documents()),
            (GRAPH, graph.as_ref().map_or(manifest.n_tools, Graph::len)),
        ];
        match parts.into_iter().find(|&(_, got)| got != manifest.n_tools) {
            Some((part, got)) => {
                Err(OpenError::Count { number: manifest.number, part, expected: manifest.n_tools, got })
            }
            None => Ok(Self { manifest, table, attributes, lexical, vectors, graph }),
        }
    }

    /// What the generation says of itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Its number.
    pub fn number(&self) -> u64 {
        self.manifest.number
    }

    /// Its tools, in all versions.
    pub fn n_tools(&self) -> usize {
        self.table.len()
    }

    /// Resolves a grant. Costs a pass over the granted tools' lengths, and over all refs where a selector has ref
    /// patterns; keep the result for as long as the grant and the generation are the same.
    pub fn allow(&self, grant: &Grant) -> AllowedSet {
        let readable = self.attributes.granted(grant, &self.table);
        let searchable = self.attributes.filtered(&self.attributes.newest(&readable), &Filter::default());
        self.allowed_set(readable, searchable)
    }

    /// Narrows a set by a caller's filter. It can only take away, but for deprecated tools, which are always readable and
    /// are found on request.
    pub(crate) fn narrow(&self, allowed: &AllowedSet, filter: &Filter) -> AllowedSet {
        let searchable = self.attributes.filtered(&self.attributes.newest(allowed.readable()), filter);
        self.allowed_set(allowed.readable().clone(), searchable)
    }

    fn allowed_set(&self, readable: roaring::RoaringBitmap, searchable: roaring::RoaringBitmap) -> AllowedSet {
        let lengths = self.lexical.lengths_of(searchable.iter());
        AllowedSet::new(self.manifest.number, readable, searchable, self.n_tools(), lengths)
    }

    /// Reads a tool by its ref; without a version, the newest that the set holds. A tool outside the set and one that does
    /// not exist are both `None`. O(log n).
    pub fn get(&self, allowed: &AllowedSet, tool: &ToolRef) -> Option<Tool> {
        let family = self.family(tool);
        let document = match tool.version() {
            Some(_) => family.clone().find(|&document| self.reference_is(document, tool)),
            None => self.attributes.newest_of(family, allowed.readable()),
        }?;
        allowed.readable().contains(document).then(|| self.table.tool(document as usize).ok()).flatten()
    }

    /// Reads a tool whoever may see it; without a version, the newest. For operators alone: callers read by
    /// [`Snapshot::get`].
    pub fn tool_of(&self, tool: &ToolRef) -> Option<Tool> {
        self.tool(self.document(tool)?).ok()
    }

    /// The document of a tool, whoever may see it; without a version, the newest.
    pub(crate) fn document(&self, tool: &ToolRef) -> Option<u32> {
        let mut family = self.family(tool);
        match tool.version() {
            Some(_) => family.find(|&document| self.reference_is(document, tool)),
            None => self.attributes.newest_of(family.clone(), &family.collect()),
        }
    }

    /// The document whose source calls its record so. Costs a pass over all tools.
    pub(crate) fn document_of_record(&self, record: &str) -> Option<u32> {
        (0..self.n_tools() as u32)
            .find(|&document| self.tool(document).is_ok_and(|tool| tool.provenance.foreign_id == record))
    }

    /// The refs of all versions of a tool, oldest first.
    pub(crate) fn versions(&self, tool: &ToolRef) -> Vec<String> {
        self.family(tool).filter_map(|document| Some(self.tool(document).ok()?.reference.to_string())).collect()
    }

    /// The version of a tool that a search inside the set finds, deprecated or not.
    pub(crate) fn newest_version(&self, tool: &ToolRef, allowed: &AllowedSet) -> Option<ToolRef> {
        let newest = self.attributes.newest_of(self.family(tool), allowed.readable())?;
        Some(self.tool(newest).ok()?.reference)
    }

    /// The namespaces of the set with how many tools a search may find in each, by source and namespace. Namespaces
    /// without any are not named.
    pub fn namespaces(&self, allowed: &AllowedSet) -> Vec<NamespaceCount> {
        self.attributes
            .namespaces()
            .iter()
            .map(|range| NamespaceCount {
                source: range.source.clone(),
                namespace: range.namespace.clone(),
                n_tools: allowed.searchable().range_cardinality(range.documents.clone()),
            })
            .filter(|count| count.n_tools > 0)
            .collect()
    }

    /// Every tool, in ref order, for those who build the next generation.
    pub fn tools(&self) -> impl Iterator<Item = Tool> + '_ {
        // Opening parsed every ref and every requirement; a row that was read then is read again.
        (0..self.table.len()).filter_map(|row| self.table.tool(row).ok())
    }

    /// The tool at a place in ref order.
    pub(crate) fn tool(&self, document: u32) -> Result<Tool, arrow::error::ArrowError> {
        self.table.tool(document as usize)
    }

    /// The documents of all versions of a tool.
    fn family(&self, tool: &ToolRef) -> std::ops::Range<u32> {
        let place = |past: bool| {
            let (mut low, mut high) = (0, self.table.len());
            while low < high {
                let middle = (low + high) / 2;
                let before = self
                    .table
                    .reference(middle)
                    .is_ok_and(|found| if found.same_family(tool) { past } else { found < *tool });
                if before { low = middle + 1 } else { high = middle }
            }
            low as u32
        };
        place(false)..place(true)
    }

    fn reference_is(&self, document: u32, tool: &ToolRef) -> bool {
        self.table.reference(document as usize).is_ok_and(|found| found == *tool)
    }
}

/// Reads the manifest and compares it with its checksum.
pub(super) fn read_manifest(dir: &Path) -> Result<Manifest, OpenError> {
    /// Read before the rest, which may have changed with the format.
    #[derive(serde::Deserialize)]
    struct Version {
        format: u32,
        number: u64,
    }
    let path = dir.join(MANIFEST);
    let text = std::fs::read(&path).map_err(|source| OpenError::Io { path: path.clone(), source })?;
    let malformed = |error: serde_json::Error| OpenError::Manifest { path: path.clone(), reason: error.to_string() };
    let Version { format, number } = serde_json::from_slice(&text).map_err(malformed)?;
    if format != FORMAT {
        return Err(OpenError::Format { number, expected: FORMAT, got: format });
    }
    let sum_path = dir.join(MANIFEST_SUM);
    let expected = std::fs::read_to_string(&sum_path).map_err(|source| OpenError::Io { path: sum_path, source })?;
    let got = hex::encode(&Sha256::digest(&text));
    if got != expected {
        return Err(OpenError::Checksum { path, expected, got });
    }
    serde_json::from_slice(&text).map_err(malformed)
}

fn verify_files(dir: &Path, manifest: &Manifest) -> Result<(), OpenError> {
    let is_named = |part: &str| manifest.files.keys().any(|file| file.split('/').next() == Some(part));
    if let Some(part) = [TOOLS, VECTORS, LEXICAL].into_iter().find(|part| !is_named(part)) {
        return Err(OpenError::Unnamed { number: manifest.number, part });
    }
    for (file, expected) in &manifest.files {
        let path = dir.join(file);
        let got = sum_file(&path).map_err(|source| OpenError::Io { path: path.clone(), source })?;
        if got != *expected {
            let print = |sum: &super::FileSum| format!("{} bytes with SHA-256 {}", sum.bytes, sum.sha256);
            return Err(OpenError::Checksum { path, expected: print(expected), got: print(&got) });
        }
    }
    Ok(())
}
