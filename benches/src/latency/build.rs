//! [`build`]: a workload as a generation on disk.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use shortlist_index::{Embedder, Embedding, ModelFingerprint, NewGeneration, Store, TextRole, Tool};

use super::cell::rounded;
use super::memory::{Memory, mb, peak};
use super::workload::Workload;
use crate::bounded::read_text;
use crate::error::BenchError;

/// What building took, beside the generation.
const REPORT: &str = "built.json";
/// The most bytes of that.
const REPORT_BYTES_MAX: u64 = 1 << 20;

/// What building took, under bench.py's names.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BuildReport {
    /// Names the documents.
    workload: String,
    /// Names what their vectors are.
    pub embedder: String,
    /// Numbers in a vector.
    pub dimension: usize,
    /// Seconds of embedding; 0 where vectors are given.
    pub embed_s: f64,
    /// Seconds from documents and vectors in memory to a published generation, verified and flushed to the disk.
    pub build_s: f64,
    /// Each step of publishing with its seconds.
    pub steps_s: Vec<(String, f64)>,
    /// The most that was resident until it was built, above what was before documents and vectors were read.
    pub peak_mb: f64,
    /// The generation's files.
    pub disk_mb: f64,
    /// What built it.
    pub versions: BTreeMap<String, String>,
}

/// Builds a generation of the workload in the folder `home`, and leaves beside it what that took. The vectors are those that are
/// given, or `embedder`'s.
///
/// # Errors
/// [`BenchError`] when the workload cannot be read, has no vectors and there is no embedder, or publishing fails.
pub fn build(workload: &Workload, home: &Path, embedder: Option<&dyn Embedder>) -> Result<BuildReport, BenchError> {
    let before = Memory::now();
    let (fingerprint, dimension) = vectors_of(workload, embedder)?;
    let documents = workload.documents(embedder.is_none())?;
    let began = Instant::now();
    let tools = embedded(workload, documents, embedder)?;
    let embed_s = began.elapsed().as_secs_f64();

    let began = Instant::now();
    let generation =
        NewGeneration { tools, embedder: fingerprint.clone(), dimension, sources: BTreeMap::new(), created_unix_s: 0 };
    let store = Store::new(home);
    let mut starts = Vec::new();
    let lock = store.lock()?;
    store.publish(&lock, generation, &mut |step| starts.push((format!("{step:?}").to_lowercase(), Instant::now())))?;
    let ended = Instant::now();
    let ends = starts.iter().skip(1).map(|(_, start)| *start).chain([ended]);
    let steps_s = starts.iter().zip(ends).map(|((step, start), end)| (step.clone(), (end - *start).as_secs_f64()));
    let report = BuildReport {
        workload: workload.name(),
        embedder: fingerprint.0,
        dimension,
        embed_s: rounded(embed_s),
        build_s: rounded((ended - began).as_secs_f64()),
        steps_s: steps_s.collect(),
        peak_mb: mb(peak() - before.resident),
        disk_mb: disk_mb(home).map_err(|error| io("read", home, error))?,
        versions: BTreeMap::from([("shortlist".to_owned(), env!("CARGO_PKG_VERSION").to_owned())]),
    };
    let path = home.join(REPORT);
    let text = serde_json::to_string_pretty(&report).map_err(|error| workload.bad(error.to_string()))?;
    fs::write(&path, text).map_err(|error| io("write", &path, error))?;
    Ok(report)
}

/// What [`build`] left in `home` when it built this workload with these vectors.
///
/// # Errors
/// [`BenchError`] when nothing was built there, or something else.
pub fn built(workload: &Workload, home: &Path, embedder: Option<&dyn Embedder>) -> Result<BuildReport, BenchError> {
    let path = home.join(REPORT);
    let bad = |reason| BenchError::Workload { path: path.clone(), reason };
    let text = read_text(&path, REPORT_BYTES_MAX)?.ok_or_else(|| bad("it is no report of a build".to_owned()))?;
    let report: BuildReport = serde_json::from_str(&text).map_err(|error| bad(error.to_string()))?;
    let expected = (workload.name(), vectors_of(workload, embedder)?.0.0);
    if (report.workload.clone(), report.embedder.clone()) == expected {
        return Ok(report);
    }
    let (got, expected) = ([report.workload, report.embedder].join(" by "), [expected.0, expected.1].join(" by "));
    Err(bad(format!("the generation beside it is of {got}, expected {expected}; remove the folder, or name another")))
}

/// Names the vectors, and says how long they are.
pub(super) fn vectors_of(
    workload: &Workload,
    embedder: Option<&dyn Embedder>,
) -> Result<(ModelFingerprint, usize), BenchError> {
    match (embedder, workload.dimension()) {
        (Some(embedder), _) => Ok((embedder.fingerprint().clone(), embedder.dimension())),
        (None, Some(dimension)) => Ok((ModelFingerprint("given".to_owned()), dimension)),
        (None, None) => Err(workload.bad("no vectors are given with it, so it needs a model".to_owned())),
    }
}

/// The documents with their vectors, those given or the embedder's.
fn embedded(
    workload: &Workload,
    documents: Vec<(Tool, Option<Embedding>)>,
    embedder: Option<&dyn Embedder>,
) -> Result<Vec<(Tool, Embedding)>, BenchError> {
    let Some(embedder) = embedder else {
        let given = documents.into_iter().map(|(tool, vector)| Some((tool, vector?)));
        return given.collect::<Option<_>>().ok_or_else(|| workload.bad("a document has no vector".to_owned()));
    };
    let texts: Vec<String> = documents.iter().map(|(tool, _)| tool.embedding_text()).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let vectors = embedder.embed_all(TextRole::Document, &texts, &|_| {})?;
    Ok(documents.into_iter().zip(vectors).map(|((tool, _), vector)| (tool, vector)).collect())
}

/// Of all files below a folder, in MB.
fn disk_mb(folder: &Path) -> std::io::Result<f64> {
    let mut bytes = 0;
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            if metadata.is_dir() { folders.push(entry.path()) } else { bytes += metadata.len() }
        }
    }
    Ok((bytes as f64 / 1e5).round() / 10.0)
}

fn io(action: &'static str, path: &Path, error: std::io::Error) -> BenchError {
    BenchError::Io { action, path: path.to_owned(), error }
}
