//! Lines and marks over two axes.

use super::axis::Scale;
use super::{Anchor, Svg};

/// Size of a plot in its own units. At this width its text is legible on a telephone and no larger than the page's on a wide screen.
const WIDTH: f64 = 440.0;
const HEIGHT: f64 = 260.0;
const LEFT: f64 = 58.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 44.0;
/// Room above a label that would stand on another one.
const LINE: f64 = 14.0;

/// An axis: what it measures, in which unit, and from where to where.
pub struct Axis {
    /// With the unit.
    pub label: &'static str,
    /// From where to where.
    pub scale: Scale,
}

/// Values to draw.
pub struct Series {
    /// Style class: `s0`, `s1` and so on.
    pub class: String,
    /// Places, in the axes' units; what is not finite interrupts the line.
    pub points: Vec<(f64, f64)>,
    /// Dots instead of a line.
    pub dots: bool,
}

/// A value that is marked across the plot.
pub struct Mark {
    /// Across the x axis rather than the y axis.
    pub vertical: bool,
    /// Style class.
    pub class: &'static str,
    /// The value.
    pub value: f64,
    /// What it is.
    pub label: String,
}

/// A range that is marked across the plot.
pub struct Band {
    /// Of the x axis rather than the y axis.
    pub vertical: bool,
    /// Its ends.
    pub ends: (f64, f64),
}

/// A plot.
pub struct Plot {
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
    /// What is drawn.
    pub series: Vec<Series>,
    /// Values of note.
    pub marks: Vec<Mark>,
    /// Ranges of note.
    pub bands: Vec<Band>,
}

impl Plot {
    /// The plot as SVG; `label` says in a sentence what it shows.
    pub fn draw(&self, label: &str) -> String {
        let mut svg = Svg::new(WIDTH, HEIGHT);
        for band in &self.bands {
            self.band(&mut svg, band);
        }
        self.axes(&mut svg);
        for series in &self.series {
            self.series(&mut svg, series);
        }
        let mut taken = Vec::new();
        for mark in self.marks.iter().filter(|mark| mark.value.is_finite()) {
            self.mark(&mut svg, mark, &mut taken);
        }
        svg.finish(label)
    }

    fn at_x(&self, value: f64) -> f64 {
        LEFT + self.x.scale.place(value).clamp(0.0, 1.0) * (WIDTH - LEFT - RIGHT)
    }

    fn at_y(&self, value: f64) -> f64 {
        HEIGHT - BOTTOM - self.y.scale.place(value).clamp(0.0, 1.0) * (HEIGHT - TOP - BOTTOM)
    }

    fn axes(&self, svg: &mut Svg) {
        for (value, text) in self.y.scale.ticks() {
            let y = self.at_y(value);
            svg.line("grid", (LEFT, y), (WIDTH - RIGHT, y));
            svg.text("tick", Anchor::End, (LEFT - 6.0, y + 4.0), &text);
        }
        let floor = HEIGHT - BOTTOM;
        for (value, text) in self.x.scale.ticks() {
            let x = self.at_x(value);
            svg.line("axis", (x, floor), (x, floor + 4.0));
            svg.text("tick", Anchor::Middle, (x, floor + 17.0), &text);
        }
        svg.line("axis", (LEFT, floor), (WIDTH - RIGHT, floor));
        svg.text("label", Anchor::Middle, (f64::midpoint(LEFT, WIDTH - RIGHT), HEIGHT - 7.0), self.x.label);
        svg.upright("label", (13.0, f64::midpoint(TOP, floor)), self.y.label);
    }

    fn band(&self, svg: &mut Svg, band: &Band) {
        let (low, high) = band.ends;
        if !(low.is_finite() && high.is_finite()) {
            return;
        }
        if band.vertical {
            let (from, to) = (self.at_x(low), self.at_x(high));
            svg.rect("band", (from, TOP), to - from, HEIGHT - TOP - BOTTOM);
        } else {
            let (from, to) = (self.at_y(high), self.at_y(low));
            svg.rect("band", (LEFT, from), WIDTH - LEFT - RIGHT, to - from);
        }
    }

