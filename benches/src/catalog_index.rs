//! [`CatalogIndex`]: a set's tools as a generation in a temporary folder, gone when it is dropped.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::path::Path;

use shortlist_index::{
    Embedder, Embedding, HashingEmbedder, NewGeneration, Snapshot, SourceReport, Store, TextRole, Tool,
};
use shortlist_ingest::embedding_cache::{EmbeddingCache, PART_ROWS, TextHash};
use tempfile::TempDir;

use crate::error::BenchError;

/// Dimension of the stand-in vectors of an index whose vectors nobody reads.
const STAND_IN_DIMENSION: usize = 8;

/// A generation built for one measurement. It is the same kind of generation that serves: written, verified and opened
/// from the disk.
pub(crate) struct CatalogIndex {
    pub(crate) snapshot: Snapshot,
    // Dropped after the snapshot, whose files it holds.
    _home: TempDir,
}

impl CatalogIndex {
    /// Indexes the tools. Without an embedder the vectors are stand-ins, fit for lexical search only. With a `cache` folder
    /// texts that it holds are not embedded again; `on_embedded(n)` is called after each `n` more tools.
    pub(crate) fn build(
        tools: &[Tool],
        embedder: Option<&dyn Embedder>,
        cache: Option<&Path>,
        on_embedded: &(dyn Fn(usize) + Sync),
    ) -> Result<Self, BenchError> {
        let stand_in = HashingEmbedder::new(STAND_IN_DIMENSION);
        let (embeddings, embedder) = match embedder {
            Some(embedder) => (embed(tools, embedder, cache, on_embedded)?, embedder),
            None => (embed(tools, &stand_in, None, on_embedded)?, &stand_in as &dyn Embedder),
        };
        let home = tempfile::Builder::new().prefix("shortlist-bench-").tempdir().map_err(|error| BenchError::Io {
            action: "write",
            path: std::env::temp_dir(),
            error,
        })?;
        let store = Store::new(home.path());
        // Only counts that the manifest keeps; the bench's own report says what was rejected.
        let mut sources: BTreeMap<String, SourceReport> = BTreeMap::new();
        for tool in tools {
            let report = sources.entry(tool.reference.source().to_owned()).or_default();
            report.n_ingested += 1;
            report.n_searchable += 1;
        }
        let generation = NewGeneration {
            tools: tools.iter().cloned().zip(embeddings).collect(),
            embedder: embedder.fingerprint().clone(),
            dimension: embedder.dimension(),
            sources,
            // A measurement is the same whenever it is taken.
            created_unix_s: 0,
        };
        let lock = store.lock()?;
        let number = store.publish(&lock, generation, &mut |_| {})?;
        Ok(Self { snapshot: store.open(number)?, _home: home })
    }
}

/// The vectors of the tools, from `cache` where it holds them.
pub(crate) fn embed(
    tools: &[Tool],
    embedder: &dyn Embedder,
    cache: Option<&Path>,
    on_embedded: &(dyn Fn(usize) + Sync),
) -> Result<Vec<Embedding>, BenchError> {
    let texts: Vec<String> = tools.iter().map(Tool::embedding_text).collect();
    let Some(folder) = cache else {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        return Ok(embedder.embed_all(TextRole::Document, &texts, on_embedded)?);
    };

    // A cache has one writer; a second bench waits here until the first has embedded, and says so.
    let path = folder.join("LOCK");
    let lock_error = |error| BenchError::Io { action: "write", path: path.clone(), error };
    fs::create_dir_all(folder).map_err(lock_error)?;
    let lock = File::options().create(true).append(true).open(&path).map_err(lock_error)?;
    if let Err(TryLockError::WouldBlock) = lock.try_lock() {
        eprintln!("{} is locked: another bench embeds, and this one waits for it", path.display());
    }
    lock.lock().map_err(lock_error)?;

    let mut cache = EmbeddingCache::open(folder, embedder.fingerprint(), embedder.dimension());
    let hashes: Vec<TextHash> = texts.iter().map(|text| TextHash::of(text)).collect();
    let missing: BTreeMap<TextHash, &str> = hashes
        .iter()
        .zip(&texts)
        .filter(|(hash, _)| !cache.contains(hash))
        .map(|(hash, text)| (*hash, text.as_str()))
        .collect();
    on_embedded(tools.len() - missing.len());
    let missing: Vec<(TextHash, &str)> = missing.into_iter().collect();
    for part in missing.chunks(PART_ROWS) {
        let texts: Vec<&str> = part.iter().map(|(_, text)| *text).collect();
        let embeddings = embedder.embed_all(TextRole::Document, &texts, on_embedded)?;
        let rows: Vec<_> = part.iter().map(|(hash, _)| *hash).zip(embeddings).collect();
        cache.append(&rows)?;
    }
    hashes
        .iter()
        .zip(&texts)
        .map(|(hash, text)| match cache.get(hash) {
            Some(embedding) => Ok(embedding),
            // A cache may forget (it is bounded); then the text is embedded as if there were none.
            None => Ok(embedder.embed(TextRole::Document, text)?),
        })
        .collect()
}
