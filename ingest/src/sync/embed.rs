//! Vectors for the tools: from the cache, and from the model what the cache does not hold.

use std::cmp::Reverse;
use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use shortlist_index::{Embedder, Embedding, TextRole, Tool};

use super::error::SyncError;
use super::observer::{EmbedProgress, Steps};
use crate::embedding_cache::{EmbeddingCache, PART_ROWS, TextHash};

/// Embeds every text that the cache does not hold, each once, and keeps the vectors part by part. Returns the tools' text
/// hashes, in the tools' order, and how many texts were embedded.
pub(super) fn embed_missing(
    cache: &mut EmbeddingCache,
    embedder: &dyn Embedder,
    tools: &[Tool],
    steps: &mut Steps<'_>,
) -> Result<(Vec<TextHash>, usize), SyncError> {
    let mut hashes = Vec::with_capacity(tools.len());
    let mut missing: Vec<(TextHash, String)> = Vec::new();
    let mut wanted = HashSet::new();
    for tool in tools {
        let text = tool.embedding_text();
        let hash = TextHash::of(&text);
        hashes.push(hash);
        if !cache.contains(&hash) && wanted.insert(hash) {
            missing.push((hash, text));
        }
    }
    // Texts of one length go together, so that a model that works in batches pads little; the longest come first, so that
    // no worker is left alone with one at the end. The hash makes the order one.
    missing.sort_by_key(|(hash, text)| (Reverse(text.len()), *hash));

    let progress = Progress { n_done: AtomicUsize::new(0), n_total: missing.len(), began: Instant::now() };
    let observer = Mutex::new(&mut *steps.observer);
    let tell = |n_more: usize| {
        // An observer that panicked has nothing left to draw.
        if let Ok(mut observer) = observer.lock() {
            observer.embedded(progress.after(n_more));
        }
    };
    tell(0);
    for part in missing.chunks(PART_ROWS) {
        let texts: Vec<&str> = part.iter().map(|(_, text)| text.as_str()).collect();
        let vectors = embedder.embed_all(TextRole::Document, &texts, &tell)?;
        if vectors.len() != texts.len() {
            let model = embedder.fingerprint().0.clone();
            return Err(SyncError::EmbedCount { model, expected: texts.len(), got: vectors.len() });
        }
        let rows: Vec<(TextHash, Embedding)> = part.iter().map(|(hash, _)| *hash).zip(vectors).collect();
        cache.append(&rows)?;
    }
    Ok((hashes, missing.len()))
}

/// Each tool with its vector.
pub(super) fn with_vectors(
    cache: &EmbeddingCache,
    embedder: &dyn Embedder,
    tools: Vec<Tool>,
    hashes: &[TextHash],
) -> Result<Vec<(Tool, Embedding)>, SyncError> {
    tools
        .into_iter()
        .zip(hashes)
        .map(|(tool, hash)| {
            let vector = match cache.get(hash) {
                Some(vector) => vector,
                // A cache that could not be tidied may have let go of it.
                None => embedder.embed(TextRole::Document, &tool.embedding_text())?,
            };
            Ok((tool, vector))
        })
        .collect()
}

/// A count that several threads raise.
struct Progress {
    n_done: AtomicUsize,
    n_total: usize,
    began: Instant,
}

impl Progress {
    fn after(&self, n_more: usize) -> EmbedProgress {
        let n_done = self.n_done.fetch_add(n_more, Ordering::Relaxed) + n_more;
        let seconds = self.began.elapsed().as_secs_f64();
        let per_second = if seconds > 0.0 { n_done as f64 / seconds } else { 0.0 };
        EmbedProgress { n_done, n_total: self.n_total, per_second }
    }
}
