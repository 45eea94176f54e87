//! A small change as a generation: the parent's base as it is, and a delta over it.
//!
//! A delta holds every tool that the base does not have or has otherwise, and names the rows of the base that are hidden.
//! It is always one delta over a base, never a delta over a delta: a new one starts from the parent's and is written
//! whole, which costs little as long as it is small. When it has grown, a whole generation is built instead.
//!
//! Generations are independent files on disk, so that damage to one leaves the one before it good. The base is therefore
//! copied; but it is linked instead where some other generation than the parent has a copy that the parent does not
//! share. So two generations that follow each other never have a file in common, and a long line of deltas has two
//! copies of its base.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use roaring::RoaringBitmap;

use super::build::{PublishStep, sum_file, sum_files, sync, write_manifest};
use super::error::{BuildError, OpenError};
use super::layer::{DELTA, Layer};
use super::manifest::{DeltaCounts, FORMAT, FileSum, Manifest, SourceReport};
use super::snapshot::{Snapshot, base_files, read_manifest};
use crate::embed::Embedding;
use crate::tool::Tool;
use crate::tool_ref::ToolRef;

/// The rows of the base that are hidden, in the delta's folder: a serialised roaring bitmap.
const HIDDEN: &str = "hidden.roaring";
/// The largest such file: a bitmap of all rows has 256 MiB, and a delta hides few.
const HIDDEN_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// What changed against the generation before, and the sources as they stand now.
#[derive(Clone, Debug)]
pub struct NewDelta {
    /// Tools that are new or say something else, with their vectors by the parent's model, in any order.
    pub changed: Vec<(Tool, Embedding)>,
    /// Tools that are gone. Refs that the parent does not have are passed over.
    pub removed: Vec<ToolRef>,
    /// The sources, by name.
    pub sources: BTreeMap<String, SourceReport>,
    /// Now, in seconds of Unix time.
    pub created_unix_s: u64,
}

/// Where a delta's base comes from.
pub(super) struct BaseFiles {
    /// The parent's folder.
    pub parent: PathBuf,
    /// The folders of the other generations, in the order in which they are tried.
    pub others: Vec<PathBuf>,
}

/// Writes every file of a delta over the parent's base into `dir`, an empty folder, each flushed to the disk.
pub(super) fn build(
    dir: &Path,
    number: u64,
    parent: &Snapshot,
    base: &BaseFiles,
    delta: NewDelta,
    on_step: &mut dyn FnMut(PublishStep),
) -> Result<(), BuildError> {
    let NewDelta { changed, removed, sources, created_unix_s } = delta;
    let gone: BTreeSet<&ToolRef> = changed.iter().map(|(tool, _)| &tool.reference).chain(&removed).collect();
    let hidden =
        parent.hidden() | gone.iter().filter_map(|reference| parent.base_row(reference)).collect::<RoaringBitmap>();
    let mut tools: Vec<(Tool, Embedding)> = Vec::new();
    for row in parent.of_delta() {
        let (tool, vector) = row.map_err(|source| BuildError::Arrow { path: base.parent.join(DELTA), source })?;
        if !gone.contains(&tool.reference) {
            tools.push((tool, vector));
        }
    }
    tools.extend(changed);

    on_step(PublishStep::Base);
    let mut files = take_base(dir, parent.manifest(), base)?;
    let folder = dir.join(DELTA);
    let dimension = parent.manifest().dimension;
    let n_delta = Layer::write(&folder, tools, dimension, false, on_step)?;
    let path = folder.join(HIDDEN);
    let mut bytes = Vec::with_capacity(hidden.serialized_size());
    let written = hidden.serialize_into(&mut bytes).and_then(|()| fs::write(&path, &bytes));
    written.map_err(|source| BuildError::Io { path, source })?;

    on_step(PublishStep::Manifest);
    sum_files(dir, &folder, &mut files)?;
    let n_base = parent.n_base();
    let counts = DeltaCounts { n_base, n_hidden: hidden.len() as usize, n_delta };
    let manifest = Manifest {
        format: FORMAT,
        number,
        parent: Some(parent.number()),
        created_unix_s,
        n_tools: n_base - counts.n_hidden + n_delta,
        delta: Some(counts),
        embedder: parent.manifest().embedder.clone(),
        dimension,
        sources,
        files,
    };
    write_manifest(dir, &manifest)
}

/// Reads the hidden rows of the generation in `dir`.
///
/// # Errors
/// [`OpenError`] when the file is no bitmap, or names a row that the base does not have.
pub(super) fn read_hidden(dir: &Path, n_base: usize) -> Result<RoaringBitmap, OpenError> {
    let path = dir.join(DELTA).join(HIDDEN);
    let failed = |source| OpenError::Io { path: path.clone(), source };
    let malformed = |why: String| failed(std::io::Error::new(std::io::ErrorKind::InvalidData, why));
    let n_bytes = fs::metadata(&path).map_err(failed)?.len();
    if n_bytes > HIDDEN_BYTES_MAX {
        return Err(malformed(format!("it has {n_bytes} bytes, more than {HIDDEN_BYTES_MAX}")));
    }
    let bytes = fs::read(&path).map_err(failed)?;
    let hidden = RoaringBitmap::deserialize_from(bytes.as_slice()).map_err(|error| malformed(error.to_string()))?;
    match hidden.max() {
        Some(row) if row as usize >= n_base => {
            Err(malformed(format!("row {row} is hidden, and the base has {n_base}")))
        }
        _ => Ok(hidden),
    }
}

/// Brings the parent's base into `dir`, by link or copy; returns its files with their checksums.
fn take_base(dir: &Path, parent: &Manifest, base: &BaseFiles) -> Result<BTreeMap<String, FileSum>, BuildError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| BuildError::Io { path, source }
    };
    let files: BTreeMap<String, FileSum> = base_files(parent).map(|(file, sum)| (file.clone(), sum.clone())).collect();
    // The newest that has the same base and shares none of it with the parent.
    let other = base.others.iter().find(|other| {
        read_manifest(other).is_ok_and(|manifest| files.iter().all(|(file, sum)| manifest.files.get(file) == Some(sum)))
            && files.keys().all(|file| !is_same_file(&other.join(file), &base.parent.join(file)))
    });
    let mut folders = BTreeSet::new();
    for (file, sum) in &files {
        let target = dir.join(file);
        let folder = target.parent().unwrap_or(dir);
        if folders.insert(folder.to_owned()) {
            fs::create_dir_all(folder).map_err(failed(folder))?;
        }
        let linked = other.is_some_and(|other| fs::hard_link(other.join(file), &target).is_ok());
        if linked && sum_file(&target).is_ok_and(|got| got == *sum) {
            continue;
        }
        if linked {
            // The other generation is damaged; the parent was verified when it was opened.
            fs::remove_file(&target).map_err(failed(&target))?;
        }
        fs::copy(base.parent.join(file), &target).map_err(failed(&target))?;
        sync(&target).map_err(failed(&target))?;
    }
    for folder in &folders {
        sync(folder).map_err(failed(folder))?;
    }
    Ok(files)
}

/// Whether two paths lead to the same bytes on disk. One that cannot be looked at is taken to be the same, and so is not
/// linked.
fn is_same_file(one: &Path, other: &Path) -> bool {
    match (fs::metadata(one), fs::metadata(other)) {
        (Ok(one), Ok(other)) => (one.dev(), one.ino()) == (other.dev(), other.ino()),
        _ => true,
    }
}
