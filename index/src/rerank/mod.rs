//! Reading candidates together with the query: [`Reranker`].

use thiserror::Error;

use crate::embed::{EmbedError, ModelFingerprint};

mod cross_encoder;

pub use cross_encoder::CrossEncoder;

/// Why candidates got no scores.
#[derive(Debug, Error)]
#[error("the reranker failed: {0}")]
pub struct RerankError(#[from] pub EmbedError);

/// Scores texts for a query. The same query and text always get the same score, whatever else is scored with them.
pub trait Reranker: Send + Sync {
    /// What its scores depend on.
    fn fingerprint(&self) -> &ModelFingerprint;

    /// One score a text, higher is better, in the texts' order; their scale is the model's own.
    ///
    /// # Errors
    /// [`RerankError`] when tokenizer or model fails.
    fn scores(&self, query: &str, texts: &[&str]) -> Result<Vec<f32>, RerankError>;
}
