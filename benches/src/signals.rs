//! [`write()`]: what fusion knows of every query's candidates, for whoever learns from it.

use std::io::Write;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::Serialize;
use shortlist_index::{Grant, LIMIT_MAX, Models, QueryClass, SearchRequest, Signals, Snapshot, search};

use crate::catalog_index::CatalogIndex;
use crate::dataset::Dataset;
use crate::error::BenchError;
use crate::left_out;
use crate::queries::{self, JudgedQuery};

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

/// One candidate: its id in the set, its grade, and its signals.
#[derive(Debug, Serialize)]
struct Candidate {
    tool: String,
    grade: u32,
    signals: Signals,
}

/// Asks each query twice (once without the tools that answer it, nor their siblings) and writes a line of JSON for each.
/// Then asks what no tool of the catalog serves, a request a line of the files `unserved`: such a query has no candidates in
/// `with`.
///
/// Costs the embedding of every tool that `cache` does not hold, then two searches for each query, on all cores.
///
/// # Errors
/// [`BenchError`], also when there is no embedding model.
pub fn write(
    dataset: &Dataset,
    unserved: &[PathBuf],
    models: &Models,
    cache: Option<&Path>,
    out: &mut impl Write,
) -> Result<(), BenchError> {
    let unserved = unserved.iter().map(|path| queries::read_unserved(path)).collect::<Result<Vec<_>, _>>()?.concat();
    let index = CatalogIndex::build(&dataset.tools, models.embedder.as_deref(), cache, &|_| {})?;
    let ask = |grant: &Grant, query| candidates(&index.snapshot, models, grant, query);
    let served = dataset.queries.par_iter().map(|query| {
        Ok(known(query, ask(&Grant::everything(), query)?, ask(&left_out::grant(&dataset.tools, query), query)?))
    });
    let unserved = unserved.par_iter().map(|query| Ok(known(query, Vec::new(), ask(&Grant::everything(), query)?)));
    let all: Vec<Known<'_>> = served.chain(unserved).collect::<Result<_, BenchError>>()?;
    for known in all {
        let line = serde_json::to_string(&known).map_err(std::io::Error::from);
        line.and_then(|line| writeln!(out, "{line}")).map_err(|error| BenchError::Io {
            action: "write",
            path: "the signals".into(),
            error,
        })?;
    }
    Ok(())
}

fn known(query: &JudgedQuery, with: Vec<Candidate>, without: Vec<Candidate>) -> Known<'_> {
    Known { query: &query.id, split: query.split.as_deref(), class: QueryClass::of(&query.query), with, without }
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
        let tool = hit.tool.provenance.foreign_id;
        Candidate { grade: query.grade(&tool), tool, signals }
    };
    Ok(answer.hits.into_iter().map(candidate).collect())
}
