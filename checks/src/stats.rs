//! The few statistics that checks and reports share.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A 95% interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// 95% score interval of a share (Wilson 1927). The whole range where nothing was counted.
pub fn wilson(successes: u64, trials: u64) -> Interval {
    const Z: f64 = 1.959_963_984_540_054;
    if trials == 0 {
        return Interval { low: 0.0, high: 1.0 };
    }
    let n = trials as f64;
    let p = successes as f64 / n;
    let centre = p + Z * Z / (2.0 * n);
    let spread = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + Z * Z / n;
    Interval { low: ((centre - spread) / scale).max(0.0), high: ((centre + spread) / scale).min(1.0) }
}

/// How far `value` is beyond `limit` on a logarithmic scale, as a strength from 0 (at the limit) to 1
/// (`decades` powers of ten beyond it or more). Both are positive; NaN counts as the strongest.
pub fn beyond(value: f64, limit: f64, decades: f64) -> f64 {
    let strength = ((value / limit).log10().abs() / decades).min(1.0);
    if strength.is_nan() { 1.0 } else { strength }
}

/// Where `value` stands between `limit` (0) and `worst` (1), clamped; NaN counts as the worst.
pub fn between(value: f64, limit: f64, worst: f64) -> f64 {
    let strength = ((value - limit) / (worst - limit)).clamp(0.0, 1.0);
    if strength.is_nan() { 1.0 } else { strength }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wilson_interval_has_its_published_values() {
        // Wilson score interval of 15/50, as in Brown, Cai and DasGupta (2001), computed by statsmodels.
        let interval = wilson(15, 50);
        assert!((interval.low - 0.191_03).abs() < 1e-4 && (interval.high - 0.437_5).abs() < 1e-3, "{interval:?}");
        assert_eq!(wilson(0, 0), Interval { low: 0.0, high: 1.0 });
    }

    #[test]
    fn strengths_stay_within_their_range() {
        assert_eq!(between(f64::NAN, 0.5, 1.0), 1.0);
        assert_eq!(between(0.75, 0.5, 1.0), 0.5);
        assert_eq!(beyond(1e-9, 1e-3, 3.0), 1.0);
        assert_eq!(beyond(f64::INFINITY, 1.0, 3.0), 1.0);
    }
}
