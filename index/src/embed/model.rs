//! [`ModelFolder`]: a model as three files, `model.onnx`, `tokenizer.json` and `model.toml`.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::ModelFingerprint;
use crate::generation::sum_file;
use crate::hex;

/// The most tokens a description may ask for: a bound on memory, beyond what small models read.
const TOKENS_MAX: usize = 8_192;

/// A folder that holds a model. Any folder of this shape works; `model.toml` describes it:
///
/// ```toml
/// name = "bge-small-en-v1.5"
/// kind = "bi_encoder"        # or "cross_encoder"
/// dimension = 384            # bi_encoder: numbers in a vector
/// pooling = "cls"            # bi_encoder: "cls" or "mean"
/// query_prefix = ""          # put before a query
/// document_prefix = ""       # put before a document
/// max_tokens = 512           # longer texts are cut
/// batch_invariant = false    # whether a text gets the same vector alone and in a batch
/// ```
#[derive(Clone, Debug)]
pub struct ModelFolder {
    pub(super) dir: PathBuf,
    pub(super) description: Description,
    fingerprint: ModelFingerprint,
}

/// `model.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Description {
    pub name: String,
    pub kind: ModelKind,
    #[serde(default)]
    pub dimension: usize,
    #[serde(default)]
    pub pooling: Pooling,
    #[serde(default)]
    pub query_prefix: String,
    #[serde(default)]
    pub document_prefix: String,
    pub max_tokens: usize,
    #[serde(default)]
    pub batch_invariant: bool,
}

/// What a model reads and gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelKind {
    /// One text, a vector.
    BiEncoder,
    /// Two texts, a score.
    CrossEncoder,
}

/// How a bi-encoder's token vectors become one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pooling {
    /// The first token's.
    Cls,
    /// Their mean.
    #[default]
    Mean,
}

/// Why a model cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The ONNX Runtime library does not load.
    #[error(
        "cannot load ONNX Runtime from {path}: {reason}; `shortlist assets pull onnxruntime` fetches one, ORT_DYLIB_PATH names another"
    )]
    Library {
        /// Which library.
        path: PathBuf,
        /// The loader's words.
        reason: String,
    },
    /// A file of the folder cannot be read.
    #[error("cannot read {path}: {source}; a model folder has model.onnx, tokenizer.json and model.toml")]
    Io {
        /// Which file.
        path: PathBuf,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// `model.toml` does not describe a model.
    #[error("{path} does not describe a model: {reason}")]
    Description {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// `tokenizer.json` is no tokenizer.
    #[error("{path} is not a tokenizer: {reason}")]
    Tokenizer {
        /// Which file.
        path: PathBuf,
        /// The library's words.
        reason: String,
    },
    /// `model.onnx` does not load.
    #[error("ONNX Runtime refuses {path}: {source}")]
    Session {
        /// Which file.
        path: PathBuf,
        /// ONNX Runtime's error.
        source: ort::Error,
    },
    /// It loads, but does not give what its description says.
    #[error("the model in {path} does not do what its model.toml says: {reason}")]
    Mismatch {
        /// The folder.
        path: PathBuf,
        /// What is different.
        reason: String,
    },
}

impl ModelFolder {
    /// Reads the description, and every file once for the fingerprint.
    ///
    /// # Errors
    /// [`ModelError`] when a file is missing or the description is wrong.
    pub fn open(dir: &Path) -> Result<Self, ModelError> {
        let path = dir.join("model.toml");
        let text = fs::read_to_string(&path).map_err(|source| ModelError::Io { path: path.clone(), source })?;
        let refuse = |reason: String| ModelError::Description { path: path.clone(), reason };
        let description: Description = toml::from_str(&text).map_err(|error| refuse(error.to_string()))?;
        if !(1..=TOKENS_MAX).contains(&description.max_tokens) {
            return Err(refuse(format!("max_tokens is 1 to {TOKENS_MAX}, not {}", description.max_tokens)));
        }
        if description.kind == ModelKind::BiEncoder && !(1..=16_384).contains(&description.dimension) {
            return Err(refuse(format!("a bi_encoder's dimension is 1 to 16384, not {}", description.dimension)));
        }
        let mut hasher = Sha256::new();
        hasher.update(format!("{description:?}"));
        for file in ["model.onnx", "tokenizer.json"] {
            let path = dir.join(file);
            let sum = sum_file(&path).map_err(|source| ModelError::Io { path, source })?;
            hasher.update(sum.sha256);
        }
        let digest = hex::encode(&hasher.finalize()[..8]);
        let fingerprint = ModelFingerprint(format!("{}-{digest}", description.name));
        Ok(Self { dir: dir.to_owned(), description, fingerprint })
    }

    /// The name in its description.
    pub fn name(&self) -> &str {
        &self.description.name
    }

    /// What it reads and gives.
    pub fn kind(&self) -> ModelKind {
        self.description.kind
    }

    /// The error of a model that is not what is needed.
    pub(crate) fn mismatch(&self, reason: String) -> ModelError {
        ModelError::Mismatch { path: self.dir.clone(), reason }
    }

    /// Name and digest of the files and the description.
    pub fn fingerprint(&self) -> &ModelFingerprint {
        &self.fingerprint
    }
}
