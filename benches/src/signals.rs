//! [`write()`]: what fusion knows of every query's candidates, for whoever learns from it.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;

use rayon::prelude::*;
use serde::Serialize;
use shortlist_index::{
    Grant, LIMIT_MAX, Models, Pattern, QueryClass, SearchRequest, Selector, Signals, Snapshot, Tool, identifier_words,
    search,
};

use crate::catalog_index::CatalogIndex;
use crate::dataset::Dataset;
use crate::error::BenchError;
use crate::queries::JudgedQuery;

/// A namespace that holds more of the catalog than this is a drawer for everything, and its tools are no siblings.
const FAMILY_SHARE_MAX: f64 = 0.1;
/// In such a drawer, tools are siblings that have so much of their names in common (Jaccard).
const FAMILY_NAMES_MIN: f64 = 0.5;

/// What fusion knows of one query's candidates.
#[derive(Debug, Serialize)]
struct Known<'a> {
    query: &'a str,
    split: Option<&'a str>,
    class: QueryClass,
    /// Best first, over the whole catalog.
    with: Vec<Candidate>,
    /// The same where the tools that answer the query are not in the catalog, nor their siblings.
    without: Vec<Candidate>,
}

/// One candidate: its grade, and its signals.
#[derive(Debug, Serialize)]
struct Candidate {
    grade: u32,
    signals: Signals,
}

/// Asks each query twice (once without the tools that answer it, nor their siblings) and writes a line of JSON for each.
///
/// Costs the embedding of every tool that `cache` does not hold, then two searches for each query, on all cores.
///
/// # Errors
/// [`BenchError`], also when there is no embedding model.
pub fn write(dataset: &Dataset, models: &Models, cache: Option<&Path>, out: &mut impl Write) -> Result<(), BenchError> {
    let index = CatalogIndex::build(&dataset.tools, models.embedder.as_deref(), cache, &|_| {})?;
    let known: Vec<Known<'_>> = dataset
        .queries
        .par_iter()
        .map(|query| {
            let missing = without(&dataset.tools, query)?;
            Ok(Known {
                query: &query.id,
                split: query.split.as_deref(),
                class: QueryClass::of(&query.query),
                with: candidates(&index.snapshot, models, &Grant::everything(), query)?,
                without: candidates(&index.snapshot, models, &missing, query)?,
            })
        })
        .collect::<Result<_, BenchError>>()?;
    for known in known {
        let line = serde_json::to_string(&known).map_err(std::io::Error::from);
        line.and_then(|line| writeln!(out, "{line}")).map_err(|error| BenchError::Io {
            action: "write",
            path: "the signals".into(),
            error,
        })?;
    }
    Ok(())
}

fn candidates(
    snapshot: &Snapshot,
    models: &Models,
    grant: &Grant,
    query: &JudgedQuery,
) -> Result<Vec<Candidate>, BenchError> {
    let request = SearchRequest {
        limit: LIMIT_MAX,
        explain: true,
        whole: true,
        collapse: false,
        ..SearchRequest::new(query.query.as_str())
    };
    let answer = search(snapshot, models, &snapshot.allow(grant), &request)
        .map_err(|error| BenchError::Search { query: query.id.clone(), error })?;
    let candidate = |hit: shortlist_index::Hit| {
        let signals = hit.explanation.and_then(|explanation| explanation.signals).unwrap_or_default();
        Candidate { grade: query.grade(&hit.tool.provenance.foreign_id), signals }
    };
    Ok(answer.hits.into_iter().map(candidate).collect())
}

/// A grant of everything but the tools that answer a query and their siblings: those of the same namespace, or, where that
/// holds more than a tenth of the catalog, those of like names. What it leaves must not answer the query.
fn without(tools: &[Tool], query: &JudgedQuery) -> Result<Grant, BenchError> {
    let gold: Vec<&Tool> = tools.iter().filter(|tool| query.grade(&tool.provenance.foreign_id) > 0).collect();
    let in_namespace = |namespace: &str| tools.iter().filter(|tool| tool.reference.namespace() == namespace).count();
    let is_family =
        |tool: &Tool| in_namespace(tool.reference.namespace()) as f64 <= FAMILY_SHARE_MAX * tools.len() as f64;
    let gold: Vec<(&Tool, bool)> = gold.into_iter().map(|tool| (tool, is_family(tool))).collect();
    let denied = tools.iter().filter(|tool| gold.iter().any(|&(gold, family)| is_sibling(tool, gold, family)));
    let deny = denied
        .map(|tool| {
            let pattern = Pattern::new(&tool.reference.to_string());
            // A ref that is no pattern (it holds a bracket) denies everything: the query is then no example.
            Selector { refs: pattern.into_iter().collect(), ..Selector::default() }
        })
        .collect();
    Ok(Grant::new(vec![Selector::default()], deny, BTreeSet::new()))
}

fn is_sibling(tool: &Tool, gold: &Tool, is_family: bool) -> bool {
    if is_family {
        return tool.reference.namespace() == gold.reference.namespace();
    }
    let words = |tool: &Tool| -> BTreeSet<String> {
        identifier_words(&tool.name).into_iter().map(|word| word.to_lowercase()).collect()
    };
    let (a, b) = (words(tool), words(gold));
    let common = a.intersection(&b).count() as f64;
    common / (a.len() as f64 + b.len() as f64 - common) >= FAMILY_NAMES_MIN
}
