//! Reports for people, as plain text.

use std::fmt::{self, Write};

use crate::differences::Row;
use crate::floors::Checked;
use crate::metrics::Figures;
use crate::report::{Part, Report};

/// The reports as text, ending in a line end: what was measured on what, then one table with a line for each set, each setting,
/// and each split and class of it.
pub fn print(reports: &[Report]) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = reports
        .iter()
        .try_for_each(|report| write_head(&mut out, report))
        .and_then(|()| write_table(&mut out, reports));
    out
}

/// The differences as a table, ending in a line end. Empty where there is none.
pub fn differences(rows: &[Row]) -> String {
    let mut out = String::new();
    let _ = write_differences(&mut out, rows);
    out
}

/// The floors as a table, ending in a line end, those that were missed marked.
pub fn floors(checked: &[Checked]) -> String {
    let mut out = String::new();
    let _ = write_floors(&mut out, checked);
    out
}

/// Columns of text, as wide as their widest cell.
struct Widths(Vec<usize>);

impl Widths {
    /// Of the rows, the heading among them.
    fn of<const N: usize>(rows: impl IntoIterator<Item = [String; N]>) -> Self {
        let mut widths = vec![0; N];
        for row in rows {
            for (width, cell) in widths.iter_mut().zip(&row) {
                *width = cell.chars().count().max(*width);
            }
        }
        Self(widths)
    }

    /// The cells side by side.
    fn line<const N: usize>(&self, cells: &[String; N]) -> String {
        cells.iter().zip(&self.0).map(|(cell, width)| format!("{cell:<width$} ")).collect()
    }
}

fn write_head(out: &mut String, report: &Report) -> fmt::Result {
    let dataset = &report.dataset;
    writeln!(
        out,
        "{}: {} tools ({}, {}…), {} queries ({}, {}…), {} relevant",
        dataset.label(),
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
        "  model {}, {} threads, indexed in {:.1} s",
        report.embedder.as_deref().unwrap_or("none"),
        report.n_threads,
        report.index_s
    )?;
    if let Some(pool) = &dataset.pool {
        writeln!(
            out,
            "  {} of them are distractors of {} ({}…); {} of its tools are the set's own and were left out",
            pool.n_tools,
            pool.name,
            prefix(&pool.sha256),
            pool.n_left_out
        )?;
    }
    if dataset.n_rejected > 0 {
        writeln!(out, "  note: {} records are no tools and were left out:", dataset.n_rejected)?;
        dataset.rejections.iter().try_for_each(|rejection| writeln!(out, "    {rejection}"))?;
    }
    if dataset.n_relevant_absent > 0 {
        writeln!(
            out,
            "  note: {} relevant tools are not in the catalog; each counts as missed",
            dataset.n_relevant_absent
        )?;
    }
    Ok(())
}

fn write_table(out: &mut String, reports: &[Report]) -> fmt::Result {
    let mut lines: Vec<([String; 4], &Part)> = Vec::new();
    for report in reports {
        for run in &report.runs {
            let mut line = |kind: &str, name: &str, part| {
                let rerank = if run.rerank { "on" } else { "off" };
                let cells = [report.dataset.label(), run.mode.clone(), rerank.to_owned(), format!("{kind}{name}")];
                lines.push((cells, part));
            };
            line("", "all", &run.overall);
            run.splits.iter().for_each(|(split, part)| line("", split, part));
            run.classes.iter().for_each(|(class, part)| line("class ", class, part));
            run.several.iter().for_each(|part| line("", "several tools", part));
        }
    }
    let heading = ["set", "mode", "rerank", "part"].map(str::to_owned);
    let widths = Widths::of(lines.iter().map(|(cells, _)| cells.clone()).chain([heading.clone()]));
    let figures = |columns: [(&str, String); 8]| -> String {
        columns.iter().map(|(heading, text)| format!("{text:>0$} ", heading.len().max("0.0000".len()))).collect()
    };
    let headings = figures(Figures::default().columns().map(|(heading, _)| (heading, heading.to_owned())));
    writeln!(out, "\n{}{:>7} {headings}{:>7} {:>7}", widths.line(&heading), "queries", "p50 ms", "p95 ms")?;
    for (cells, part) in &lines {
        let Part { n_queries, figures: of_part, latency_p50_ms, latency_p95_ms } = part;
        let values = figures(of_part.columns().map(|(heading, value)| (heading, format!("{value:.4}"))));
        writeln!(out, "{}{n_queries:>7} {values}{latency_p50_ms:>7.2} {latency_p95_ms:>7.2}", widths.line(cells))?;
    }
    Ok(())
}

fn write_differences(out: &mut String, rows: &[Row]) -> fmt::Result {
    if rows.is_empty() {
        return Ok(());
    }
    let cells = |row: &Row| [row.set.clone(), row.part.clone(), format!("{} - {}", row.of, row.against)];
    let heading = ["set", "part", "difference of nDCG@10"].map(str::to_owned);
    let widths = Widths::of(rows.iter().map(cells).chain([heading.clone()]));
    writeln!(out, "{}{:>7} {:>7}  {:<18} beyond noise", widths.line(&heading), "queries", "mean", "95 % interval")?;
    for row in rows {
        let d = &row.difference;
        let interval = format!("{:+.4} to {:+.4}", d.low, d.high);
        let verdict = match (d.is_beyond_noise(), d.mean > 0.0) {
            (false, _) => "no",
            (true, true) => "yes, better",
            (true, false) => "yes, WORSE",
        };
        writeln!(out, "{}{:>7} {:>+7.4}  {interval:<18} {verdict}", widths.line(&cells(row)), d.n_queries, d.mean)?;
    }
    Ok(())
}

fn write_floors(out: &mut String, checked: &[Checked]) -> fmt::Result {
    let class = |checked: &Checked| checked.class.clone().unwrap_or_else(|| "all".to_owned());
    let cells = |checked: &Checked| [checked.set.clone(), checked.setting.to_string(), class(checked)];
    let heading = ["set", "setting", "class"].map(str::to_owned);
    let widths = Widths::of(checked.iter().map(cells).chain([heading.clone()]));
    writeln!(out, "{}{:>7} {:>7} {:>7} {:>7}", widths.line(&heading), "queries", "nDCG@10", "floor", "margin")?;
    for one in checked {
        let Checked { n_queries, floor, ndcg_at_10, .. } = one;
        let verdict = if one.fell() { "  FELL" } else { "" };
        writeln!(
            out,
            "{}{n_queries:>7} {ndcg_at_10:>7.4} {floor:>7.4} {:>+7.4}{verdict}",
            widths.line(&cells(one)),
            ndcg_at_10 - floor
        )?;
    }
    Ok(())
}

fn prefix(hash: &str) -> &str {
    hash.get(..12).unwrap_or(hash)
}
