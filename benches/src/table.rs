//! A report for people.

use std::fmt::Write;

use crate::relevance::{Part, Report};

/// The report as a table of plain text, ending in a line end: what was measured on what, then a line for each setting and
/// each split of it.
pub fn print(report: &Report) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write_report(&mut out, report);
    out
}

fn write_report(out: &mut String, report: &Report) -> std::fmt::Result {
    let dataset = &report.dataset;
    writeln!(
        out,
        "{} tools ({}, {}…), {} queries ({}, {}…), {} relevant",
        dataset.n_tools,
        dataset.tools_file,
        prefix(&dataset.tools_sha256),
        dataset.n_queries,
        dataset.queries_file,
        prefix(&dataset.queries_sha256),
        dataset.n_relevant,
    )?;
    writeln!(
        out,
        "model {}, {} threads, indexed in {:.1} s",
        report.embedder.as_deref().unwrap_or("none"),
        report.n_threads,
        report.index_s
    )?;
    if dataset.n_rejected > 0 {
        writeln!(out, "note: {} records are no tools and were left out:", dataset.n_rejected)?;
        dataset.rejections.iter().try_for_each(|rejection| writeln!(out, "  {rejection}"))?;
    }
    if dataset.n_relevant_absent > 0 {
        writeln!(
            out,
            "note: {} relevant tools are not in the catalog; each counts as missed",
            dataset.n_relevant_absent
        )?;
    }

    let splits = || report.runs.iter().flat_map(|run| run.splits.keys());
    let width = splits().map(|split| split.chars().count()).chain(["split".len()]).max().unwrap_or_default();
    writeln!(
        out,
        "\n{:<8} {:<6} {:<width$} {:>7} {:>7} {:>6} {:>6} {:>6} {:>6} {:>6} {:>6} {:>6} {:>7} {:>7}",
        "mode",
        "rerank",
        "split",
        "queries",
        "nDCG@10",
        "R@1",
        "R@5",
        "R@10",
        "R@20",
        "C@10",
        "MRR",
        "hit@1",
        "p50 ms",
        "p95 ms",
    )?;
    for run in &report.runs {
        let mut line = |split: &str, part: &Part| {
            let Part { n_queries, figures: f, latency_p50_ms, latency_p95_ms } = part;
            let rerank = if run.rerank { "on" } else { "off" };
            writeln!(
                out,
                "{:<8} {rerank:<6} {split:<width$} {n_queries:>7} {:>7.4} {:>6.4} {:>6.4} {:>6.4} {:>6.4} {:>6.4} {:>6.4} \
                 {:>6.4} {latency_p50_ms:>7.2} {latency_p95_ms:>7.2}",
                run.mode,
                f.ndcg_at_10,
                f.recall_at_1,
                f.recall_at_5,
                f.recall_at_10,
                f.recall_at_20,
                f.completeness_at_10,
                f.mrr,
                f.hit_at_1,
            )
        };
        line("all", &run.overall)?;
        run.splits.iter().try_for_each(|(split, part)| line(split, part))?;
    }
    Ok(())
}

fn prefix(hash: &str) -> &str {
    hash.get(..12).unwrap_or(hash)
}
