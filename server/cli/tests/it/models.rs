//! The real models under the real runtime.

use std::path::PathBuf;

use shortlist_index::{CrossEncoder, Embedder, ModelError, ModelFolder, OnnxEmbedder, Reranker, Runtime, TextRole};
use shortlist_ingest::assets::{Assets, Silent};

fn assets() -> Assets {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../data/assets");
    Assets::locate(std::env::var_os("SHORTLIST_ASSETS").map_or(here, PathBuf::from))
}

fn runtime() -> Runtime {
    let explicit = std::env::var_os("ORT_DYLIB_PATH").map(PathBuf::from);
    let library = assets().onnxruntime_library(explicit.as_deref(), &Silent).expect("a library");
    Runtime::load(&library).expect("it loads")
}

/// Our own model, or one that is fetched.
fn folder(model: &str) -> ModelFolder {
    let path = match model {
        OURS => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../data/models").join(model),
        asset => assets().ensure(asset, &Silent).expect("it is fetched"),
    };
    ModelFolder::open(&path).expect("it is a model")
}

/// The folder of the default embedding model.
const OURS: &str = "encoder";

const TEXTS: [&str; 5] = [
    "list files",
    "Deletes a virtual machine and everything that is attached to it, without asking again.",
    "прогноз погоды",
    "",
    "Sends an email message to the recipients in the To, Cc, and Bcc headers.",
];

#[test]
fn a_text_gets_the_same_vector_alone_and_among_others_whatever_the_model() {
    for asset in [OURS, "bge-small-en", "minilm"] {
        let embedder = OnnxEmbedder::open(&runtime(), &folder(asset), 2).expect("it opens");
        let together = embedder.embed_all(TextRole::Document, &TEXTS, &|_| {}).expect("vectors");
        for (text, among) in TEXTS.iter().zip(together) {
            let alone = embedder.embed(TextRole::Document, text).expect("a vector");
            assert_eq!(alone, among, "{asset}: {text:?}");
            assert_eq!(alone.as_slice().len(), embedder.dimension());
        }
    }
}

#[test]
fn what_means_the_same_is_near_and_what_does_not_is_far() {
    for asset in [OURS, "bge-small-en", "minilm"] {
        let embedder = OnnxEmbedder::open(&runtime(), &folder(asset), 1).expect("it opens");
        let query = embedder.embed(TextRole::Query, "remove a VM").expect("a vector");
        let cosine = |text: &str| -> f32 {
            let vector = embedder.embed(TextRole::Document, text).expect("a vector");
            query.as_slice().iter().zip(vector.as_slice()).map(|(a, b)| a * b).sum()
        };
        assert!(cosine(TEXTS[1]) > cosine(TEXTS[4]) + 0.1, "{asset}");
    }
}

#[test]
fn the_reranker_tells_an_answer_from_another_text() {
    let reranker = CrossEncoder::open(&runtime(), &folder("reranker-en"), 2).expect("it opens");
    let scores = reranker.scores("how do I delete a virtual machine?", &TEXTS).expect("scores");
    let best = (0..TEXTS.len()).max_by(|&a, &b| scores[a].total_cmp(&scores[b]));
    assert_eq!(best, Some(1), "{scores:?}");
    assert_eq!(reranker.scores("how do I delete a virtual machine?", &TEXTS[1..2]).expect("scores")[0], scores[1]);
}

#[test]
fn a_model_that_is_not_what_its_description_says_is_refused() {
    let real = assets().ensure("bge-small-en", &Silent).expect("it is fetched");
    let copy = tempfile::tempdir().expect("a folder");
    for file in ["model.onnx", "tokenizer.json"] {
        std::fs::copy(real.join(file), copy.path().join(file)).expect("it is copied");
    }
    let description = std::fs::read_to_string(real.join("model.toml")).expect("a description");
    let open = |description: String| {
        std::fs::write(copy.path().join("model.toml"), description).expect("it is written");
        let folder = ModelFolder::open(copy.path())?;
        OnnxEmbedder::open(&runtime(), &folder, 1).map(|_| ())
    };
    open(description.clone()).expect("the copy is good");
    let error = open(description.replace("dimension = 384", "dimension = 512")).expect_err("it has 384");
    assert!(matches!(error, ModelError::Mismatch { .. }) && error.to_string().contains("[1, tokens, 512]"), "{error}");
    let error = open(description.replace("bi_encoder", "cross_encoder")).expect_err("it is none");
    assert!(error.to_string().contains("a bi_encoder is needed"), "{error}");
    let error = open("name = 7".to_owned()).expect_err("it describes nothing");
    assert!(matches!(error, ModelError::Description { .. }), "{error}");
}
