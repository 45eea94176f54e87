//! [`Frame`]: what a plot is drawn in.

use std::fmt::Write;

use super::escape;

/// The least distance of two names.
const NAME_GAP: f64 = 14.0;

/// A plot's size, and what lies around its plotting area, in pixels at its natural size.
#[derive(Clone, Copy)]
pub(super) struct Frame {
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) left: f64,
    pub(super) right: f64,
    pub(super) top: f64,
    pub(super) bottom: f64,
}

impl Frame {
    /// Where a value stands on the horizontal axis that is so far along it, from 0 to 1.
    pub(super) fn x(&self, along: f64) -> f64 {
        self.left + along * (self.width - self.left - self.right)
    }

    /// Likewise on the vertical axis, from its foot.
    pub(super) fn y(&self, along: f64) -> f64 {
        self.height - self.bottom - along * (self.height - self.top - self.bottom)
    }

    /// The element's beginning. `what` says what it shows, for who cannot see it.
    pub(super) fn open(&self, what: &str) -> String {
        let Self { width, height, .. } = self;
        format!(
            "<svg width=\"{width}\" height=\"{height:.0}\" viewBox=\"0 0 {width} {height:.0}\" role=\"img\" aria-label=\"{}\">",
            escape(what)
        )
    }

    /// A line across at this height, and what is written at its left.
    pub(super) fn level(&self, svg: &mut String, y: f64, mark: &str) {
        let _ = write!(
            svg,
            "<line class=\"axis\" x1=\"{}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
             <text class=\"soft\" x=\"{:.1}\" y=\"{y:.1}\" text-anchor=\"end\">{}</text>",
            self.left,
            self.width - self.right,
            self.left - 6.0,
            escape(mark)
        );
    }

    /// What is written below the plotting area.
    pub(super) fn below(&self, svg: &mut String, x: f64, mark: &str) {
        let y = self.height - self.bottom / 2.0;
        let mark = escape(mark);
        let _ = write!(svg, "<text class=\"soft\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"middle\">{mark}</text>");
    }

    /// Points, joined.
    pub(super) fn joined(svg: &mut String, points: &[(f64, f64)], colour: &str) {
        let points: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let points = points.join(" ");
        let _ = write!(svg, "<polyline points=\"{points}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>");
    }

    /// Names at the right, each with its colour at its height or a little below, so that none hides another.
    pub(super) fn names(&self, svg: &mut String, mut at: Vec<(f64, String, &str)>) {
        at.sort_by(|(a, ..), (b, ..)| a.total_cmp(b));
        let mut free = f64::NEG_INFINITY;
        for (y, name, colour) in at {
            let y = y.max(free);
            free = y + NAME_GAP;
            let (x, text_x) = (self.width - self.right + 8.0, self.width - self.right + 17.0);
            let _ = write!(
                svg,
                "<rect x=\"{x:.1}\" y=\"{:.1}\" width=\"6\" height=\"6\" fill=\"{colour}\"/><text x=\"{text_x:.1}\" y=\"{y:.1}\">{}</text>",
                y - 3.0,
                escape(&name)
            );
        }
    }
}
