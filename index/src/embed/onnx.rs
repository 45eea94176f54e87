//! [`OnnxEmbedder`]: a bi-encoder under ONNX Runtime.

use std::sync::atomic::{AtomicBool, Ordering};

use ndarray::{ArrayView2, ArrayViewD, Axis, Ix2, Ix3};
use ort::session::Session;
use ort::session::builder::GraphOptimizationLevel;
use ort::value::Tensor;
use rayon::prelude::*;
use tokenizers::{Encoding, Tokenizer, TruncationParams};

use super::model::{ModelError, ModelFolder, ModelKind, Pooling};
use super::runtime::Runtime;
use super::{EmbedError, Embedder, Embedding, ModelFingerprint, TextRole};

/// The most tokens of one batch of a batch-invariant model: what fits a core's cache.
const BATCH_TOKENS_MAX: usize = 2_048;
/// The most bytes of a text that are tokenized, for each token that the model reads: no word piece of prose is longer, and
/// a text of megabytes costs no more than one of a page.
const BYTES_PER_TOKEN_MAX: usize = 24;

/// Turns text into vectors with a model folder's bi-encoder.
///
/// Nothing is padded. A batch-invariant model runs in batches of texts of the same number of tokens. Any other (a dynamically
/// quantised one scales its activations over the whole batch) runs one text at a time, so that the same text always gets the
/// same vector. Bring one session for each core.
pub struct OnnxEmbedder {
    model: String,
    fingerprint: ModelFingerprint,
    dimension: usize,
    pooling: Pooling,
    query_prefix: String,
    document_prefix: String,
    batch_invariant: bool,
    max_tokens: usize,
    tokenizer: Tokenizer,
    sessions: SessionPool,
}

impl OnnxEmbedder {
    /// Loads the model `n_sessions` times (at least once), and embeds one word to see that it does what its description
    /// says. Of the default model 40 MB and some 100 ms each.
    ///
    /// # Errors
    /// [`ModelError`] when the folder holds no bi-encoder, or the model does not load.
    pub fn open(runtime: &Runtime, folder: &ModelFolder, n_sessions: usize) -> Result<Self, ModelError> {
        if folder.kind() != ModelKind::BiEncoder {
            return Err(folder.mismatch(format!("a bi_encoder is needed, and this is a {:?}", folder.kind())));
        }
        let description = &folder.description;
        let embedder = Self {
            model: description.name.clone(),
            fingerprint: folder.fingerprint().clone(),
            dimension: description.dimension,
            pooling: description.pooling,
            query_prefix: description.query_prefix.clone(),
            document_prefix: description.document_prefix.clone(),
            batch_invariant: description.batch_invariant,
            max_tokens: description.max_tokens,
            tokenizer: open_tokenizer(folder)?,
            sessions: SessionPool::open(runtime, folder, n_sessions)?,
        };
        match embedder.embed(TextRole::Document, "tool") {
            Ok(_) => Ok(embedder),
            Err(error) => Err(folder.mismatch(error.to_string())),
        }
    }

    fn tokenize(&self, role: TextRole, text: &str) -> Result<Encoding, EmbedError> {
        let prefix = match role {
            TextRole::Query => &self.query_prefix,
            TextRole::Document => &self.document_prefix,
        };
        let text = clip(text, self.max_tokens * BYTES_PER_TOKEN_MAX);
        self.tokenizer
            .encode_fast(format!("{prefix}{text}"), true)
            .map_err(|error| EmbedError::Tokenize { model: self.model.clone(), reason: error.to_string() })
    }