    fn series(&self, svg: &mut Svg, series: &Series) {
        let class = &series.class;
        let place = |&(x, y): &(f64, f64)| {
            let shown = self.x.scale.place(x).is_finite() && self.y.scale.place(y).is_finite();
            shown.then(|| (self.at_x(x), self.at_y(y)))
        };
        if series.dots {
            series.points.iter().filter_map(place).for_each(|at| svg.dot(class, at, 3.0));
            return;
        }
        let places: Vec<Option<(f64, f64)>> = series.points.iter().map(place).collect();
        for piece in places.split(Option::is_none).filter(|piece| !piece.is_empty()) {
            let piece: Vec<(f64, f64)> = piece.iter().flatten().copied().collect();
            if let [only] = piece[..] {
                svg.dot(class, only, 2.0);
            } else {
                svg.polyline(class, &piece);
            }
        }
    }

    /// A line with its label, above those that stand in the same place already.
    fn mark(&self, svg: &mut Svg, mark: &Mark, taken: &mut Vec<(f64, f64)>) {
        let (class, label) = (mark.class, &mark.label);
        if mark.vertical {
            let x = self.at_x(mark.value);
            svg.line(class, (x, TOP), (x, HEIGHT - BOTTOM));
            let right = x < WIDTH * 0.6;
            let mut y = TOP + 9.0;
            while taken.iter().any(|(_, other)| (other - y).abs() < LINE) {
                y += LINE;
            }
            taken.push((x, y));
            let (anchor, x) = if right { (Anchor::Start, x + 5.0) } else { (Anchor::End, x - 5.0) };
            svg.text("mark", anchor, (x, y), label);
        } else {
            let y = self.at_y(mark.value);
            svg.line(class, (LEFT, y), (WIDTH - RIGHT, y));
            svg.text("mark", Anchor::End, (WIDTH - RIGHT - 2.0, y - 4.0), label);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot(points: Vec<(f64, f64)>) -> Plot {
        Plot {
            x: Axis { label: "step", scale: Scale::linear([0.0, 10.0].into_iter()) },
            y: Axis { label: "loss", scale: Scale::log([0.01, 10.0].into_iter()) },
            series: vec![Series { class: "s0".to_owned(), points, dots: false }],
            marks: vec![Mark { vertical: false, class: "rule", value: 0.693, label: "ln 2".to_owned() }],
            bands: vec![],
        }
    }

    #[test]
    fn a_value_that_is_not_finite_interrupts_the_line_and_nothing_else() {
        let text = plot(vec![(0.0, 1.0), (1.0, 0.5), (2.0, f64::NAN), (3.0, 0.2), (4.0, 0.1), (5.0, 0.0)]).draw("a loss");
        assert_eq!(text.matches("<polyline").count(), 2);
        assert!(!text.contains("NaN") && !text.contains("inf"), "{text}");
    }

    #[test]
    fn everything_stays_within_the_picture() {
        let text = plot(vec![(-5.0, 1e9), (50.0, 1e-9), (3.0, 1.0)]).draw("a loss");
        for number in text.split(['"', ',', ' ', '(', ')']).filter_map(|part| part.parse::<f64>().ok()) {
            assert!((-90.0..=WIDTH).contains(&number), "{number} in {text}");
        }
    }

    #[test]
    fn axes_carry_their_units_and_the_picture_its_sentence() {
        let text = plot(vec![(0.0, 1.0), (1.0, 0.5)]).draw("the loss falls");
        for part in [r#"aria-label="the loss falls""#, ">step<", ">loss<", ">ln 2<", ">0.01<"] {
            assert!(text.contains(part), "{part} is missing in {text}");
        }
    }
}
