//! The accuracy of two trainings and whether it differs beyond the noise.

use nanprobe_checks::Real;
use nanprobe_checks::stats::Interval;
use serde::{Deserialize, Serialize};

use crate::diagnosis::Symptom;

/// The held-out accuracy without any fix, before and after.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AccuracyChange {
    /// Before, 0..1.
    pub before: Real,
    /// Its 95% interval.
    pub before_interval: Interval,
    /// After, 0..1.
    pub after: Real,
    /// Its 95% interval.
    pub after_interval: Interval,
    /// 95% interval of the difference, after less before.
    pub interval: Interval,
    /// What the interval says.
    pub direction: Direction,
}

/// Which way the accuracy went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// It rose beyond the noise.
    Better,
    /// It fell beyond the noise.
    Worse,
    /// The interval of the difference has zero in it, or there is none.
    WithinNoise,
}

impl AccuracyChange {
    /// From two symptoms. The interval of the difference is made of the two intervals (Newcombe 1998, method 10), as for samples that are
    /// independent; two runs on the same samples differ by less.
    pub(super) fn of(before: &Symptom, after: &Symptom) -> Self {
        let (p, q) = (before.accuracy.0, after.accuracy.0);
        let (from, to) = (before.interval, after.interval);
        let interval = Interval { low: q - p - (q - to.low).hypot(from.high - p), high: q - p + (to.high - q).hypot(p - from.low) };
        let direction = if interval.low > 0.0 {
            Direction::Better
        } else if interval.high < 0.0 {
            Direction::Worse
        } else {
            Direction::WithinNoise
        };
        Self { before: before.accuracy, before_interval: from, after: after.accuracy, after_interval: to, interval, direction }
    }
}

#[cfg(test)]
mod tests {
    use nanprobe_checks::stats::wilson;

    use super::*;
    use crate::report::samples;

    fn symptom(right: u64, of: u64) -> Symptom {
        let accuracy = Real(right as f64 / of as f64);
        Symptom { accuracy, interval: wilson(right, of), ..samples::healthy().symptom.unwrap() }
    }

    #[test]
    fn the_interval_is_newcombes() {
        // The first example of Newcombe 1998: 56/70 - 48/80, method 10 gives 0.0524 to 0.3339.
        let change = AccuracyChange::of(&symptom(48, 80), &symptom(56, 70));
        assert!((change.interval.low - 0.0524).abs() < 1e-4 && (change.interval.high - 0.3339).abs() < 1e-4, "{:?}", change.interval);
        assert_eq!(change.direction, Direction::Better);
    }

    #[test]
    fn a_few_points_of_400_samples_are_noise_and_thirty_are_not() {
        let direction = |before, after| AccuracyChange::of(&symptom(before, 400), &symptom(after, 400)).direction;
        assert_eq!(direction(340, 330), Direction::WithinNoise);
        assert_eq!(direction(340, 220), Direction::Worse);
        assert_eq!(direction(220, 340), Direction::Better);
    }

    #[test]
    fn an_accuracy_that_is_no_number_decides_nothing() {
        let nan = Symptom { accuracy: Real(f64::NAN), ..symptom(1, 2) };
        assert_eq!(AccuracyChange::of(&nan, &symptom(390, 400)).direction, Direction::WithinNoise);
    }
}
