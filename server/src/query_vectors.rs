//! [`QueryVectors`]: the vectors of queries that were asked lately.

use std::sync::Arc;

use moka::sync::Cache;
use shortlist_index::{EmbedError, Embedder, Embedding, ModelFingerprint, TextRole};

use crate::limits::{KEPT_IDLE, QUERY_VECTORS_BYTES_MAX};
use crate::telemetry::Tally;

/// What an entry weighs besides its text and its numbers, in bytes: keys, links and counters, about.
const ENTRY_BYTES: usize = 200;

/// A model that remembers the vectors of queries: to embed one costs more than all else of a search, and agents ask again, for
/// the next page or with another filter.
///
/// What is remembered for one grant is not for another: else a short answer would tell that somebody else asked the same.
pub(crate) struct QueryVectors {
    embedder: Arc<dyn Embedder>,
    /// By the grant's fingerprint and the query. A vector depends on the text alone, so it never gets stale.
    kept: Cache<(Box<str>, Box<str>), Embedding>,
    tally: Tally,
}

impl QueryVectors {
    pub(crate) fn new(embedder: Arc<dyn Embedder>) -> Self {
        let weigh = |(grant, query): &(Box<str>, Box<str>), vector: &Embedding| {
            let bytes = ENTRY_BYTES + grant.len() + query.len() + size_of_val(vector.as_slice());
            u32::try_from(bytes).unwrap_or(u32::MAX)
        };
        let kept =
            Cache::builder().weigher(weigh).max_capacity(QUERY_VECTORS_BYTES_MAX).time_to_idle(KEPT_IDLE).build();
        Self { embedder, kept, tally: Tally::default() }
    }

    /// The model as the holders of a grant use it.
    pub(crate) fn of(self: &Arc<Self>, grant: &str) -> Arc<dyn Embedder> {
        Arc::new(OfGrant { vectors: Arc::clone(self), grant: grant.into() })
    }

    /// How often a vector was at hand.
    pub(crate) fn tally(&self) -> &Tally {
        &self.tally
    }
}

struct OfGrant {
    vectors: Arc<QueryVectors>,
    grant: Box<str>,
}

impl Embedder for OfGrant {
    fn fingerprint(&self) -> &ModelFingerprint {
        self.vectors.embedder.fingerprint()
    }

    fn dimension(&self) -> usize {
        self.vectors.embedder.dimension()
    }

    fn embed(&self, role: TextRole, text: &str) -> Result<Embedding, EmbedError> {
        if role != TextRole::Query {
            return self.vectors.embedder.embed(role, text);
        }
        let key = (self.grant.clone(), text.into());
        let kept = self.vectors.kept.get(&key);
        self.vectors.tally.count(kept.is_some());
        match kept {
            Some(vector) => Ok(vector),
            None => {
                let vector = self.vectors.embedder.embed(role, text)?;
                self.vectors.kept.insert(key, vector.clone());
                Ok(vector)
            }
        }
    }

    fn embed_all(
        &self,
        role: TextRole,
        texts: &[&str],
        on_done: &(dyn Fn(usize) + Sync),
    ) -> Result<Vec<Embedding>, EmbedError> {
        self.vectors.embedder.embed_all(role, texts, on_done)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use shortlist_index::HashingEmbedder;

    use super::*;

    /// Counts what it is asked.
    struct Counting(HashingEmbedder, AtomicUsize);

    impl Embedder for Counting {
        fn fingerprint(&self) -> &ModelFingerprint {
            self.0.fingerprint()
        }

        fn dimension(&self) -> usize {
            self.0.dimension()
        }

        fn embed(&self, role: TextRole, text: &str) -> Result<Embedding, EmbedError> {
            self.1.fetch_add(1, Ordering::Relaxed);
            self.0.embed(role, text)
        }
    }

    #[test]
    fn a_query_is_embedded_once_for_each_grant_and_never_for_another() {
        let counting = Arc::new(Counting(HashingEmbedder::new(16), AtomicUsize::new(0)));
        let vectors = Arc::new(QueryVectors::new(Arc::clone(&counting) as Arc<dyn Embedder>));
        let ask = |grant: &str, role, text: &str| {
            let vector = vectors.of(grant).embed(role, text).expect("hashing never fails");
            assert_eq!(vector, counting.0.embed(role, text).expect("hashing never fails"));
            counting.1.load(Ordering::Relaxed)
        };
        assert_eq!(ask("a", TextRole::Query, "list files"), 1);
        assert_eq!(ask("a", TextRole::Query, "list files"), 1, "it was at hand");
        assert_eq!(ask("b", TextRole::Query, "list files"), 2, "another grant's holder must not be told by time");
        assert_eq!(ask("a", TextRole::Query, "list filesx"), 3);
        assert_eq!(ask("a", TextRole::Document, "list files"), 4, "a document is no query");
    }
}
