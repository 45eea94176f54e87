//! [`measure`]: what the sketches of vectors miss against a scan of all vectors, and what they save.

use std::time::Instant;

use serde::Serialize;
use shortlist_index::{
    AllowedSet, Grant, LIMIT_MAX, Mode, Models, SKETCHED_TOOLS_MIN, SearchRequest, Snapshot, search,
};

use crate::error::BenchError;
use crate::metrics::percentile;
use crate::spread::is_chosen;

/// Sketches against scan over one generation, everything visible.
#[derive(Clone, Debug, Serialize)]
pub struct SketchReport {
    /// Tools in the generation.
    pub n_tools: usize,
    /// Queries asked: summaries of tools spread evenly over the catalog.
    pub n_queries: usize,
    /// The share of the scan's first ten that the sketches found too.
    pub recall_at_10: f64,
    /// Likewise of the first hundred.
    pub recall_at_100: f64,
    /// The share of queries whose first ten are the same in the same order.
    pub same_first_10: f64,
    /// Median time of a search by scan, in milliseconds, query embedding included.
    pub scan_p50_ms: f64,
    /// Median time of a search by sketches, likewise.
    pub sketches_p50_ms: f64,
}

/// Asks each query twice, by sketches and by scan, one query at a time.
///
/// # Errors
/// [`BenchError`] when the generation is too small for sketches, there is no embedding model, or a search fails.
pub fn measure(snapshot: &Snapshot, models: &Models, n_queries: usize) -> Result<SketchReport, BenchError> {
    let n_tools = snapshot.n_tools();
    // Otherwise the scan would be compared with itself.
    if n_tools < SKETCHED_TOOLS_MIN {
        return Err(BenchError::NoSketches { generation: snapshot.number(), n_tools });
    }
    let allowed = snapshot.allow(&Grant::everything());
    let chosen = snapshot.tools().enumerate().filter(|&(place, _)| is_chosen(place, n_queries, n_tools));
    let summaries = chosen.map(|(_, tool)| tool.summary());
    let queries: Vec<String> = summaries.filter(|summary| !summary.is_empty()).collect();
    let (mut found_10, mut found_100, mut same, mut scan_ms, mut sketches_ms) = (0.0, 0.0, 0.0, Vec::new(), Vec::new());
    for query in &queries {
        let (sketched, ms) = ask(snapshot, models, &allowed, query, false)?;
        let (scanned, exact_ms) = ask(snapshot, models, &allowed, query, true)?;
        found_10 += overlap(&sketched, &scanned, 10);
        found_100 += overlap(&sketched, &scanned, 100);
        same += f64::from(u8::from(sketched.iter().take(10).eq(scanned.iter().take(10))));
        sketches_ms.push(ms);
        scan_ms.push(exact_ms);
    }
    scan_ms.sort_by(f64::total_cmp);
    sketches_ms.sort_by(f64::total_cmp);
    let n = queries.len().max(1) as f64;
    Ok(SketchReport {
        n_tools,
        n_queries: queries.len(),
        recall_at_10: found_10 / n,
        recall_at_100: found_100 / n,
        same_first_10: same / n,
        scan_p50_ms: percentile(&scan_ms, 0.5),
        sketches_p50_ms: percentile(&sketches_ms, 0.5),
    })
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

/// The share of the first `k` of `scanned` that stands among the first `k` of `sketched`.
fn overlap(sketched: &[String], scanned: &[String], k: usize) -> f64 {
    let k = k.min(scanned.len());
    let sketched = &sketched[..k.min(sketched.len())];
    let found = scanned[..k].iter().filter(|reference| sketched.contains(reference)).count();
    found as f64 / k.max(1) as f64
}

#[cfg(test)]
mod tests {
    use shortlist_index::HashingEmbedder;

    use super::*;
    use crate::catalog_index::CatalogIndex;
    use crate::server::{ONE, catalog};

    #[test]
    fn without_sketches_nothing_is_compared() {
        let tools = catalog(100, &ONE).expect("a catalog");
        let index = CatalogIndex::build(&tools, Some(&HashingEmbedder::new(16)), None, &|_| {}).expect("it is built");
        let refused = measure(&index.snapshot, &Models::default(), 10).map(|report| report.recall_at_10);
        assert!(matches!(refused, Err(BenchError::NoSketches { n_tools: 100, .. })), "{refused:?}");
    }

    #[test]
    fn overlap_counts_what_both_have_in_their_first_k() {
        let list = |refs: &[&str]| refs.iter().map(|&reference| reference.to_owned()).collect::<Vec<_>>();
        let (sketched, scanned) = (list(&["a", "c", "x", "b"]), list(&["a", "b", "c", "d"]));
        assert_eq!(overlap(&sketched, &scanned, 2), 0.5);
        assert_eq!(overlap(&sketched, &scanned, 4), 0.75);
        assert_eq!(overlap(&[], &scanned, 4), 0.0);
    }
}
