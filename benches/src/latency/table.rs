//! The report for people, as plain text.

use std::fmt::{self, Write};

use super::cell::Cell;
use super::results::{Figure, Results};
use super::{Held, LatencyReport, Turns};

/// What was built and what it holds, then a line for each cell: its times, how good its answers were, each stage's median, and
/// its times over each query's fastest round as multiples of the fastest rival's: below 1 is faster, and neighbours' noise is in
/// neither.
pub fn print(report: &LatencyReport, rivals: &Results) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write(&mut out, report, rivals);
    out
}

fn write(out: &mut String, report: &LatencyReport, rivals: &Results) -> fmt::Result {
    for held in &report.builds {
        let Held { n, build, first_answer_s, grant_p50_ms, steady_mb, resident_mb, resident_ratio, .. } = held;
        let steps: Vec<String> = build
            .steps_s
            .iter()
            .filter(|(_, seconds)| *seconds >= 0.005)
            .map(|(step, seconds)| format!("{step} {seconds:.2}"))
            .collect();
        writeln!(
            out,
            "{n} documents: built in {:.2} s ({}), {:.0} MB at the most, {:.1} MB on disk\n\
             first answer {first_answer_s:.3} s after opening; a grant {grant_p50_ms:.3} ms; resident {resident_mb:.0} MB, \
             {resident_ratio:.2} times the raw vectors; of it {steady_mb:.0} MB are no mapped files\n",
            build.build_s,
            steps.join(", "),
            build.peak_mb,
            build.disk_mb
        )?;
    }
    writeln!(
        out,
        "{:<7}{:>6} {:<6}{:>9}{:>9}{:>9}{:>9}  {:>9}{:>7}{:>6}  {:<30}{:<30}median us of each stage",
        "task",
        "grant",
        "what",
        "p50 ms",
        "p50 best",
        "p99",
        "p99 best",
        "found",
        "fill",
        "leaks",
        "p50 best / fastest rival",
        "p99 best / fastest rival"
    )?;
    for cell in &report.cells {
        let Cell { n, variant, task, sel, quality, latency, stages_us, .. } = cell;
        let found = match (quality.recall, quality.mrr) {
            (Some(recall), _) => format!("r {recall:.4}"),
            (None, Some(mrr)) => format!("mrr {mrr:.3}"),
            (None, None) => String::new(),
        };
        let stages: Vec<String> = stages_us.iter().map(|(stage, us)| format!("{stage} {us:.0}")).collect();
        let ratio = |ours: f64, figure: Figure| match rivals.best(*n, *task, *sel, figure) {
            Some((rival, theirs)) => format!("{:.2} of {theirs:.3} ({rival})", ours / theirs),
            None => "-".to_owned(),
        };
        writeln!(
            out,
            "{:<7}{:>5}% {:<6}{:>9.4}{:>9.4}{:>9.4}{:>9.4}  {found:>9}{:>7.3}{:>6}  {:<30}{:<30}{}",
            task.as_str(),
            sel * 100.0,
            variant.as_str(),
            latency.p50_ms,
            latency.p50_best_ms,
            latency.p99_ms,
            latency.p99_best_ms,
            quality.fill,
            quality.leaks,
            ratio(latency.p50_best_ms, |cell| cell.p50_best_ms),
            ratio(latency.p99_best_ms, |cell| cell.p99_best_ms),
            stages.join(" ")
        )?;
    }
    if !report.qps.is_empty() {
        writeln!(out)?;
    }
    for throughput in &report.qps {
        let (task, share) = (throughput.task.as_str(), throughput.sel * 100.0);
        writeln!(out, "{} threads, {task} {share}%: {:.0} searches a second", throughput.clients, throughput.qps)?;
    }
    if let Some(Turns { n_users, share, after_another_ms, after_oneself_ms }) = &report.turns {
        writeln!(
            out,
            "{n_users} users of {:.1}% in turn, hybrid: {after_another_ms:.4} ms at the median after another's search, {:.2} times \
             what it takes after one's own",
            share * 100.0,
            after_another_ms / after_oneself_ms
        )?;
    }
    Ok(())
}
