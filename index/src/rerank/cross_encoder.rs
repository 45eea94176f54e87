//! [`CrossEncoder`]: query and candidate read together by one model (Nogueira and Cho, 2019).

use rayon::prelude::*;
use tokenizers::Tokenizer;

use super::{RerankError, Reranker};
use crate::embed::{
    EmbedError, ModelError, ModelFingerprint, ModelFolder, ModelKind, Runtime, SessionPool, clip, open_tokenizer,
};

/// The most bytes of each text that are tokenized; the model reads some hundred words of both together.
const TEXT_BYTES_MAX: usize = 4_096;

/// A reranker under ONNX Runtime. Each pair is read by itself, unpadded, so that a candidate's score does not depend on its
/// neighbours; pairs run in parallel over the sessions.
pub struct CrossEncoder {
    model: String,
    fingerprint: ModelFingerprint,
    tokenizer: Tokenizer,
    sessions: SessionPool,
}

impl CrossEncoder {
    /// Loads the model `n_sessions` times (at least once).
    ///
    /// # Errors
    /// [`ModelError`] when the folder holds no cross-encoder, or the model does not load.
    pub fn open(runtime: &Runtime, folder: &ModelFolder, n_sessions: usize) -> Result<Self, ModelError> {
        if folder.kind() != ModelKind::CrossEncoder {
            return Err(folder.mismatch(format!("a cross_encoder is needed, and this is a {:?}", folder.kind())));
        }
        let reranker = Self {
            model: folder.name().to_owned(),
            fingerprint: folder.fingerprint().clone(),
            tokenizer: open_tokenizer(folder)?,
            sessions: SessionPool::open(runtime, folder, n_sessions)?,
        };
        match reranker.scores("tool", &["tool"]) {
            Ok(_) => Ok(reranker),
            Err(error) => Err(folder.mismatch(error.to_string())),
        }
    }

    fn score(&self, query: &str, text: &str) -> Result<f32, EmbedError> {
        let pair = (clip(query, TEXT_BYTES_MAX), clip(text, TEXT_BYTES_MAX));
        let encoding = self
            .tokenizer
            .encode_fast(pair, true)
            .map_err(|error| EmbedError::Tokenize { model: self.model.clone(), reason: error.to_string() })?;
        self.sessions.run(&self.model, &[&encoding], |output| match output.as_slice() {
            Some(&[score]) => Ok(score),
            _ => Err(EmbedError::Shape {
                model: self.model.clone(),
                expected: "[1, 1]".to_owned(),
                got: output.shape().iter().map(|&length| length as i64).collect(),
            }),
        })
    }
}

impl Reranker for CrossEncoder {
    fn fingerprint(&self) -> &ModelFingerprint {
        &self.fingerprint
    }

    fn scores(&self, query: &str, texts: &[&str]) -> Result<Vec<f32>, RerankError> {
        texts.par_iter().map(|text| self.score(query, text)).collect::<Result<_, _>>().map_err(RerankError)
    }
}
