//! Text to vectors: [`Embedder`] and the two kinds there are.

use serde::{Deserialize, Serialize};
use thiserror::Error;

mod hashing;
mod model;
mod onnx;
mod runtime;

pub use hashing::HashingEmbedder;
pub use model::{ModelError, ModelFolder, ModelKind, Pooling};
pub use onnx::OnnxEmbedder;
pub(crate) use onnx::{SessionPool, clip, open_tokenizer};
pub use runtime::Runtime;

/// On which side of the search a text stands; a model may treat the two differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextRole {
    /// What somebody asks.
    Query,
    /// What a tool says of itself.
    Document,
}

/// A vector of the model's dimension and of length 1 (L2), so that a dot product is a cosine.
#[derive(Clone, Debug, PartialEq)]
pub struct Embedding(Vec<f32>);

impl Embedding {
    /// Scales a vector to length 1. A vector of zeros, or one with a number that is not finite, becomes the first unit
    /// vector: such a text is like nothing in particular, and must not poison a dot product.
    pub fn from_unnormalised(mut vector: Vec<f32>) -> Self {
        let norm = vector.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>().sqrt();
        if norm.is_finite() && norm > 0.0 {
            vector.iter_mut().for_each(|x| *x = (f64::from(*x) / norm) as f32);
        } else {
            vector.fill(0.0);
            vector.first_mut().into_iter().for_each(|x| *x = 1.0);
        }
        Self(vector)
    }

    /// Takes back a vector that [`Embedding::as_slice`] gave, from a file whose checksum was verified.
    pub fn from_normalised(vector: Vec<f32>) -> Self {
        Self(vector)
    }

    /// The numbers, owned.
    pub fn into_vec(self) -> Vec<f32> {
        self.0
    }

    /// The numbers.
    pub fn as_slice(&self) -> &[f32] {
        &self.0
    }
}

/// Names a model and all that bears on its vectors: with equal fingerprints, the same text gets the same vector.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ModelFingerprint(pub String);

/// Why a text got no vector.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum EmbedError {
    /// The tokenizer refused the text.
    #[error("the tokenizer of model {model} failed: {reason}")]
    Tokenize {
        /// The model's name.
        model: String,
        /// The tokenizer's words.
        reason: String,
    },
    /// The inference failed.
    #[error("inference with model {model} failed: {source}")]
    Inference {
        /// The model's name.
        model: String,
        /// ONNX Runtime's error.
        source: ort::Error,
    },
    /// The model gave a tensor of another shape than its description says.
    #[error(
        "model {model} gave an output of shape {got:?}, expected {expected}; check the dimension in its model.toml"
    )]
    Shape {
        /// The model's name.
        model: String,
        /// What its description implies.
        expected: String,
        /// What came.
        got: Vec<i64>,
    },
}

/// Turns text into vectors. The same text in the same role always gets the same vector, whatever else is embedded with it.
pub trait Embedder: Send + Sync {
    /// What its vectors depend on.
    fn fingerprint(&self) -> &ModelFingerprint;

    /// Numbers in each vector.
    fn dimension(&self) -> usize;

    /// Embeds one text. Blocks while all sessions are busy; a model runs for milliseconds.
    ///
    /// # Errors
    /// [`EmbedError`] when tokenizer or model fails.
    fn embed(&self, role: TextRole, text: &str) -> Result<Embedding, EmbedError>;

    /// Embeds many texts, giving vectors in the texts' order: one after another, unless a model knows a quicker way. `on_done(n)` is
    /// called, from any thread, after each further `n` texts.
    ///
    /// # Errors
    /// The first [`EmbedError`]; the texts already done are lost, so callers with many give them in parts.
    fn embed_all(
        &self,
        role: TextRole,
        texts: &[&str],
        on_done: &(dyn Fn(usize) + Sync),
    ) -> Result<Vec<Embedding>, EmbedError> {
        texts.iter().map(|text| self.embed(role, text).inspect(|_| on_done(1))).collect()
    }
}
