//! [`HashingEmbedder`]: vectors without a model, for tests of everything around one.

use sha2::{Digest, Sha256};

use super::{EmbedError, Embedder, Embedding, ModelFingerprint, TextRole};
use crate::lexical::identifier_words;

/// Feature hashing (Weinberger et al., 2009): each word adds ±1 at a hashed place. Deterministic, and two texts are as near
/// as they share words; it knows nothing of meaning. Not for production.
#[derive(Clone, Debug)]
pub struct HashingEmbedder {
    fingerprint: ModelFingerprint,
    dimension: usize,
}

impl HashingEmbedder {
    /// An embedder of `dimension` numbers, at least 1.
    pub fn new(dimension: usize) -> Self {
        let dimension = dimension.max(1);
        Self { fingerprint: ModelFingerprint(format!("hashing-{dimension}")), dimension }
    }
}

impl Embedder for HashingEmbedder {
    fn fingerprint(&self) -> &ModelFingerprint {
        &self.fingerprint
    }

    fn dimension(&self) -> usize {
        self.dimension
    }

    fn embed(&self, _: TextRole, text: &str) -> Result<Embedding, EmbedError> {
        let mut vector = vec![0.0; self.dimension];
        for word in identifier_words(text) {
            let digest = Sha256::digest(word.to_lowercase().as_bytes());
            let place = u64::from_le_bytes([
                digest[0], digest[1], digest[2], digest[3], digest[4], digest[5], digest[6], digest[7],
            ]);
            vector[(place % self.dimension as u64) as usize] += if digest[8] & 1 == 0 { 1.0 } else { -1.0 };
        }
        Ok(Embedding::from_unnormalised(vector))
    }
}
