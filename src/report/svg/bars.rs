//! What a fix buys: two shares on one scale, with the interval of their difference.

use super::{Anchor, Svg};

const WIDTH: f64 = 260.0;
const HEIGHT: f64 = 46.0;
const LEFT: f64 = 4.0;
/// Room for the number behind the longest bar.
const RIGHT: f64 = 44.0;
const BAR: f64 = 12.0;

/// A share before and after, 0..1, and the ends between which the share after may lie.
pub struct Difference {
    /// Without the fix.
    pub before: f64,
    /// With it.
    pub after: f64,
    /// Where the share after may lie.
    pub ends: (f64, f64),
    /// What guessing gives.
    pub chance: Option<f64>,
}

fn at(share: f64) -> f64 {
    LEFT + share.clamp(0.0, 1.0) * (WIDTH - LEFT - RIGHT)
}

impl Difference {
    /// The bars as SVG; `label` says in a sentence what they show, `before` and `after` are the numbers as text.
    pub fn draw(&self, label: &str, before: &str, after: &str) -> String {
        let mut svg = Svg::new(WIDTH, HEIGHT);
        let (first, second) = (6.0, 6.0 + BAR + 6.0);
        svg.rect("rail", (LEFT, first), at(1.0) - LEFT, BAR);
        svg.rect("rail", (LEFT, second), at(1.0) - LEFT, BAR);
        if self.before.is_finite() {
            svg.rect("before", (LEFT, first), at(self.before) - LEFT, BAR);
        }
        if self.after.is_finite() {
            svg.rect("after", (LEFT, second), at(self.after) - LEFT, BAR);
        }
        let (low, high) = self.ends;
        if low.is_finite() && high.is_finite() {
            let y = second + BAR / 2.0;
            svg.line("whisker", (at(low), y), (at(high), y));
            for end in [low, high] {
                svg.line("whisker", (at(end), y - 4.0), (at(end), y + 4.0));
            }
        }
        if let Some(chance) = self.chance {
            svg.line("chance", (at(chance), 1.0), (at(chance), HEIGHT - 3.0));
        }
        svg.text("tick", Anchor::Start, (at(1.0) + 6.0, first + 10.0), before);
        svg.text("tick strong", Anchor::Start, (at(1.0) + 6.0, second + 10.0), after);
        svg.finish(label)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_beyond_their_range_stay_in_the_picture() {
        let wild = Difference { before: f64::NAN, after: 1.7, ends: (-0.4, 2.0), chance: Some(0.5) };
        let text = wild.draw("from nothing to all", "nan", "170%");
        assert!(!text.contains("x=\"NaN") && !text.contains("width=\"NaN"), "{text}");
        assert_eq!(text.matches("class=\"whisker\"").count(), 3);
    }
}
