//! Loads models, fetching what is missing.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread::available_parallelism;

use anyhow::Result;
use shortlist_index::{CrossEncoder, Embedder, ModelFolder, Models, OnnxEmbedder, Reranker, Runtime};

use crate::own_model;
use crate::places::PlaceArgs;
use crate::progress::AssetBar;

/// The asset of the default reranker.
const RERANKER: &str = "reranker-en";

/// How many texts are to be read at a time: each takes a session of 40 MB, and 100 ms to load.
#[derive(Clone, Copy)]
pub enum Sessions {
    /// For a single query.
    One,
    /// For many.
    PerCore,
}

/// The embedding model, and the reranker if it is wanted; the embedding model also by itself, as ingest wants it.
pub fn load(places: &PlaceArgs, rerank: bool, sessions: Sessions) -> Result<(Models, Arc<dyn Embedder>)> {
    let assets = places.assets();
    let progress = AssetBar::new();
    let runtime = Runtime::load(&assets.onnxruntime_library(places.onnxruntime.as_deref(), &progress)?)?;
    let n_sessions = match sessions {
        Sessions::One => 1,
        Sessions::PerCore => available_parallelism().map_or(1, std::num::NonZeroUsize::get),
    };
    let open = |chosen: &Option<PathBuf>, default: &dyn Fn() -> Result<PathBuf>| -> Result<ModelFolder> {
        Ok(ModelFolder::open(&chosen.clone().map_or_else(default, Ok)?)?)
    };

    let encoder = open(&places.model, &|| own_model::folder(assets.root()))?;
    let embedder: Arc<dyn Embedder> = Arc::new(OnnxEmbedder::open(&runtime, &encoder, n_sessions)?);
    let reranker: Option<Arc<dyn Reranker>> = if rerank {
        let folder = open(&places.reranker, &|| Ok(assets.ensure(RERANKER, &progress)?))?;
        Some(Arc::new(CrossEncoder::open(&runtime, &folder, n_sessions)?))
    } else {
        None
    };
    Ok((Models { embedder: Some(embedder.clone()), reranker }, embedder))
}
