//! A plot of lines over two axes, as an SVG element.

use super::frame::Frame;

const FRAME: Frame = Frame { width: 520.0, height: 300.0, left: 64.0, right: 130.0, top: 12.0, bottom: 34.0 };
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
    let at_x = |value: f64| x.place(value).map(|place| FRAME.x(place));
    let at_y = |value: f64| y.place(value).map(|place| FRAME.y(place));
    let mut svg = FRAME.open(what);
    for (value, mark) in &y.marks {
        if let Some(at) = at_y(*value) {
            FRAME.level(&mut svg, at, mark);
        }
    }
    for (value, mark) in &x.marks {
        if let Some(at) = at_x(*value) {
            FRAME.below(&mut svg, at, mark);
        }
    }
    let mut ends = Vec::new();
    for (line, colour) in lines.iter().zip(COLOURS.into_iter().cycle()) {
        let points: Vec<(f64, f64)> = line.points.iter().filter_map(|&(a, b)| Some((at_x(a)?, at_y(b)?))).collect();
        Frame::joined(&mut svg, &points, colour);
        ends.extend(points.last().map(|&(_, end)| (end, line.name.clone(), colour)));
    }
    FRAME.names(&mut svg, ends);
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
