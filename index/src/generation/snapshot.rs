//! [`Snapshot`]: a generation, opened.

use std::path::Path;
use std::sync::Arc;

use arrow::error::ArrowError;
use roaring::RoaringBitmap;
use sha2::{Digest, Sha256};

use super::build::{MANIFEST, MANIFEST_SUM, sum_file};
use super::delta::read_hidden;
use super::error::OpenError;
use super::layer::{BASE, DELTA, Layer};
use super::manifest::{FileSum, Manifest};
use super::resolve::{Attributes, NamespaceRange};
use super::table::ToolTable;
use crate::allowed::AllowedSet;
use crate::dense::{Graph, Shortcuts, Sketches, Vectors};
use crate::embed::Embedding;
use crate::filter::Filter;
use crate::grant::{Grant, Pattern};
use crate::hex;
use crate::lexical::LexicalIndex;
use crate::picked::Picked;
use crate::places::{self, Layered, Places};
use crate::schema::Schema;
use crate::suspicion::Suspicion;
use crate::tool::{ContentHash, Tool};
use crate::tool_ref::ToolRef;

/// One generation, verified, memory-mapped and immutable. Hold it in an `Arc` for as long as a request runs.
pub struct Snapshot {
    manifest: Manifest,
    base: Layer,
    /// Rows of the base that are not documents.
    hidden: RoaringBitmap,
    tables: Layered<ToolTable>,
    attributes: Attributes,
    pub(crate) lexical: Layered<LexicalIndex>,
    pub(crate) vectors: Layered<Vectors>,
    sketches: Option<Sketches>,
    graph: Option<Arc<Graph>>,
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
    /// Opens the generation in `dir`: every file is read once and its checksum compared, then mapped. The base of `beside`
    /// is shared where it is the same, which saves the loading of its graph if it has one.
    ///
    /// # Errors
    /// [`OpenError`] when a file is missing or damaged, or was written by a program of another format.
    pub fn open(dir: &Path, beside: Option<&Self>) -> Result<Self, OpenError> {
        let manifest = read_manifest(dir)?;
        verify_files(dir, &manifest)?;

        let open = |folder: &str| {
            let has_graph = Layer::has_graph(folder, manifest.files.keys());
            Layer::open(&dir.join(folder), manifest.number, manifest.dimension, has_graph)
        };
        let base = match beside.filter(|beside| beside.has_the_base_of(&manifest)) {
            Some(beside) => beside.base.clone(),
            None => open(BASE)?,
        };
        let delta = manifest.delta.is_some().then(|| open(DELTA)).transpose()?;
        let (hidden, places) = match &delta {
            None => (RoaringBitmap::new(), Places::Whole(base.table.len() as u32)),
            Some(delta) => {
                let hidden = read_hidden(dir, base.table.len())?;
                let failed = |source| OpenError::Arrow { path: dir.to_owned(), source };
                let places = merge(&base, &hidden, delta).map_err(failed)?;
                (hidden, places)
            }
        };
        let n_tools = manifest.n_tools;
        if places.len() != n_tools {
            let (number, got) = (manifest.number, places.len());
            return Err(OpenError::Count { number, part: "base and delta", expected: n_tools, got });
        }

        let (layers, places) = ([Some(&base), delta.as_ref()], Arc::new(places));
        let tables = layered(&layers, |layer| Arc::clone(&layer.table), &places);
        let attributes =
            Attributes::read(&tables).map_err(|source| OpenError::Arrow { path: dir.to_owned(), source })?;
        let vectors = layered(&layers, |layer| Arc::clone(&layer.vectors), &places);
        Ok(Self {
            tables,
            attributes,
            lexical: layered(&layers, |layer| Arc::clone(&layer.lexical), &places),
            sketches: Sketches::of(&vectors),
            vectors,
            graph: base.graph.clone(),
            manifest,
            base,
            hidden,
        })
    }

    /// Whether a generation's base has the same bytes as this one's.
    fn has_the_base_of(&self, other: &Manifest) -> bool {
        self.manifest.dimension == other.dimension && base_files(&self.manifest).eq(base_files(other))
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
        self.tables.len()
    }

    /// Resolves a grant. Costs a pass over the granted tools' lengths, and over all refs where a selector has a pattern that
    /// was not looked for before ([`Snapshot::prepare`]) and begins as many refs do; keep the result for as long as the grant
    /// and the generation are the same.
    pub fn allow(&self, grant: &Grant) -> AllowedSet {
        let readable = self.picked(grant).0;
        let searchable = self.attributes.filtered(&self.attributes.newest(&readable), &Filter::default());
        self.allowed_set(readable, searchable)
    }

