//! The report for people, as plain text.

use std::fmt::{self, Write};

use super::tally::{Outcome, Times};
use super::{LoadReport, Options};
use crate::latency::Floor;

/// A line for each loop: answers a second, how long they took, and who was sent away or failed.
pub fn print(report: &LoadReport) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write(&mut out, report);
    out
}

fn write(out: &mut String, report: &LoadReport) -> fmt::Result {
    let LoadReport { options, n_tools, embedder, cpus, floor, closed, open } = report;
    let Options { time, fresh, .. } = options;
    let texts = if *fresh { "every text another" } else { "texts repeat" };
    writeln!(out, "{n_tools} tools, vectors of {embedder}, {cpus} cores; each loop {time:?}, {texts}")?;
    let Floor { embed_ms, search_ms } = floor;
    write!(out, "in process, medians: the query embedded in {embed_ms:.3} ms, its tools found in {search_ms:.3} ms")?;
    match report.over_floor() {
        Some(times) if *fresh => writeln!(out, "; one client over HTTP takes {times:.2} times both\n")?,
        Some(times) => writeln!(out, "; one client over HTTP takes {times:.2} times the latter\n")?,
        None => writeln!(out, "\n")?,
    }
    writeln!(
        out,
        "{:<22}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}  refused (p50, p99 ms)",
        "loop", "answers/s", "p50 ms", "p95", "p99", "p99.9", "max", "failed"
    )?;
    for one in closed {
        line(out, &format!("closed, {} clients", one.clients), &one.outcome)?;
    }
    for one in open {
        line(out, &format!("open, {}/s", one.rate), &one.outcome)?;
        let Times { p50_ms, p95_ms, p99_ms, p999_ms, max_ms, .. } = one.from_sent;
        writeln!(
            out,
            "{:<22}{:>10}{p50_ms:>10.3}{p95_ms:>10.3}{p99_ms:>10.3}{p999_ms:>10.3}{max_ms:>10.3}",
            "  from when it was sent", ""
        )?;
    }
    Ok(())
}

fn line(out: &mut String, name: &str, outcome: &Outcome) -> fmt::Result {
    let Outcome { per_second, answered, refused, failed, .. } = outcome;
    let Times { p50_ms, p95_ms, p99_ms, p999_ms, max_ms, .. } = answered;
    let refused: Vec<String> = refused
        .iter()
        .map(|(status, times)| format!("{} with {status} ({:.3}, {:.3})", times.n, times.p50_ms, times.p99_ms))
        .collect();
    writeln!(
        out,
        "{name:<22}{per_second:>10.0}{p50_ms:>10.3}{p95_ms:>10.3}{p99_ms:>10.3}{p999_ms:>10.3}{max_ms:>10.3}{failed:>10}  {}",
        refused.join(", ")
    )
}