    /// Runs the model over texts of the same length.
    fn run(&self, batch: &[&Encoding]) -> Result<Vec<Embedding>, EmbedError> {
        self.sessions.run(&self.model, batch, |output| {
            let shape = || EmbedError::Shape {
                model: self.model.clone(),
                expected: format!("[{}, tokens, {}] or [{0}, {1}]", batch.len(), self.dimension),
                got: output.shape().iter().map(|&length| length as i64).collect(),
            };
            if output.shape().last() != Some(&self.dimension) || output.shape().first() != Some(&batch.len()) {
                return Err(shape());
            }
            // A model that pools by itself gives two dimensions, else there is one vector for each token.
            if let Ok(pooled) = output.view().into_dimensionality::<Ix2>() {
                return Ok(pooled.outer_iter().map(|row| Embedding::from_unnormalised(row.to_vec())).collect());
            }
            let tokens = output.view().into_dimensionality::<Ix3>().map_err(|_| shape())?;
            if batch.iter().any(|encoding| encoding.len() != tokens.len_of(Axis(1))) {
                return Err(shape());
            }
            let pool = |rows: ArrayView2<'_, f32>| {
                let vector = match self.pooling {
                    Pooling::Cls => rows.row(0).to_vec(),
                    Pooling::Mean => rows.sum_axis(Axis(0)).to_vec(),
                };
                Embedding::from_unnormalised(vector)
            };
            Ok(tokens.outer_iter().map(pool).collect())
        })
    }
}

impl Embedder for OnnxEmbedder {
    fn fingerprint(&self) -> &ModelFingerprint {
        &self.fingerprint
    }

    fn dimension(&self) -> usize {
        self.dimension
    }

    fn embed(&self, role: TextRole, text: &str) -> Result<Embedding, EmbedError> {
        let encoding = self.tokenize(role, text)?;
        Ok(self.run(&[&encoding])?.swap_remove(0))
    }

    fn embed_all(
        &self,
        role: TextRole,
        texts: &[&str],
        on_done: &(dyn Fn(usize) + Sync),
    ) -> Result<Vec<Embedding>, EmbedError> {
        let encodings: Vec<Encoding> =
            texts.par_iter().map(|text| self.tokenize(role, text)).collect::<Result<_, _>>()?;
        // Longest first: equal lengths are neighbours, and no core is left with a long text at the end.
        let mut order: Vec<usize> = (0..texts.len()).collect();
        order.sort_by_key(|&place| (std::cmp::Reverse(encodings[place].len()), place));

        let failed = AtomicBool::new(false);
        let batches: Vec<&[usize]> = order
            .chunk_by(|&a, &b| self.batch_invariant && encodings[a].len() == encodings[b].len())
            .flat_map(|same| same.chunks((BATCH_TOKENS_MAX / encodings[same[0]].len().max(1)).max(1)))
            .collect();
        let done: Vec<Vec<(usize, Embedding)>> = batches
            .into_par_iter()
            .with_max_len(1)
            .map(|batch| {
                if failed.load(Ordering::Relaxed) {
                    return Ok(Vec::new());
                }
                let inputs: Vec<&Encoding> = batch.iter().map(|&place| &encodings[place]).collect();
                let embeddings = self.run(&inputs).inspect_err(|_| failed.store(true, Ordering::Relaxed))?;
                on_done(batch.len());
                Ok(batch.iter().copied().zip(embeddings).collect())
            })
            .collect::<Result<_, EmbedError>>()?;
        let mut done: Vec<(usize, Embedding)> = done.into_iter().flatten().collect();
        done.sort_unstable_by_key(|&(place, _)| place);
        Ok(done.into_iter().map(|(_, embedding)| embedding).collect())
    }
}

/// Sessions of one model, each used by one caller at a time: ONNX Runtime's `run` is not to be shared.
pub(crate) struct SessionPool {
    idle: crossbeam_channel::Receiver<Session>,
    give_back: crossbeam_channel::Sender<Session>,
}

impl SessionPool {
    /// Loads the model `n_sessions` times, each on a single thread: parallelism is over texts, and a session that spins
    /// would take the core from the others.
    pub fn open(runtime: &Runtime, folder: &ModelFolder, n_sessions: usize) -> Result<Self, ModelError> {
        let n_sessions = n_sessions.max(1);
        let (give_back, idle) = crossbeam_channel::bounded(n_sessions);
        for _ in 0..n_sessions {
            let path = folder.dir.join("model.onnx");
            let session = open_session(runtime, &path).map_err(|source| ModelError::Session { path, source })?;
            // The channel has room for every session there is.
            let _ = give_back.send(session);
        }
        Ok(Self { idle, give_back })
    }

