//! Tools and vectors in, a folder of files out: a whole generation.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::error::BuildError;
use super::layer::{BASE, Layer};
use super::manifest::{FORMAT, FileSum, Manifest, SourceReport};
use crate::embed::{Embedding, ModelFingerprint};
use crate::hex;
use crate::tool::Tool;

/// The manifest's file name.
pub(super) const MANIFEST: &str = "manifest.json";
/// The file with the manifest's own SHA-256, in hexadecimal.
pub(super) const MANIFEST_SUM: &str = "manifest.sha256";

/// All that a generation is made of.
#[derive(Clone, Debug)]
pub struct NewGeneration {
    /// The tools with their vectors, in any order; no two with the same ref.
    pub tools: Vec<(Tool, Embedding)>,
    /// The model that made the vectors.
    pub embedder: ModelFingerprint,
    /// Numbers in each vector.
    pub dimension: usize,
    /// The sources, by name.
    pub sources: BTreeMap<String, SourceReport>,
    /// Now, in seconds of Unix time.
    pub created_unix_s: u64,
}

/// The steps of a publish, in their order. Until [`PublishStep::Current`] is done, the generation before it serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublishStep {
    /// An empty staging folder.
    Staging,
    /// The parent's base, for a delta over it.
    Base,
    /// `tools.arrow`.
    Tools,
    /// `vectors.arrow`.
    Vectors,
    /// The posting lists.
    Lexical,
    /// The graph, for large catalogs.
    Graph,
    /// Checksums and `manifest.json`; every file is flushed to the disk.
    Manifest,
    /// The staged generation is opened as a reader would.
    Verify,
    /// It gets its number.
    Rename,
    /// `CURRENT` names it.
    Current,
}

/// Writes every file of a generation into `dir`, an empty folder, each flushed to the disk.
pub(super) fn build(
    dir: &Path,
    number: u64,
    parent: Option<u64>,
    generation: NewGeneration,
    on_step: &mut dyn FnMut(PublishStep),
) -> Result<(), BuildError> {
    let NewGeneration { tools, embedder, dimension, sources, created_unix_s } = generation;
    let n_tools = Layer::write(&dir.join(BASE), tools, dimension, true, on_step)?;

    on_step(PublishStep::Manifest);
    let mut files = BTreeMap::new();
    sum_files(dir, dir, &mut files)?;
    let manifest = Manifest {
        format: FORMAT,
        number,
        parent,
        created_unix_s,
        n_tools,
        delta: None,
        embedder,
        dimension,
        sources,
        files,
    };
    write_manifest(dir, &manifest)
}

/// Writes the manifest and its checksum: the last files of a generation.
pub(super) fn write_manifest(dir: &Path, manifest: &Manifest) -> Result<(), BuildError> {
    let path = dir.join(MANIFEST);
    let text = serde_json::to_vec_pretty(manifest)
        .map_err(|error| BuildError::Io { path: path.clone(), source: error.into() })?;
    let sum = hex::encode(&Sha256::digest(&text));
    for (file, bytes) in [(MANIFEST, text), (MANIFEST_SUM, sum.into_bytes())] {
        let path = dir.join(file);
        fs::write(&path, bytes).and_then(|()| sync(&path)).map_err(|source| BuildError::Io { path, source })?;
    }
    sync(dir).map_err(|source| BuildError::Io { path: dir.to_owned(), source })
}

/// Flushes and sums every file below `dir`, a folder in `root`.
pub(super) fn sum_files(root: &Path, dir: &Path, sums: &mut BTreeMap<String, FileSum>) -> Result<(), BuildError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| BuildError::Io { path, source }
    };
    for entry in fs::read_dir(dir).map_err(failed(dir))? {
        let path = entry.map_err(failed(dir))?.path();
        if path.is_dir() {
            sum_files(root, &path, sums)?;
        } else {
            sync(&path).map_err(failed(&path))?;
            let sum = sum_file(&path).map_err(failed(&path))?;
            let inside = path.strip_prefix(root).unwrap_or(&path);
            let parts: Vec<_> = inside.iter().map(|part| part.to_string_lossy()).collect();
            sums.insert(parts.join("/"), sum);
        }
    }
    sync(dir).map_err(failed(dir))
}

/// Reads a file through: its size and SHA-256.
pub(crate) fn sum_file(path: &Path) -> std::io::Result<FileSum> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    let mut bytes = 0;
    loop {
        let n_read = file.read(&mut buffer)?;
        if n_read == 0 {
            return Ok(FileSum { bytes, sha256: hex::encode(&hasher.finalize()) });
        }
        hasher.update(&buffer[..n_read]);
        bytes += n_read as u64;
    }
}

/// Flushes a file, or the names in a folder, to the disk.
pub(super) fn sync(path: &Path) -> std::io::Result<()> {
    File::open(path)?.sync_all()
}

/// Flushes a folder and everything below it.
pub(super) fn sync_tree(folder: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { sync_tree(&path)? } else { sync(&path)? }
    }
    sync(folder)
}
