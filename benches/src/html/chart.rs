//! The plots of one set, each an SVG element.

use std::fmt::Write;

use super::escape;
use crate::report::Run;

/// Units of the drawing, which are pixels at its natural size.
const WIDTH: f64 = 350.0;
const HEIGHT: f64 = 210.0;
/// What lies around the plotting area of the curves and of the latencies.
const LEFT: f64 = 34.0;
const RIGHT: f64 = 96.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 24.0;
/// The least distance of two labels.
const LABEL_GAP: f64 = 14.0;

/// A bar for each setting's nDCG@10, from 0 to 1.
pub(super) fn bars(runs: &[Run]) -> String {
    const NAME: f64 = 100.0;
    const ROW: f64 = 28.0;
    let height = ROW * runs.len() as f64 + TOP;
    let mut svg = open(height, "nDCG@10 of each setting");
    for (row, run) in runs.iter().enumerate() {
        let (value, y) = (run.overall.figures.ndcg_at_10, TOP + ROW * row as f64);
        let (length, middle) = (value.clamp(0.0, 1.0) * (WIDTH - NAME - 48.0), y + ROW / 2.0);
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
    let x = |k: f64| LEFT + (k - 1.0) / 19.0 * (WIDTH - LEFT - RIGHT);
    let mut svg = open(HEIGHT, "recall at 1, 5, 10 and 20");
    let curve = |run: &Run| {
        let f = run.overall.figures;
        [(1.0, f.recall_at_1), (5.0, f.recall_at_5), (10.0, f.recall_at_10), (20.0, f.recall_at_20)]
    };
    let values: Vec<f64> = runs.iter().flat_map(|run| curve(run).map(|(_, recall)| recall)).collect();
    let scale = Scale::of(&values);
    scale.draw(&mut svg);
    for k in [1.0, 5.0, 10.0, 20.0] {
        below(&mut svg, x(k), &format!("{k}"));
    }
    let mut ends = Vec::new();
    for run in runs {
        let points: Vec<String> =
            curve(run).iter().map(|&(k, recall)| format!("{:.1},{:.1}", x(k), scale.y(recall))).collect();
        let colour = colour(run);
        let _ = write!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            points.join(" ")
        );
        ends.push((scale.y(curve(run)[3].1), run));
    }
    labels(&mut svg, ends);
    svg + "</svg>"
}

/// A point for each setting: its median latency on a logarithmic axis, and its nDCG@10.
pub(super) fn latency(runs: &[Run]) -> String {
    let decade = |run: &Run| run.overall.latency_p50_ms.max(1e-3).log10();
    let first = runs.iter().map(decade).fold(f64::INFINITY, f64::min).floor();
    let last = runs.iter().map(decade).fold(f64::NEG_INFINITY, f64::max).ceil().max(first + 1.0);
    let x = |decade: f64| LEFT + (decade - first) / (last - first) * (WIDTH - LEFT - RIGHT);
    let values: Vec<f64> = runs.iter().map(|run| run.overall.figures.ndcg_at_10).collect();
    let scale = Scale::of(&values);

    let mut svg = open(HEIGHT, "nDCG@10 against the median latency in milliseconds");
    scale.draw(&mut svg);
    for step in 0..=(last - first) as i32 {
        let decade = first + f64::from(step);
        below(&mut svg, x(decade), &format!("{} ms", 10f64.powf(decade)));
    }
    let mut names = Vec::new();
    for run in runs {
        let (x, y) = (x(decade(run)), scale.y(run.overall.figures.ndcg_at_10));
        let _ = write!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"5\" fill=\"{}\"/>", colour(run));
        names.push((y, run));
    }
    labels(&mut svg, names);
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
        TOP + (1.0 - value) / (1.0 - self.least) * (HEIGHT - TOP - BOTTOM)
    }

    fn draw(&self, svg: &mut String) {
        let n_tenths = ((1.0 - self.least) * 10.0).round() as i32;
        for tenth in (0..=n_tenths).filter(|tenth| n_tenths <= 5 || tenth % 2 == 0) {
            let value = 1.0 - f64::from(tenth) / 10.0;
            let y = self.y(value);
            let _ = write!(
                svg,
                "<line class=\"axis\" x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
                 <text class=\"soft\" x=\"{:.1}\" y=\"{y:.1}\" text-anchor=\"end\">{value:.1}</text>",
                WIDTH - RIGHT,
                LEFT - 6.0
            );
        }
    }
}

/// The settings' names at the right of the plot, at their values or a little below, so that none hides another.
fn labels(svg: &mut String, mut at: Vec<(f64, &Run)>) {
    at.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    let mut free = f64::NEG_INFINITY;
    for (y, run) in at {
        let y = y.max(free);
        free = y + LABEL_GAP;
        let (x, text_x) = (WIDTH - RIGHT + 8.0, WIDTH - RIGHT + 17.0);
        let _ = write!(
            svg,
            "<rect x=\"{x:.1}\" y=\"{:.1}\" width=\"6\" height=\"6\" fill=\"{}\"/><text x=\"{text_x:.1}\" y=\"{y:.1}\">{}</text>",
            y - 3.0,
            colour(run),
            escape(&run.setting())
        );
    }
}

fn below(svg: &mut String, x: f64, text: &str) {
    let y = HEIGHT - BOTTOM / 2.0;
    let _ = write!(svg, "<text class=\"soft\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"middle\">{text}</text>");
}

fn open(height: f64, what: &str) -> String {
    format!(
        "<svg width=\"{WIDTH}\" height=\"{height:.0}\" viewBox=\"0 0 {WIDTH} {height:.0}\" role=\"img\" aria-label=\"{what}\">"
    )
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
