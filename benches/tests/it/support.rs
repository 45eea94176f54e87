//! Sets for the tests.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use shortlist_benches::{BadTools, BenchError, Dataset};
use shortlist_index::{EmbedError, Embedder, Embedding, HashingEmbedder, ModelFingerprint, Models, TextRole};
use tempfile::TempDir;

/// A set in a folder of its own.
pub struct Files {
    pub dir: TempDir,
}

impl Files {
    pub fn new(tools: &str, queries: &str) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        fs::write(dir.path().join("tools.jsonl"), tools).expect("the folder is ours");
        fs::write(dir.path().join("queries.jsonl"), queries).expect("the folder is ours");
        Self { dir }
    }

    pub fn tools(&self) -> PathBuf {
        self.dir.path().join("tools.jsonl")
    }

    pub fn queries(&self) -> PathBuf {
        self.dir.path().join("queries.jsonl")
    }

    pub fn read(&self) -> Result<Dataset, BenchError> {
        Dataset::read(&self.tools(), &self.queries(), None, BadTools::Refuse)
    }
}

/// The set that CI checks against ir-measures.
pub fn crosscheck(limit: Option<usize>) -> Dataset {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("crosscheck");
    Dataset::read(&dir.join("tools.jsonl"), &dir.join("queries.jsonl"), limit, BadTools::Refuse).expect("a good set")
}

/// Feature hashing that counts the tools it embeds, and refuses queries on demand.
pub struct CountingEmbedder {
    inner: HashingEmbedder,
    pub n_documents: AtomicUsize,
    pub refuses_queries: bool,
}

impl CountingEmbedder {
    pub fn new(refuses_queries: bool) -> Arc<Self> {
        Arc::new(Self { inner: HashingEmbedder::new(64), n_documents: AtomicUsize::new(0), refuses_queries })
    }
}

impl Embedder for CountingEmbedder {
    fn fingerprint(&self) -> &ModelFingerprint {
        self.inner.fingerprint()
    }

    fn dimension(&self) -> usize {
        self.inner.dimension()
    }

    fn embed(&self, role: TextRole, text: &str) -> Result<Embedding, EmbedError> {
        match role {
            TextRole::Query if self.refuses_queries => {
                return Err(EmbedError::Tokenize { model: "test".to_owned(), reason: "refused".to_owned() });
            }
            TextRole::Query => {}
            TextRole::Document => {
                self.n_documents.fetch_add(1, Ordering::Relaxed);
            }
        }
        self.inner.embed(role, text)
    }
}

/// Models with that embedder and no reranker.
pub fn models(embedder: Arc<CountingEmbedder>) -> Models {
    Models { embedder: Some(embedder), reranker: None }
}
