//! Small plots as inline SVG: no script, no font, no colour of their own beyond classes that the page's style gives.
//!
//! [`plot::Plot`] draws lines and marks over two axes, [`bars`] a difference of two shares with its interval.

use std::fmt::Write;

pub mod axis;
pub mod bars;
pub mod plot;

/// A picture under construction; coordinates are its own units, which the page scales.
pub struct Svg {
    width: f64,
    height: f64,
    body: String,
}

/// On which side of its place a text stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// To the right of it.
    Start,
    /// Centred on it.
    Middle,
    /// To the left of it.
    End,
}

impl Svg {
    /// An empty picture.
    pub fn new(width: f64, height: f64) -> Self {
        Self { width, height, body: String::new() }
    }

    /// A line from one place to another.
    pub fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let ((x1, y1), (x2, y2)) = (from, to);
        self.put(format_args!(r#"<line class="{class}" x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}"/>"#));
    }

    /// A line through several places.
    pub fn polyline(&mut self, class: &str, points: &[(f64, f64)]) {
        let points = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect::<Vec<_>>().join(" ");
        self.put(format_args!(r#"<polyline class="{class}" points="{points}"/>"#));
    }

    /// A rectangle by its upper left corner.
    pub fn rect(&mut self, class: &str, corner: (f64, f64), width: f64, height: f64) {
        let ((x, y), width, height) = (corner, width.max(0.0), height.max(0.0));
        self.put(format_args!(r#"<rect class="{class}" x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}"/>"#));
    }

    /// A filled circle.
    pub fn dot(&mut self, class: &str, at: (f64, f64), radius: f64) {
        let (x, y) = at;
        self.put(format_args!(r#"<circle class="{class}" cx="{x:.1}" cy="{y:.1}" r="{radius}"/>"#));
    }

    /// A text whose baseline is at a place.
    pub fn text(&mut self, class: &str, anchor: Anchor, at: (f64, f64), text: &str) {
        let (x, y) = at;
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let text = escape(text);
        self.put(format_args!(r#"<text class="{class}" text-anchor="{anchor}" x="{x:.1}" y="{y:.1}">{text}</text>"#));
    }

    /// A text that is read upwards, centred on a place.
    pub fn upright(&mut self, class: &str, at: (f64, f64), text: &str) {
        let (x, y) = at;
        let text = escape(text);
        self.put(format_args!(
            r#"<text class="{class}" text-anchor="middle" transform="translate({x:.1} {y:.1}) rotate(-90)">{text}</text>"#
        ));
    }

    fn put(&mut self, element: std::fmt::Arguments) {
        // Writing to a string does not fail.
        let _ = self.body.write_fmt(element);
    }

    /// The picture, with the sentence that says what it shows to those who do not see it.
    pub fn finish(self, label: &str) -> String {
        let Self { width, height, body } = self;
        let label = escape(label);
        format!(r#"<svg viewBox="0 0 {width:.0} {height:.0}" role="img" aria-label="{label}">{body}</svg>"#)
    }
}

/// A text that is safe within an element and within a quoted attribute.
pub fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c if c.is_control() && c != '\n' => safe.push(' '),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_drawn_can_end_its_element() {
        let hostile = r#"</text><script>alert("x")</script>"#;
        let mut svg = Svg::new(10.0, 10.0);
        svg.text("a", Anchor::Start, (1.0, 2.0), hostile);
        svg.upright("a", (1.0, 2.0), hostile);
        let text = svg.finish(hostile);
        assert!(!text.contains("<script>") && !text.contains("alert(\"x\")"), "{text}");
        assert_eq!(text.matches("</text>").count(), 2);
    }
}
