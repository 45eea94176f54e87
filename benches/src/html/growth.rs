//! How times and memory grow with the number of documents, as one page.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use super::begin;
use super::plot::{Axis, Line, plot};
use crate::latency::{Results, Task};

/// The page: for each task and share of the documents the median of each query's fastest round by documents, a line for each
/// system; and what the systems hold.
pub fn growth_page(results: &Results) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write_page(&mut out, results);
    out
}

fn write_page(out: &mut String, results: &Results) -> fmt::Result {
    begin(out, "Growth")?;
    write!(
        out,
        "<h1>Growth</h1>\n<p>Times are medians over each query's fastest round; both axes are logarithmic.</p>\n"
    )?;
    let mut shares: Vec<f64> = results.cells().iter().map(|cell| cell.sel).collect();
    shares.sort_by(|a, b| b.total_cmp(a));
    shares.dedup();
    for task in Task::ALL {
        writeln!(out, "<h2>{}</h2><div class=\"plots\">", task.as_str())?;
        for &share in &shares {
            let cells = results.cells().iter().filter(|cell| cell.task == task && cell.sel == share);
            let points = cells.filter_map(|cell| Some((cell.name(), cell.n, cell.p50_best_ms?)));
            figure(out, &format!("{} of the documents visible: ms", percent(share)), points, " ms")?;
        }
        out.write_str("</div>\n")?;
    }
    out.write_str("<h2>memory</h2><div class=\"plots\">\n")?;
    let held = results.builds().iter();
    let anonymous = held.clone().filter_map(|built| Some((built.system.clone(), built.n, built.steady_mb?)));
    let resident = held.filter_map(|built| Some((format!("{} resident", built.system), built.n, built.resident_mb?)));
    figure(
        out,
        "anonymous and shared memory, and where it is known all that is resident: MB",
        anonymous.chain(resident),
        " MB",
    )?;
    out.write_str("</div>\n</body></html>\n")
}

/// Lines by documents. Of several values for the same number of documents the smallest counts.
fn figure(
    out: &mut String,
    caption: &str,
    points: impl Iterator<Item = (String, usize, f64)>,
    unit: &str,
) -> fmt::Result {
    let mut by_name: BTreeMap<String, BTreeMap<usize, f64>> = BTreeMap::new();
    for (name, n, value) in points {
        let best = by_name.entry(name).or_default().entry(n).or_insert(value);
        *best = best.min(value);
    }
    let sizes: BTreeMap<usize, ()> = by_name.values().flatten().map(|(&n, _)| (n, ())).collect();
    // A line has two ends.
    if sizes.len() < 2 {
        return Ok(());
    }
    let x = Axis { marks: sizes.into_keys().map(|n| (n as f64, n.to_string())).collect() };
    let y = Axis::decades(by_name.values().flatten().map(|(_, &value)| value), unit);
    let line = |(name, points): (String, BTreeMap<usize, f64>)| Line {
        name,
        points: points.into_iter().map(|(n, value)| (n as f64, value)).collect(),
    };
    let lines: Vec<Line> = by_name.into_iter().map(line).collect();
    writeln!(out, "<figure>{}<figcaption>{caption}</figcaption></figure>", plot(caption, &lines, &x, &y))
}

fn percent(share: f64) -> String {
    format!("{}%", share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cell_with_two_sizes_has_a_plot_with_a_line_for_each_system() {
        let cell = |n: usize, system: &str, ms: f64| serde_json::json!({ "n": n, "system": system, "variant": "default", "task": "fts", "sel": 0.1, "p50_best_ms": ms });
        let cells =
            [cell(5_000, "one", 0.1), cell(50_000, "one", 0.4), cell(5_000, "<two>", 0.2), cell(50_000, "<two>", 1.0)];
        let build = |n: usize| serde_json::json!({ "n": n, "system": "one", "steady_mb": n as f64 / 1e3 });
        let file = tempfile::NamedTempFile::new().expect("a file");
        let text = serde_json::json!({ "cells": cells, "builds": [build(5_000), build(50_000)] }).to_string();
        std::fs::write(file.path(), text).expect("it is written");
        let mut results = Results::default();
        results.read(file.path()).expect("results");
        let page = growth_page(&results);
        assert_eq!((page.matches("<svg").count(), page.matches("<polyline").count()), (2, 3), "{page}");
        assert!(page.contains("10% of the documents visible") && page.contains("&lt;two&gt;"), "{page}");
    }
}
