//! Scales and their ticks.

/// How values lie along an axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scale {
    /// Evenly.
    Linear {
        /// The value at the start.
        low: f64,
        /// The value at the end.
        high: f64,
    },
    /// Things in a row, counted from one.
    Places {
        /// How many.
        count: usize,
    },
    /// By their logarithm; both ends are above zero.
    Log {
        /// The value at the start.
        low: f64,
        /// The value at the end.
        high: f64,
    },
}

/// About so many ticks are wanted.
const TICKS: f64 = 5.0;

impl Scale {
    /// Round ends around finite values; 0 to 1 without any.
    pub fn linear(values: impl Iterator<Item = f64>) -> Self {
        let Some((low, high)) = ends(values) else { return Self::Linear { low: 0.0, high: 1.0 } };
        let step = step(if high > low { high - low } else { high.abs().max(1e-3) });
        let (low, high) = ((low / step).floor() * step, (high / step).ceil() * step);
        Self::Linear { low, high: if high > low { high } else { low + step } }
    }

    /// Powers of ten around positive finite values; 0.1 to 1 without any.
    pub fn log(values: impl Iterator<Item = f64>) -> Self {
        let Some((low, high)) = ends(values.filter(|x| *x > 0.0)) else { return Self::Log { low: 0.1, high: 1.0 } };
        let (low, high) = (10f64.powf(low.log10().floor()), 10f64.powf(high.log10().ceil()));
        Self::Log { low, high: if high > low { high } else { 10.0 * low } }
    }

    /// The same positive values between their own ends, without rounding.
    pub fn log_between(low: f64, high: f64) -> Self {
        if low > 0.0 && high > low { Self::Log { low, high } } else { Self::Log { low: 0.1, high: 1.0 } }
    }

    /// Where a value lies between the ends, 0..1; beyond where it is outside. Not finite for what has no place.
    pub fn place(self, value: f64) -> f64 {
        match self {
            Self::Linear { low, high } => (value - low) / (high - low),
            Self::Places { count } => (value - 0.5) / count.max(1) as f64,
            Self::Log { low, high } => (value / low).ln() / (high / low).ln(),
        }
    }

    /// Round values between the ends, each with its text.
    pub fn ticks(self) -> Vec<(f64, String)> {
        match self {
            Self::Linear { low, high } => {
                let step = step(high - low);
                let decimals = (-step.log10().floor()).max(0.0) as usize;
                let count = ((high - low) / step + 1e-9) as usize;
                let first = (low / step - 1e-9).ceil() * step;
                let ticks = (0..=count).map(|i| first + i as f64 * step).filter(|value| *value <= high + step * 1e-6);
                ticks.map(|value| (value, format!("{:.decimals$}", if value.abs() < step * 1e-6 { 0.0 } else { value }))).collect()
            }
            Self::Places { count } => {
                let every = step(count as f64).max(1.0) as usize;
                let first = if every > 1 { every } else { 1 };
                (first..=count).step_by(every).map(|place| (place as f64, place.to_string())).collect()
            }
            Self::Log { low, high } => {
                let (first, last) = ((low.log10() - 1e-9).ceil() as i32, (high.log10() + 1e-9).floor() as i32);
                let every = (f64::from(last - first) / TICKS).ceil().max(1.0) as i32;
                (first..=last).filter(|power| power.rem_euclid(every) == 0).map(|power| (10f64.powi(power), decade(power))).collect()
            }
        }
    }
}

/// A power of ten as people write it.
fn decade(power: i32) -> String {
    match power {
        -2..=0 => format!("{:.*}", power.unsigned_abs() as usize, 10f64.powi(power)),
        1..=3 => format!("{:.0}", 10f64.powi(power)),
        _ => format!("1e{power}"),
    }
}

/// 1, 2 or 5 times a power of ten, such that about [`TICKS`] of them fill the range.
fn step(range: f64) -> f64 {
    let rough = range / TICKS;
    let power = 10f64.powf(rough.log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|n| n * power).find(|step| *step >= rough * 0.999).unwrap_or(power)
}

fn ends(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.filter(|x| x.is_finite()).fold(None, |ends, x| {
        let (low, high) = ends.unwrap_or((x, x));
        Some((x.min(low), x.max(high)))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(scale: Scale) -> Vec<String> {
        scale.ticks().into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn ticks_are_round() {
        assert_eq!(texts(Scale::linear([0.02, 0.71].into_iter())), ["0.0", "0.2", "0.4", "0.6", "0.8"]);
        assert_eq!(texts(Scale::linear([0.0, 60.0].into_iter())), ["0", "20", "40", "60"]);
        assert_eq!(texts(Scale::Places { count: 3 }), ["1", "2", "3"]);
        assert_eq!(texts(Scale::Places { count: 54 }), ["20", "40"]);
        assert_eq!(texts(Scale::log([3e-6, 0.4].into_iter())), ["1e-6", "1e-4", "0.01", "1"]);
    }

    #[test]
    fn what_is_not_finite_has_no_say_in_the_ends() {
        assert_eq!(Scale::linear([f64::NAN, 1.0, f64::INFINITY, 2.0].into_iter()), Scale::Linear { low: 1.0, high: 2.0 });
        assert_eq!(Scale::linear([f64::NAN].into_iter()), Scale::Linear { low: 0.0, high: 1.0 });
        assert_eq!(Scale::log([0.0, -1.0].into_iter()), Scale::Log { low: 0.1, high: 1.0 });
    }

    proptest! {
        #[test]
        fn every_value_lies_between_the_ends_and_there_are_a_few_ticks(values in prop::collection::vec(-1e6_f64..1e6, 1..20)) {
            let scale = Scale::linear(values.iter().copied());
            for value in &values {
                prop_assert!((-1e-6..=1.0 + 1e-6).contains(&scale.place(*value)));
            }
            prop_assert!((2..=12).contains(&scale.ticks().len()), "{:?}", scale.ticks());
            let positive: Vec<f64> = values.iter().map(|x| x.abs() + 1e-9).collect();
            let scale = Scale::log(positive.iter().copied());
            for value in &positive {
                prop_assert!((-1e-6..=1.0 + 1e-6).contains(&scale.place(*value)));
            }
            prop_assert!((1..=12).contains(&scale.ticks().len()));
        }
    }
}