    /// Looks for what these patterns over refs match, so that the first grants that have them need not: for whoever knows a policy
    /// before anybody asks. It has no part in what a grant shows. Costs a pass over all refs for some hundred patterns that
    /// were not looked for before, and ends where what is kept of them takes 16 MiB.
    pub fn prepare<'p>(&self, patterns: impl IntoIterator<Item = &'p Pattern>) {
        self.attributes.refs().prepare(patterns.into_iter(), &self.tables);
    }

    /// Whether it is at hand what a pattern over refs matches.
    #[doc(hidden)]
    pub fn has_at_hand(&self, pattern: &Pattern) -> bool {
        self.attributes.refs().has_at_hand(pattern)
    }

    /// The tools that a grant shows, without the statistics that a search needs: for counting and comparing.
    pub fn picked(&self, grant: &Grant) -> Picked {
        Picked(self.attributes.granted(grant, &self.tables))
    }

    /// The refs of tools that were picked here, in ref order.
    pub fn refs(&self, picked: &Picked) -> impl Iterator<Item = ToolRef> {
        // Opening parsed every ref; a row that was read then is read again.
        picked.0.iter().filter_map(|document| self.reference(document).ok())
    }

    /// Narrows a set by a caller's filter. It can only take away, but for deprecated tools, which are always readable and
    /// are found on request.
    pub(crate) fn narrow(&self, allowed: &AllowedSet, filter: &Filter) -> AllowedSet {
        let searchable = match self.attributes.seen(filter, allowed) {
            Some(filter) => self.attributes.filtered(&self.attributes.newest(allowed.readable()), &filter),
            None => roaring::RoaringBitmap::new(),
        };
        self.allowed_set(allowed.readable().clone(), searchable).beside(allowed)
    }

    fn allowed_set(&self, readable: roaring::RoaringBitmap, searchable: roaring::RoaringBitmap) -> AllowedSet {
        let lengths = self.lexical.lengths_of(searchable.iter());
        AllowedSet::new(self.manifest.number, readable, searchable, self.n_tools(), lengths)
    }

    /// Reads a tool by its ref; without a version, the newest that the set holds. A tool outside the set and one that does
    /// not exist are both `None`. The way to it leads over the set's own tools alone, so its time says nothing of others.
    /// O(log n).
    pub fn get(&self, allowed: &AllowedSet, tool: &ToolRef) -> Option<Tool> {
        self.tool(self.readable_document(tool, allowed)?).ok()
    }

    /// Reads a tool whoever may see it; without a version, the newest. For operators alone: callers read by
    /// [`Snapshot::get`].
    pub fn tool_of(&self, tool: &ToolRef) -> Option<Tool> {
        self.tool(self.document(tool)?).ok()
    }

    /// The document of a tool, whoever may see it; without a version, the newest.
    pub(crate) fn document(&self, tool: &ToolRef) -> Option<u32> {
        self.named(tool, self.family(tool))
    }

    /// The document of a tool that the set holds; without a version, the newest that it holds.
    pub(crate) fn readable_document(&self, tool: &ToolRef, allowed: &AllowedSet) -> Option<u32> {
        self.named(tool, self.readable_family(tool, allowed))
    }

    /// The document whose source calls its record so. Of several it is one that a search inside the set finds, else one that
    /// the set holds, else any. Costs a pass over all tools.
    pub(crate) fn document_of_record(&self, record: &str, allowed: &AllowedSet) -> Option<u32> {
        let is_named = |&document: &u32| {
            let (table, row) = self.tables.at(document);
            table.foreign_id(row) == record
        };
        let theirs = [allowed.searchable(), allowed.readable()];
        let of_theirs = theirs.into_iter().find_map(|documents| documents.iter().find(is_named));
        of_theirs.or_else(|| (0..self.n_tools() as u32).find(is_named))
    }

    /// The refs of all versions of a tool, oldest first.
    pub(crate) fn versions(&self, tool: &ToolRef) -> Vec<String> {
        self.family(tool).filter_map(|document| Some(self.reference(document).ok()?.to_string())).collect()
    }

    /// The version of a tool that a search inside the set finds, deprecated or not.
    pub(crate) fn newest_version(&self, tool: &ToolRef, allowed: &AllowedSet) -> Option<ToolRef> {
        let newest = self.attributes.newest_of(self.readable_family(tool, allowed))?;
        self.reference(newest).ok()
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
        (0..self.tables.len() as u32).filter_map(|document| self.tool(document).ok())
    }

    /// Every tool's ref and content hash, in ref order: what is needed to find what changed. Far cheaper than
    /// [`Snapshot::tools`].
    pub fn content_hashes(&self) -> impl Iterator<Item = (ToolRef, ContentHash)> + '_ {
        (0..self.tables.len() as u32).filter_map(|document| {
            let (table, row) = self.tables.at(document);
            Some((table.reference(row).ok()?, table.content_hash(row)))
        })
    }

    /// The tools whose texts are suspected, in ref order, whoever may see them: for operators. Costs a pass over all texts,
    /// the first time.
    pub fn suspected(&self) -> impl Iterator<Item = (ToolRef, Suspicion)> + '_ {
        let documents = 0..self.tables.len() as u32;
        documents.filter_map(|document| Some((self.reference(document).ok()?, self.suspicion(document)?)))
    }

    /// The tools of one source, in ref order.
    pub fn tools_of<'s>(&'s self, source: &'s str) -> impl Iterator<Item = Tool> + 's {
        let namespaces = self.attributes.namespaces().iter().filter(move |range| range.source == source);
        namespaces.flat_map(|range| range.documents.clone()).filter_map(|document| self.tool(document).ok())
    }

    /// The other versions of a document's tool that the set's holder may read, newest first.
    pub(crate) fn other_versions(&self, document: u32, allowed: &AllowedSet) -> impl Iterator<Item = u32> {
        let family = self.attributes.family_of(document).cloned().unwrap_or_default();
        family.rev().filter(move |&version| version != document && allowed.readable().contains(version))
    }

    /// The namespace that a document is in.
    pub(crate) fn namespace_of(&self, document: u32) -> Option<&NamespaceRange> {
        self.attributes.namespace_of(document)
    }

    /// What a tool's source calls it.
    pub(crate) fn name(&self, document: u32) -> &str {
        let (table, row) = self.tables.at(document);
        table.name(row)
    }

    /// Its title and its description.
    pub(crate) fn says(&self, document: u32) -> [&str; 2] {
        let (table, row) = self.tables.at(document);
        table.says(row)
    }

    /// What saves the comparing of every vector.
    pub(crate) fn shortcuts(&self) -> Shortcuts<'_> {
        Shortcuts { sketches: self.sketches.as_ref(), graph: self.graph.as_deref() }
    }

    /// What its text gives cause to suspect.
    pub(crate) fn suspicion(&self, document: u32) -> Option<Suspicion> {
        let (table, row) = self.tables.at(document);
        table.suspicion(row)
    }

    /// What it takes.
    pub(crate) fn input_schema(&self, document: u32) -> Option<Schema> {
        let (table, row) = self.tables.at(document);
        table.input_schema(row)
    }

    /// The tool at a place in ref order.
    pub(crate) fn tool(&self, document: u32) -> Result<Tool, ArrowError> {
        let (table, row) = self.tables.at(document);
        table.tool(row)
    }

    /// Rows of the base, hidden ones included.
    pub(super) fn n_base(&self) -> usize {
        self.base.table.len()
    }

    /// The rows of the base that are hidden.
    pub(super) fn hidden(&self) -> RoaringBitmap {
        self.hidden.clone()
    }

    /// The row of the base that a tool stands in; `None` where it stands in the delta or nowhere.
    pub(super) fn base_row(&self, tool: &ToolRef) -> Option<u32> {
        let document = self.family(tool).find(|&document| self.reference_is(document, tool))?;
        let (layer, row) = self.tables.places().row(document);
        (layer == places::BASE).then_some(row as u32)
    }

    /// The tools of the delta with their vectors.
    pub(super) fn of_delta(&self) -> impl Iterator<Item = Result<(Tool, Embedding), ArrowError>> + '_ {
        self.tables.places().of_delta().iter().map(|&document| {
            let (vectors, row) = self.vectors.at(document);
            Ok((self.tool(document)?, Embedding::from_normalised(vectors.exact(row).to_vec())))
        })
    }

    /// The documents of all versions of a tool, oldest first.
    fn family(&self, tool: &ToolRef) -> impl DoubleEndedIterator<Item = u32> + Clone {
        self.family_among(tool, self.tables.len() as u32, Some)
    }

    /// Those of them that the set holds.
    fn readable_family(&self, tool: &ToolRef, allowed: &AllowedSet) -> impl DoubleEndedIterator<Item = u32> + Clone {
        let readable = allowed.readable();
        self.family_among(tool, readable.len() as u32, |place| readable.select(place))
    }

    /// Those of `n` documents that are versions of a tool; `document_at` gives each by its place, in order.
    fn family_among<F: Fn(u32) -> Option<u32> + Clone>(
        &self,
        tool: &ToolRef,
        n: u32,
        document_at: F,
    ) -> impl DoubleEndedIterator<Item = u32> + Clone + use<F> {
        let place = |past: bool| {
            let (mut low, mut high) = (0, n);
            while low < high {
                let middle = (low + high) / 2;
                let found = document_at(middle).and_then(|document| self.reference(document).ok());
                let before = found.is_some_and(|found| if found.same_family(tool) { past } else { found < *tool });
                if before { low = middle + 1 } else { high = middle }
            }
            low
        };
        (place(false)..place(true)).filter_map(document_at)
    }

    /// The document that a ref names among the versions of its tool: its own, or the newest where it says no version.
    fn named(&self, tool: &ToolRef, mut family: impl DoubleEndedIterator<Item = u32> + Clone) -> Option<u32> {
        match tool.version() {
            Some(_) => family.find(|&document| self.reference_is(document, tool)),
            None => self.attributes.newest_of(family),
        }
    }

    fn reference_is(&self, document: u32, tool: &ToolRef) -> bool {
        self.reference(document).is_ok_and(|found| found == *tool)
    }

    /// The ref of the tool there.
    pub(crate) fn reference(&self, document: u32) -> Result<ToolRef, ArrowError> {
        let (table, row) = self.tables.at(document);
        table.reference(row)
    }
}

