//! A plot of lines over two axes, as an SVG element.

use std::fmt::Write;

use super::escape;

const WIDTH: f64 = 520.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 130.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 34.0;
/// The least distance of two labels.
const LABEL_GAP: f64 = 14.0;
/// As many lines as can be told apart.
const COLOURS: [&str; 8] = ["#1b5fa8", "#d98e04", "#0a8f6a", "#b42318", "#7a5af8", "#3b9bd9", "#8a8f98", "#c11574"];

/// Points in order, joined.
pub(super) struct Line {
    pub(super) name: String,
    pub(super) points: Vec<(f64, f64)>,
}

/// Where values stand on an axis, and what is written there. Logarithmic: what is not above 0 is left out.
pub(super) struct Axis {
    /// Values with a mark, smallest first; the axis reaches from the first to the last at least.
    pub(super) marks: Vec<(f64, String)>,
}

impl Axis {
    /// A mark at each power of ten around the values, with a unit.
    pub(super) fn decades(values: impl Iterator<Item = f64>, unit: &str) -> Self {
        let (mut least, mut most) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.filter(|value| *value > 0.0 && value.is_finite()) {
            (least, most) = (least.min(value), most.max(value));
        }
        if least > most {
            (least, most) = (1.0, 10.0);
        }
        let first = least.log10().floor() as i32;
        let last = (most.log10().ceil() as i32).max(first + 1);
        let mark = |decade: i32| (10_f64.powi(decade), format!("{}{unit}", 10_f64.powi(decade)));
        Self { marks: (first..=last).map(mark).collect() }
    }

    /// From 0 to 1 along the axis.
    fn place(&self, value: f64) -> Option<f64> {
        let (first, last) = (self.marks.first()?.0.ln(), self.marks.last()?.0.ln());
        (value > 0.0).then(|| ((value.ln() - first) / (last - first)).clamp(0.0, 1.0))
    }
}

/// The lines, each named where it ends. `what` says what they show, for who cannot see them.
pub(super) fn plot(what: &str, lines: &[Line], x: &Axis, y: &Axis) -> String {
    let at_x = |value: f64| x.place(value).map(|place| LEFT + place * (WIDTH - LEFT - RIGHT));
    let at_y = |value: f64| y.place(value).map(|place| HEIGHT - BOTTOM - place * (HEIGHT - TOP - BOTTOM));
    let mut svg = format!(
        "<svg width=\"{WIDTH}\" height=\"{HEIGHT}\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">",
        escape(what)
    );
    for (value, mark) in &y.marks {
        let Some(at) = at_y(*value) else { continue };
        let _ = write!(
            svg,
            "<line class=\"axis\" x1=\"{LEFT}\" x2=\"{}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>\
             <text class=\"soft\" x=\"{}\" y=\"{at:.1}\" text-anchor=\"end\">{}</text>",
            WIDTH - RIGHT,
            LEFT - 6.0,
            escape(mark)
        );
    }
    for (value, mark) in &x.marks {
        let Some(at) = at_x(*value) else { continue };
        let below = HEIGHT - BOTTOM / 2.0;
        let _ = write!(
            svg,
            "<text class=\"soft\" x=\"{at:.1}\" y=\"{below}\" text-anchor=\"middle\">{}</text>",
            escape(mark)
        );
    }
    let mut ends = Vec::new();
    for (line, colour) in lines.iter().zip(COLOURS.iter().cycle()) {
        let points: Vec<(f64, f64)> = line.points.iter().filter_map(|&(a, b)| Some((at_x(a)?, at_y(b)?))).collect();
        let joined: Vec<String> = points.iter().map(|(a, b)| format!("{a:.1},{b:.1}")).collect();
        let _ = write!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            joined.join(" ")
        );
        ends.extend(points.last().map(|&(_, end)| (end, &line.name, colour)));
    }
    // Names stand at their lines' ends or a little below, so that none hides another.
    ends.sort_by(|(a, ..), (b, ..)| a.total_cmp(b));
    let mut free = f64::NEG_INFINITY;
    for (end, name, colour) in ends {
        let end = end.max(free);
        free = end + LABEL_GAP;
        let (square, text) = (WIDTH - RIGHT + 8.0, WIDTH - RIGHT + 17.0);
        let _ = write!(
            svg,
            "<rect x=\"{square}\" y=\"{:.1}\" width=\"6\" height=\"6\" fill=\"{colour}\"/><text x=\"{text}\" y=\"{end:.1}\">{}</text>",
            end - 3.0,
            escape(name)
        );
    }
    svg + "</svg>"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_reaches_around_its_values_and_lines_stay_within() {
        let axis = Axis::decades([0.03, 4.0, 0.0, f64::NAN].into_iter(), " ms");
        let marks: Vec<&str> = axis.marks.iter().map(|(_, mark)| mark.as_str()).collect();
        assert_eq!(marks, ["0.01 ms", "0.1 ms", "1 ms", "10 ms"]);
        assert_eq!((axis.place(0.01), axis.place(10.0), axis.place(0.0)), (Some(0.0), Some(1.0), None));
        let line = Line { name: "<a>".to_owned(), points: vec![(0.01, 0.01), (10.0, 10.0), (1.0, 0.0)] };
        let svg = plot("a \"plot\"", &[line], &axis, &axis);
        assert!(svg.contains("points=\"64.0,266.0 390.0,12.0\""), "{svg}");
        assert!(svg.contains("&lt;a&gt;") && svg.contains("a &quot;plot&quot;"), "{svg}");
        assert_eq!(Axis::decades(std::iter::empty(), "").marks.len(), 2);
    }
}
