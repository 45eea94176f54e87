//! [`serve`]: what is served of a poisoned catalog where new texts wait for approval.

use std::path::Path;

use shortlist_index::{Models, Snapshot, Store, Tool};
use shortlist_ingest::error::SourceError;
use shortlist_ingest::handling::{Handling, OnText};
use shortlist_ingest::normalize::Normalized;
use shortlist_ingest::source::{Fetched, Record, Source, SourceState};
use shortlist_ingest::sync::{Quiet, SyncOptions, sync};

use super::forge::SOURCE;
use crate::catalog_index;
use crate::error::BenchError;
use crate::given::Given;

/// Syncs the set's tools as the approved baseline into the empty folder `home`, then once more with a source of the forged
/// ones, whose new texts wait, and opens what serves then.
pub(super) fn serve(
    tools: &[Tool],
    forged: &[Tool],
    models: &Models,
    cache: Option<&Path>,
    home: &Path,
) -> Result<Snapshot, BenchError> {
    let missing = || BenchError::NoModel { mode: "hybrid".to_owned(), model: "an embedding model" };
    let model = models.embedder.as_deref().ok_or_else(missing)?;
    let all = [tools, forged].concat();
    let vectors = catalog_index::embed(&all, model, cache, &|_| {})?;
    let known = all.iter().map(Tool::embedding_text).zip(vectors);
    let embedder = Given::new(model.fingerprint().clone(), model.dimension(), known);
    let store = Store::new(home);
    let baseline = tools.first().map_or(SOURCE, |tool| tool.reference.source());
    let mut sources: Vec<Box<dyn Source>> = vec![Box::new(Listed { name: baseline.to_owned(), tools: tools.to_vec() })];
    sync(&sources, &store, &embedder, &mut Quiet, &SyncOptions::default())?;
    sources.push(Box::new(Listed { name: SOURCE.to_owned(), tools: forged.to_vec() }));
    let mut options = SyncOptions::default();
    let waits = Handling { on_new: OnText::Quarantine, on_change: OnText::Quarantine, ..Handling::default() };
    options.handling.insert(SOURCE.to_owned(), waits);
    let report = sync(&sources, &store, &embedder, &mut Quiet, &options)?;
    Ok(store.open(report.generation)?)
}

/// A source that gives these tools.
struct Listed {
    name: String,
    tools: Vec<Tool>,
}

impl Source for Listed {
    fn name(&self) -> &str {
        &self.name
    }

    fn source_type(&self) -> &'static str {
        "listed"
    }

    fn fetch(&self, _: Option<&SourceState>, sink: &mut dyn FnMut(Record)) -> Result<Fetched, SourceError> {
        self.tools.iter().for_each(|tool| sink(Ok(Normalized { tool: tool.clone(), n_stripped: 0 })));
        Ok(Fetched::Complete(SourceState::default()))
    }
}
