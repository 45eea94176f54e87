//! A load report as one page.

use std::fmt::{self, Write};

use super::plot::{Axis, Line, plot};
use super::{begin, escape};
use crate::load::{self, LoadReport, Outcome};

/// The page: each loop's times up to every share of its answers, throughput by clients, and the table.
pub fn load_page(report: &LoadReport) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write_page(&mut out, report);
    out
}

fn write_page(out: &mut String, report: &LoadReport) -> fmt::Result {
    let closed = report.closed.iter().map(|one| (format!("{} clients", one.clients), &one.outcome));
    let open = report.open.iter().map(|one| (format!("{}/s", one.rate), &one.outcome));
    begin(out, "Load")?;
    write!(
        out,
        "<h1>The server under load</h1>\n<pre>{}</pre>\n<div class=\"plots\">\n",
        escape(&load::print(report))
    )?;
    figure(out, "closed loops: the time that so many of a hundred answers took at the most", closed.collect())?;
    figure(out, "open loops: the same, from when a request was due", open.collect())?;
    let by_clients = |value: fn(&Outcome) -> f64| -> Vec<(f64, f64)> {
        report.closed.iter().map(|one| (one.clients as f64, value(&one.outcome))).collect()
    };
    let lines = [
        Line { name: "answers a second".to_owned(), points: by_clients(|outcome| outcome.per_second) },
        Line {
            name: "refused a second".to_owned(),
            points: by_clients(|o| o.refused.values().map(|times| times.n as f64).sum::<f64>() / o.seconds),
        },
    ];
    let x = Axis { marks: report.closed.iter().map(|one| (one.clients as f64, one.clients.to_string())).collect() };
    let y = Axis::decades(lines.iter().flat_map(|line| line.points.iter().map(|&(_, value)| value)), "");
    let caption = "closed loops: throughput by clients";
    if report.closed.len() > 1 {
        writeln!(out, "<figure>{}<figcaption>{caption}</figcaption></figure>", plot(caption, &lines, &x, &y))?;
    }
    out.write_str("</div>\n</body></html>\n")
}

/// Times by share, the shares spread by how rare what is beyond them is.
fn figure(out: &mut String, caption: &str, loops: Vec<(String, &Outcome)>) -> fmt::Result {
    if loops.is_empty() {
        return Ok(());
    }
    let beyond = |share: f64| 1.0 / (1.0 - share);
    let lines: Vec<Line> = loops
        .into_iter()
        .map(|(name, outcome)| {
            let below_one = outcome.answered.curve.iter().filter(|(share, _)| *share < 1.0);
            Line { name, points: below_one.map(|&(share, ms)| (beyond(share), ms)).collect() }
        })
        .collect();
    let marks = [(0.0, "0"), (0.5, "50"), (0.9, "90"), (0.99, "99"), (0.999, "99.9"), (0.9999, "99.99 %")];
    let x = Axis { marks: marks.map(|(share, mark)| (beyond(share), mark.to_owned())).to_vec() };
    let y = Axis::decades(lines.iter().flat_map(|line| line.points.iter().map(|&(_, ms)| ms)), " ms");
    writeln!(out, "<figure>{}<figcaption>{caption}</figcaption></figure>", plot(caption, &lines, &x, &y))
}
