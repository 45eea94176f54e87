//! [`Given`]: an embedder that has a vector for each text and computes none.

use std::collections::HashMap;

use shortlist_index::{EmbedError, Embedder, Embedding, ModelFingerprint, TextRole};

/// Looks texts up, whatever their role.
pub(crate) struct Given {
    fingerprint: ModelFingerprint,
    dimension: usize,
    by_text: HashMap<String, Embedding>,
}

impl Given {
    pub(crate) fn new(
        fingerprint: ModelFingerprint,
        dimension: usize,
        vectors: impl IntoIterator<Item = (String, Embedding)>,
    ) -> Self {
        Self { fingerprint, dimension, by_text: vectors.into_iter().collect() }
    }
}

impl Embedder for Given {
    fn fingerprint(&self) -> &ModelFingerprint {
        &self.fingerprint
    }

    fn dimension(&self) -> usize {
        self.dimension
    }

    fn embed(&self, _: TextRole, text: &str) -> Result<Embedding, EmbedError> {
        self.by_text.get(text).cloned().ok_or_else(|| EmbedError::Tokenize {
            model: self.fingerprint.0.clone(),
            reason: "no vector was given for this text".to_owned(),
        })
    }
}
