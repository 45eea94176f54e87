//! [`measure`]: what the vector graph misses against the exact scan, and what it saves.

use std::time::Instant;

use serde::Serialize;
use shortlist_index::{AllowedSet, Grant, LIMIT_MAX, Manifest, Mode, Models, SearchRequest, Snapshot, search};

use crate::error::BenchError;
use crate::metrics::percentile;
use crate::spread::is_chosen;

/// Graph against scan over one generation, everything visible.
#[derive(Clone, Debug, Serialize)]
pub struct GraphReport {
    /// Tools in the generation.
    pub n_tools: usize,
    /// Queries asked: summaries of tools spread evenly over the catalog.
    pub n_queries: usize,
    /// The share of the scan's first ten that the graph found too.
    pub recall_at_10: f64,
    /// Likewise of the first hundred.
    pub recall_at_100: f64,
    /// The share of queries whose first ten are the same in the same order.
    pub same_first_10: f64,
    /// Median time of a search by scan, in milliseconds, query embedding included.
    pub scan_p50_ms: f64,
    /// Median time of a search by graph, likewise.
    pub graph_p50_ms: f64,
}

/// Asks each query twice, by graph and by scan, one query at a time.
///
/// # Errors
/// [`BenchError`] when the generation has no graph, there is no embedding model, or a search fails.
pub fn measure(snapshot: &Snapshot, models: &Models, n_queries: usize) -> Result<GraphReport, BenchError> {
    if !has_graph(snapshot.manifest()) {
        return Err(BenchError::NoGraph { generation: snapshot.number(), n_tools: snapshot.n_tools() });
    }
    let allowed = snapshot.allow(&Grant::everything());
    let n_tools = snapshot.n_tools();
    let chosen = snapshot.tools().enumerate().filter(|&(place, _)| is_chosen(place, n_queries, n_tools));
    let summaries = chosen.map(|(_, tool)| tool.summary());
    let queries: Vec<String> = summaries.filter(|summary| !summary.is_empty()).collect();
    let (mut found_10, mut found_100, mut same, mut scan_ms, mut graph_ms) = (0.0, 0.0, 0.0, Vec::new(), Vec::new());
    for query in &queries {
        let (walked, walk_ms) = ask(snapshot, models, &allowed, query, false)?;
        let (scanned, exact_ms) = ask(snapshot, models, &allowed, query, true)?;
        found_10 += overlap(&walked, &scanned, 10);
        found_100 += overlap(&walked, &scanned, 100);
        same += f64::from(u8::from(walked.iter().take(10).eq(scanned.iter().take(10))));
        graph_ms.push(walk_ms);
        scan_ms.push(exact_ms);
    }
    scan_ms.sort_by(f64::total_cmp);
    graph_ms.sort_by(f64::total_cmp);
    let n = queries.len().max(1) as f64;
    Ok(GraphReport {
        n_tools,
        n_queries: queries.len(),
        recall_at_10: found_10 / n,
        recall_at_100: found_100 / n,
        same_first_10: same / n,
        scan_p50_ms: percentile(&scan_ms, 0.5),
        graph_p50_ms: percentile(&graph_ms, 0.5),
    })
}

/// Whether there is a graph, by the files of it. Without one the scan would be compared with itself.
fn has_graph(manifest: &Manifest) -> bool {
    manifest.files.keys().any(|file| file.split('/').nth(1) == Some("graph"))
}

/// The refs found, and how long it took.
fn ask(
    snapshot: &Snapshot,
    models: &Models,
    allowed: &AllowedSet,
    query: &str,
    exact: bool,
) -> Result<(Vec<String>, f64), BenchError> {
    let request =
        SearchRequest { limit: LIMIT_MAX, mode: Mode::Dense, exact, collapse: false, ..SearchRequest::new(query) };
    let start = Instant::now();
    let answer = search(snapshot, models, allowed, &request)
        .map_err(|error| BenchError::Search { query: query.to_owned(), error })?;
    let ms = start.elapsed().as_secs_f64() * 1e3;
    if let Some(degraded) = answer.degraded.into_iter().next() {
        let (query, mode) = (query.to_owned(), Mode::Dense.to_string());
        return Err(BenchError::Degraded { query, stage: degraded.stage, mode, reason: degraded.reason });
    }
    Ok((answer.hits.into_iter().map(|hit| hit.tool.reference.to_string()).collect(), ms))
}

/// The share of the first `k` of `scanned` that stands among the first `k` of `walked`.
fn overlap(walked: &[String], scanned: &[String], k: usize) -> f64 {
    let k = k.min(scanned.len());
    let walked = &walked[..k.min(walked.len())];
    let found = scanned[..k].iter().filter(|reference| walked.contains(reference)).count();
    found as f64 / k.max(1) as f64
}

#[cfg(test)]
mod tests {
    use shortlist_index::HashingEmbedder;

    use super::*;
    use crate::catalog_index::CatalogIndex;
    use crate::server::{ONE, catalog};

    #[test]
    fn without_a_graph_nothing_is_compared() {
        let tools = catalog(100, &ONE).expect("a catalog");
        let index = CatalogIndex::build(&tools, Some(&HashingEmbedder::new(16)), None, &|_| {}).expect("it is built");
        let refused = measure(&index.snapshot, &Models::default(), 10).map(|report| report.recall_at_10);
        assert!(matches!(refused, Err(BenchError::NoGraph { n_tools: 100, .. })), "{refused:?}");
    }

    #[test]
    fn overlap_counts_what_both_have_in_their_first_k() {
        let list = |refs: &[&str]| refs.iter().map(|&reference| reference.to_owned()).collect::<Vec<_>>();
        let (walked, scanned) = (list(&["a", "c", "x", "b"]), list(&["a", "b", "c", "d"]));
        assert_eq!(overlap(&walked, &scanned, 2), 0.5);
        assert_eq!(overlap(&walked, &scanned, 4), 0.75);
        assert_eq!(overlap(&[], &scanned, 4), 0.0);
    }
}