    /// Runs the model over encodings of the same length, and reads its first output.
    pub fn run<T>(
        &self,
        model: &str,
        batch: &[&Encoding],
        read: impl FnOnce(ArrayViewD<'_, f32>) -> Result<T, EmbedError>,
    ) -> Result<T, EmbedError> {
        let failed = |source| EmbedError::Inference { model: model.to_owned(), source };
        let gone = || failed(ort::Error::new("no session is left"));
        let session = self.idle.recv().map_err(|_| gone())?;
        let mut lease = Lease { session: Some(session), give_back: &self.give_back };
        let session = lease.session.as_mut().ok_or_else(gone)?;
        run_session(session, batch, failed, read)
    }
}

/// A session in use. It goes back to the pool whatever happens, a panic included: a pool that lost one would be slower for
/// good, and one that lost all would hang.
struct Lease<'a> {
    session: Option<Session>,
    give_back: &'a crossbeam_channel::Sender<Session>,
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        if let Some(session) = self.session.take() {
            // The channel has room for every session there is.
            let _ = self.give_back.send(session);
        }
    }
}

fn run_session<T>(
    session: &mut Session,
    batch: &[&Encoding],
    failed: impl Fn(ort::Error) -> EmbedError + Copy,
    read: impl FnOnce(ArrayViewD<'_, f32>) -> Result<T, EmbedError>,
) -> Result<T, EmbedError> {
    let n_tokens = batch.first().map_or(0, |encoding| encoding.len());
    let mut inputs = Vec::with_capacity(3);
    for input in session.inputs() {
        let field = match input.name() {
            "input_ids" => Encoding::get_ids,
            "attention_mask" => Encoding::get_attention_mask,
            "token_type_ids" => Encoding::get_type_ids,
            other => return Err(failed(ort::Error::new(format!("the model wants an input {other:?}")))),
        };
        let mut values = Vec::with_capacity(batch.len() * n_tokens);
        for encoding in batch {
            values.extend(field(encoding).iter().map(|&id| i64::from(id)));
        }
        let tensor = Tensor::from_array(([batch.len(), n_tokens], values)).map_err(failed)?;
        inputs.push((input.name().to_owned(), tensor));
    }
    let outputs = session.run(inputs).map_err(failed)?;
    let output = outputs.values().next().ok_or_else(|| failed(ort::Error::new("the model gives no output")))?;
    read(output.try_extract_array::<f32>().map_err(failed)?)
}

fn open_session(runtime: &Runtime, path: &std::path::Path) -> ort::Result<Session> {
    Session::builder(runtime.environment())?
        .with_optimization_level(GraphOptimizationLevel::All)?
        .with_intra_threads(1)?
        .with_inter_threads(1)?
        .with_config_entry("session.intra_op.allow_spinning", "0")?
        .commit_from_file(path)
}

/// The folder's tokenizer, cutting at the description's `max_tokens` and never padding.
pub(crate) fn open_tokenizer(folder: &ModelFolder) -> Result<Tokenizer, ModelError> {
    let path = folder.dir.join("tokenizer.json");
    let refuse = |error: tokenizers::Error| ModelError::Tokenizer { path: path.clone(), reason: error.to_string() };
    let mut tokenizer = Tokenizer::from_file(&path).map_err(refuse)?;
    let truncation = TruncationParams { max_length: folder.description.max_tokens, ..TruncationParams::default() };
    tokenizer.with_truncation(Some(truncation)).map_err(refuse)?;
    tokenizer.with_padding(None);
    Ok(tokenizer)
}

/// The first `bytes_max` bytes, or fewer where a character would be cut.
pub(crate) fn clip(text: &str, bytes_max: usize) -> &str {
    &text[..text.floor_char_boundary(bytes_max)]
}
