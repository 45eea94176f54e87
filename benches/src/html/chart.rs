//! The plots of one set, each an SVG element.

use std::fmt::Write;

use super::escape;
use super::frame::Frame;
use crate::report::Run;

const FRAME: Frame = Frame { width: 350.0, height: 210.0, left: 34.0, right: 96.0, top: 10.0, bottom: 24.0 };

/// A bar for each setting's nDCG@10, from 0 to 1.
pub(super) fn bars(runs: &[Run]) -> String {
    const NAME: f64 = 100.0;
    const ROW: f64 = 28.0;
    let frame = Frame { height: ROW * runs.len() as f64 + FRAME.top, ..FRAME };
    let mut svg = frame.open("nDCG@10 of each setting");
    for (row, run) in runs.iter().enumerate() {
        let (value, y) = (run.overall.figures.ndcg_at_10, frame.top + ROW * row as f64);
        let (length, middle) = (value.clamp(0.0, 1.0) * (frame.width - NAME - 48.0), y + ROW / 2.0);
        let _ = write!(
            svg,
            "<text x=\"{}\" y=\"{middle:.1}\" text-anchor=\"end\">{}</text>\
             <rect x=\"{NAME}\" y=\"{:.1}\" width=\"{length:.1}\" height=\"{:.1}\" rx=\"2\" fill=\"{}\"/>\
             <text x=\"{:.1}\" y=\"{middle:.1}\">{value:.3}</text>",
            NAME - 8.0,
            escape(&run.setting()),
            y + 2.0,
            ROW - 10.0,
            colour(run),
            NAME + length + 6.0
        );
    }
    svg + "</svg>"
}

/// A curve for each setting: recall at 1, 5, 10 and 20.
pub(super) fn curves(runs: &[Run]) -> String {
    let x = |k: f64| FRAME.x((k - 1.0) / 19.0);
    let mut svg = FRAME.open("recall at 1, 5, 10 and 20");
    let curve = |run: &Run| {
        let f = run.overall.figures;
        [(1.0, f.recall_at_1), (5.0, f.recall_at_5), (10.0, f.recall_at_10), (20.0, f.recall_at_20)]
    };
    let values: Vec<f64> = runs.iter().flat_map(|run| curve(run).map(|(_, recall)| recall)).collect();
    let scale = Scale::of(&values);
    scale.draw(&mut svg);
    for k in [1.0, 5.0, 10.0, 20.0] {
        FRAME.below(&mut svg, x(k), &format!("{k}"));
    }
    let mut ends = Vec::new();
    for run in runs {
        let points = curve(run).map(|(k, recall)| (x(k), scale.y(recall)));
        Frame::joined(&mut svg, &points, colour(run));
        ends.push((points[3].1, run.setting(), colour(run)));
    }
    FRAME.names(&mut svg, ends);
    svg + "</svg>"
}

/// A point for each setting: its median latency on a logarithmic axis, and its nDCG@10.
pub(super) fn latency(runs: &[Run]) -> String {
    let decade = |run: &Run| run.overall.latency_p50_ms.max(1e-3).log10();
    let first = runs.iter().map(decade).fold(f64::INFINITY, f64::min).floor();
    let last = runs.iter().map(decade).fold(f64::NEG_INFINITY, f64::max).ceil().max(first + 1.0);
    let x = |decade: f64| FRAME.x((decade - first) / (last - first));
    let values: Vec<f64> = runs.iter().map(|run| run.overall.figures.ndcg_at_10).collect();
    let scale = Scale::of(&values);

    let mut svg = FRAME.open("nDCG@10 against the median latency in milliseconds");
    scale.draw(&mut svg);
    for step in 0..=(last - first) as i32 {
        let decade = first + f64::from(step);
        FRAME.below(&mut svg, x(decade), &format!("{} ms", 10f64.powf(decade)));
    }
    let mut names = Vec::new();
    for run in runs {
        let (x, y) = (x(decade(run)), scale.y(run.overall.figures.ndcg_at_10));
        let _ = write!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"5\" fill=\"{}\"/>", colour(run));
        names.push((y, run.setting(), colour(run)));
    }
    FRAME.names(&mut svg, names);
    svg + "</svg>"
}

/// The vertical axis: from the tenth below the least value to 1.
struct Scale {
    least: f64,
}

impl Scale {
    fn of(values: &[f64]) -> Self {
        let least = values.iter().copied().fold(1.0, f64::min);
        Self { least: ((least * 10.0).floor() / 10.0).clamp(0.0, 0.9) }
    }

    fn y(&self, value: f64) -> f64 {
        FRAME.y((value - self.least) / (1.0 - self.least))
    }

    fn draw(&self, svg: &mut String) {
        let n_tenths = ((1.0 - self.least) * 10.0).round() as i32;
        for tenth in (0..=n_tenths).filter(|tenth| n_tenths <= 5 || tenth % 2 == 0) {
            let value = 1.0 - f64::from(tenth) / 10.0;
            FRAME.level(svg, self.y(value), &format!("{value:.1}"));
        }
    }
}

/// A setting has its colour in every plot; those that rerank share one.
fn colour(run: &Run) -> &'static str {
    match (run.mode.as_str(), run.rerank) {
        (_, true) => "var(--reranked)",
        ("bm25-plain", _) => "var(--bm25-plain)",
        ("lexical", _) => "var(--lexical)",
        ("dense", _) => "var(--dense)",
        _ => "var(--hybrid)",
    }
}
