//! [`measure`]: how long a sync takes, and how soon a small change can be searched.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufWriter, ErrorKind, Read, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

use flate2::read::MultiGzDecoder;
use serde::Serialize;
use serde_json::Value;
use shortlist_index::{Embedder, Grant, Mode, Models, SearchRequest, Store, TextRole, search};
use shortlist_ingest::embedding_cache::PART_ROWS;
use shortlist_ingest::source::Source;
use shortlist_ingest::source::jsonl::Jsonl;
use shortlist_ingest::sync::{SyncObserver, SyncOptions, SyncReport, sync};

use crate::bounded::each_line_of;
use crate::error::BenchError;
use crate::spread::is_chosen;

/// The longest line of a catalog, in bytes.
const LINE_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// Texts that the model alone is measured with.
const MODEL_TEXTS: usize = 4_000;
/// A word that no catalog has; the changed tools say it.
const WORD: &str = "qzxchanged";

/// A first sync of a catalog, a sync after some of its tools changed, and the same change built whole.
#[derive(Clone, Debug, Serialize)]
pub struct DeltaReport {
    /// Tools in the catalog.
    pub n_tools: u64,
    /// Tools whose description changed, spread evenly.
    pub n_changed: u64,
    /// The model that made the vectors.
    pub embedder: String,
    /// The first sync.
    pub first: Pass,
    /// The sync of the change as a delta.
    pub delta: Pass,
    /// The sync of the change back, built whole; its texts are in the cache.
    pub whole: Pass,
    /// The model's own throughput: what embedding is measured against.
    pub model: ModelAlone,
    /// The most memory that the process had, in bytes; 0 where the system does not tell.
    pub peak_bytes: u64,
}

/// The model on some of the texts and nothing around it: those of like length together and in parts as large as a sync's. It is
/// warm by then, so what a sync pays for the first texts is in the ratio.
#[derive(Clone, Debug, Serialize)]
pub struct ModelAlone {
    /// Texts embedded, spread evenly over the catalog.
    pub n_texts: usize,
    /// Seconds.
    pub seconds: f64,
}

impl DeltaReport {
    /// Texts that the first sync embedded in a second, over those that the model alone does; `None` where nothing was embedded.
    pub fn of_the_models_own(&self) -> Option<f64> {
        let ModelAlone { n_texts, seconds } = self.model;
        (self.first.n_embedded > 0 && n_texts > 0)
            .then(|| (self.first.n_embedded as f64 / self.first.embed_s) / (n_texts as f64 / seconds))
    }
}

/// One sync.
#[derive(Clone, Debug, Serialize)]
pub struct Pass {
    /// Whether a delta was published.
    pub is_delta: bool,
    /// Texts embedded.
    pub n_embedded: usize,
    /// Seconds of embedding.
    pub embed_s: f64,
    /// Seconds of everything else.
    pub other_s: f64,
    /// Seconds from the start of the sync until a reader that had the generation before has taken the new one over and a
    /// search has answered from it.
    pub visible_s: f64,
    /// Each step with its seconds.
    pub steps: Vec<(String, f64)>,
}

/// Syncs the catalog in `tools` (JSON lines, plain or gzip) into the empty folder `home`, changes `percent` of its tools,
/// syncs again as a delta, and once more whole.
///
/// # Errors
/// [`BenchError`] when the catalog cannot be read, a sync fails, or the change is not found afterwards.
pub fn measure(
    tools: &Path,
    percent: usize,
    home: &Path,
    embedder: &dyn Embedder,
    observer: &mut dyn SyncObserver,
) -> Result<DeltaReport, BenchError> {
    let catalog = home.join("catalog.jsonl");
    let io = |action: &'static str, path: &Path| {
        let path = path.to_owned();
        move |error| BenchError::Io { action, path, error }
    };
    let lines = read_lines(tools)?;
    let changes = |place| is_chosen(place, percent.clamp(1, 100), 100);
    let changed: Vec<String> = lines.iter().enumerate().map(|(place, line)| change(line, changes(place))).collect();
    let store = Store::new(&home.join("store"));
    let mut run = |lines: &[String], options: &SyncOptions, expects_word: bool| {
        write_lines(&catalog, lines).map_err(io("write", &catalog))?;
        pass(&catalog, &store, embedder, observer, options, expects_word)
    };
    let (first, _) = run(&lines, &SyncOptions::default(), false)?;
    let (delta, report) = run(&changed, &SyncOptions { delta_percent_max: 100, ..SyncOptions::default() }, true)?;
    let (whole, _) = run(&lines, &SyncOptions { delta_percent_max: 0, ..SyncOptions::default() }, false)?;
    // Before the model is measured alone, which is no part of a sync.
    let peak_bytes = peak_bytes();
    let model = alone(&store, embedder)?;
    Ok(DeltaReport {
        n_tools: report.n_tools(),
        n_changed: report.sources.values().map(|source| source.n_changed).sum(),
        embedder: embedder.fingerprint().0.clone(),
        first,
        delta,
        whole,
        model,
        peak_bytes,
    })
}