/// One part of each layer.
fn layered<T>(layers: &[Option<&Layer>], part: impl Fn(&Layer) -> Arc<T>, places: &Arc<Places>) -> Layered<T> {
    Layered::new(layers.iter().flatten().map(|layer| part(layer)).collect(), Arc::clone(places))
}

/// Puts the rows of both layers into ref order.
fn merge(base: &Layer, hidden: &RoaringBitmap, delta: &Layer) -> Result<Places, ArrowError> {
    let of_delta: Vec<ToolRef> =
        (0..delta.table.len()).map(|row| delta.table.reference(row)).collect::<Result<_, _>>()?;
    Places::merge((0..base.table.len()).map(|row| base.table.reference(row)), hidden, &of_delta)
}

/// The base's files with their checksums.
pub(super) fn base_files(manifest: &Manifest) -> impl Iterator<Item = (&String, &FileSum)> {
    manifest.files.iter().filter(|(file, _)| file.split('/').next() == Some(BASE))
}

/// Reads the manifest and compares it with its checksum.
pub(super) fn read_manifest(dir: &Path) -> Result<Manifest, OpenError> {
    let path = dir.join(MANIFEST);
    let text = std::fs::read(&path).map_err(|source| OpenError::Io { path: path.clone(), source })?;
    let manifest = Manifest::parse(&path, &text)?;
    let sum_path = dir.join(MANIFEST_SUM);
    let expected = std::fs::read_to_string(&sum_path).map_err(|source| OpenError::Io { path: sum_path, source })?;
    match hex::encode(&Sha256::digest(&text)) {
        got if got == expected => Ok(manifest),
        got => Err(OpenError::Checksum { path, expected, got }),
    }
}

fn verify_files(dir: &Path, manifest: &Manifest) -> Result<(), OpenError> {
    let folders = [Some(BASE), manifest.delta.map(|_| DELTA)];
    if let Some(part) = folders.into_iter().flatten().find_map(|folder| Layer::unnamed(folder, manifest.files.keys())) {
        return Err(OpenError::Unnamed { number: manifest.number, part });
    }
    for (file, expected) in &manifest.files {
        let path = dir.join(file);
        let got = sum_file(&path).map_err(|source| OpenError::Io { path: path.clone(), source })?;
        if got != *expected {
            let print = |sum: &FileSum| format!("{} bytes with SHA-256 {}", sum.bytes, sum.sha256);
            return Err(OpenError::Checksum { path, expected: print(expected), got: print(&got) });
        }
    }
    Ok(())
}