fn alone(store: &Store, embedder: &dyn Embedder) -> Result<ModelAlone, BenchError> {
    let snapshot = store.open_current()?.snapshot;
    let texts: BTreeSet<String> = snapshot.tools().map(|tool| tool.embedding_text()).collect();
    let n_all = texts.len();
    let chosen = texts.iter().enumerate().filter(|&(place, _)| is_chosen(place, MODEL_TEXTS, n_all));
    let mut texts: Vec<&str> = chosen.map(|(_, text)| text.as_str()).collect();
    texts.sort_by_key(|text| Reverse(text.len()));
    let began = Instant::now();
    for part in texts.chunks(PART_ROWS) {
        embedder.embed_all(TextRole::Document, part, &|_| {})?;
    }
    Ok(ModelAlone { n_texts: texts.len(), seconds: began.elapsed().as_secs_f64() })
}

fn pass(
    catalog: &Path,
    store: &Store,
    embedder: &dyn Embedder,
    observer: &mut dyn SyncObserver,
    options: &SyncOptions,
    expects_word: bool,
) -> Result<(Pass, SyncReport), BenchError> {
    let sources: Vec<Box<dyn Source>> = vec![Box::new(Jsonl::new("bench", catalog))];
    let serving = store.open_current().ok().map(|opened| opened.snapshot);
    let began = Instant::now();
    let report = sync(&sources, store, embedder, observer, options)?;
    let snapshot = store.open_beside(report.generation, serving.as_ref())?;
    let allowed = snapshot.allow(&Grant::everything());
    let request = SearchRequest { mode: Mode::Lexical, ..SearchRequest::new(WORD) };
    let answer = search(&snapshot, &Models::default(), &allowed, &request);
    let answer = answer.map_err(|error| BenchError::Search { query: WORD.to_owned(), error })?;
    let found = !answer.hits.is_empty();
    let visible_s = began.elapsed().as_secs_f64();
    if found != expects_word {
        return Err(BenchError::NotVisible { generation: report.generation });
    }
    let embed_s: f64 = report.seconds.iter().filter(|(step, _)| step == "embed").map(|(_, seconds)| seconds).sum();
    let pass = Pass {
        is_delta: report.is_delta,
        n_embedded: report.n_embedded,
        embed_s,
        other_s: report.seconds.iter().map(|(_, seconds)| seconds).sum::<f64>() - embed_s,
        visible_s,
        steps: report.seconds.clone(),
    };
    Ok((pass, report))
}

/// The record, saying the word if it is to change. What is no record stays as it is, for the sync to refuse.
fn change(line: &str, changes: bool) -> String {
    match serde_json::from_str(line) {
        Ok(Value::Object(mut record)) if changes => {
            let text = record.get("description").and_then(Value::as_str).unwrap_or_default();
            let text = format!("{text} {WORD}");
            record.insert("description".to_owned(), text.into());
            Value::Object(record).to_string()
        }
        _ => line.to_owned(),
    }
}

fn read_lines(path: &Path) -> Result<Vec<String>, BenchError> {
    let failed = |error| BenchError::Io { action: "read", path: PathBuf::from(path), error };
    let file = File::open(path).map_err(failed)?;
    let plain: Box<dyn Read> =
        if path.extension().is_some_and(|e| e == "gz") { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
    let mut lines = Vec::new();
    let bad = |line, reason| failed(io::Error::new(ErrorKind::InvalidData, format!("line {line}: {reason}")));
    each_line_of(plain, path, LINE_BYTES_MAX, bad, |_, bytes| {
        lines.push(String::from_utf8_lossy(bytes).trim_end().to_owned());
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(lines)
}

fn write_lines(path: &Path, lines: &[String]) -> std::io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    lines.iter().try_for_each(|line| writeln!(file, "{line}"))?;
    file.flush()
}

/// `VmHWM` of Linux.
fn peak_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).map_or(0, |kib| kib * 1024)
}

#[cfg(test)]
mod tests {
    use shortlist_ingest::sync::Quiet;

    use super::*;

    #[test]
    fn a_record_says_the_word_and_what_is_none_stays() {
        assert_eq!(change(r#"{"id":"a"}"#, true), format!(r#"{{"description":" {WORD}","id":"a"}}"#));
        assert_eq!(change(r#"{"description":"x"}"#, true), format!(r#"{{"description":"x {WORD}"}}"#));
        for line in [r#"{"id":"a"}"#, "[1]", "7", "", "{"] {
            assert_eq!(change(line, false), line);
        }
        for line in ["[1]", "7", "\"text\"", "", "{"] {
            assert_eq!(change(line, true), line);
        }
    }

    #[test]
    fn as_many_change_as_were_asked_for() {
        let home = tempfile::tempdir().expect("a folder");
        let tools = home.path().join("tools.jsonl");
        let line = |number: usize| {
            format!(r#"{{"id":"{number}","namespace":"n","name":"t{number}","description":"Tool {number}."}}"#)
        };
        write_lines(&tools, &(0..100).map(line).collect::<Vec<_>>()).expect("it is written");
        let embedder = shortlist_index::HashingEmbedder::new(16);
        for percent in [1, 34, 49, 50] {
            let home = tempfile::tempdir().expect("a folder");
            let report = measure(&tools, percent, home.path(), &embedder, &mut Quiet).expect("it measures");
            assert_eq!((report.n_tools, report.n_changed), (100, percent as u64));
            assert_eq!((report.first.n_embedded, report.model.n_texts), (100, 100));
            assert!(report.of_the_models_own().is_some());
        }
    }
}
