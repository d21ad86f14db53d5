//! Inputs on a scale the network was not made for.

use serde::{Deserialize, Serialize};

use crate::check::Check;
use crate::evidence::{ChannelStatistics, InputStatistics};
use crate::recipe::Normalize;
use crate::stats::beyond;
use crate::words::number;
use crate::{Finding, Judgement, Remedy, Severity, describe};

describe! {
    /// The inputs are far from zero mean and unit deviation.
    ///
    /// ## What it looks for
    /// Means, deviations and extremes of channels or features as the network receives them: raw 0..255 and values divided twice are far off.
    ///
    /// ## Why it matters
    /// Activations and gradients scale with the inputs. At 0..255 the first steps are some hundred times too long, ReLUs die and the loss
    /// settles at ln(classes); at 0..0.004 the signal drowns in the biases. Pretrained weights expect the statistics they were trained with.
    ///
    /// ## What to do
    /// Use `ToTensor()` (which divides uint8 by 255) and `Normalize(mean, std)` with statistics in 0..1; ImageNet's for torchvision's weights.
    ///
    /// ## False alarms
    /// Batch norm or Adam absorb the scale: raw pixels then train perfectly well, and the experiment says so. 0..1 and -1..1 are left alone.
    ///
    /// ## Reference
    /// Mean within -3..3 and deviation within 0.05..10: preflight-ml. Largest value 50: torch-audit. LeCun et al., "Efficient BackProp", 1998.
    UnnormalizedInputs, "data" / "unnormalized-inputs"
}

/// Limits of [`UnnormalizedInputs`].
#[derive(Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Largest size of a channel's mean. preflight-ml.
    pub mean: f64,
    /// Largest deviation of a channel. preflight-ml.
    pub largest_deviation: f64,
    /// Smallest deviation of the channel that varies most. preflight-ml.
    pub smallest_deviation: f64,
    /// Largest size of any value. torch-audit.
    pub largest_value: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { mean: 3.0, largest_deviation: 10.0, smallest_deviation: 0.05, largest_value: 50.0 }
    }
}

impl Check for UnnormalizedInputs {
    type Needs = InputStatistics;
    type Limits = Limits;

    fn judge(inputs: &InputStatistics, limits: &Limits) -> Judgement {
        let finite = |c: &&ChannelStatistics| c.mean.is_finite() && c.std.is_finite();
        let channels: Vec<_> = inputs.channels.iter().filter(finite).collect();
        if inputs.channels.is_empty() {
            return Judgement::clear("the inputs are whole numbers, such as token ids, and have no scale");
        }
        let most = |figure: fn(&ChannelStatistics) -> f64| channels.iter().map(|c| figure(c)).fold(0.0, f64::max);
        let (mean, std) = (most(|c| c.mean.abs()), most(|c| c.std.0));
        let value = most(|c| c.min.abs().max(c.max.abs()));
        let measured =
            format!("|mean| up to {}, deviation {}, |x| up to {} (made for about 0, 1, 3)", number(mean), number(std), number(value));
        let large = [(mean, limits.mean), (std, limits.largest_deviation), (value, limits.largest_value)];
        let beyond_large = large.iter().filter(|(x, limit)| x > limit).map(|(x, limit)| beyond(*x, *limit, 2.0)).reduce(f64::max);
        let faint = std > 0.0 && std < limits.smallest_deviation; // at 0 the inputs are constant: another fault
        let strength = match beyond_large {
            Some(strength) => strength,
            None if faint => beyond(std, limits.smallest_deviation, 2.0),
            None => return Judgement::clear(measured),
        };
        Finding {
            severity: Severity::Warning,
            strength,
            message: if faint { FAINT } else { LARGE }.to_owned(),
            measured,
            fix: if inputs.normalization == "given" { OF_ANYTHING } else { OF_PIXELS }.to_owned(),
            remedy: Some(Remedy::Normalize { to: preparation(&inputs.normalization, &channels) }),
            location: None,
        }
        .into()
    }
}

const FAINT: &str = "the inputs hardly vary, so the signal drowns in the biases";
const LARGE: &str = "the inputs are far larger than the initialisation assumes, so the first steps overshoot";
const OF_PIXELS: &str = "scale pixels to 0..1 with `ToTensor()`, then `transforms.Normalize(mean, std)`";
const OF_ANYTHING: &str = "subtract the mean and divide by the deviation of each channel or feature, both taken from the training samples";

/// ImageNet's statistics, or the data's own where ImageNet's are in force and do not fit, or where the inputs need not be pictures.
fn preparation(in_force: &str, channels: &[&ChannelStatistics]) -> Normalize {
    let average = |figure: fn(&ChannelStatistics) -> f64| channels.iter().map(|c| figure(c)).sum::<f64>() / channels.len() as f64;
    let (mean, std) = (0.449 + 0.226 * average(|c| c.mean.0), 0.226 * average(|c| c.std.0));
    match in_force {
        "given" => Normalize::Standardize,
        "imagenet" if mean.is_finite() && std > 0.0 => Normalize::MeanStd { mean, std },
        _ => Normalize::Imagenet,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{clears, suspects};

    fn inputs(mean: f64, std: f64, min: f64, max: f64) -> InputStatistics {
        let channel = ChannelStatistics { mean: mean.into(), std: std.into(), min: min.into(), max: max.into() };
        InputStatistics {
            samples: 800,
            normalization: "none".to_owned(),
            channels: vec![channel],
            between_samples: (0.7 * std).into(),
            constant_share: 0.0.into(),
            most_common_share: 0.00125.into(),
            non_finite_share: 0.0.into(),
        }
    }

    #[test]
    fn raw_pixels_and_pixels_divided_twice_are_suspected() {
        [inputs(73.0, 90.0, 0.0, 255.0), inputs(0.0011, 0.0014, 0.0, 0.0039)].iter().map(suspects::<UnnormalizedInputs>).for_each(drop);
    }

    #[test]
    fn faint_images_under_imagenet_statistics_get_their_own() {
        let faint = InputStatistics { normalization: "imagenet".to_owned(), ..inputs(0.0, 0.01, -0.1, 0.1) };
        let remedy = suspects::<UnnormalizedInputs>(&faint).remedy;
        let own = |mean: f64, std: f64| (mean - 0.449).abs() < 1e-9 && (std - 0.00226).abs() < 1e-9;
        assert!(matches!(remedy, Some(Remedy::Normalize { to: Normalize::MeanStd { mean, std } }) if own(mean, std)));
    }

    #[test]
    fn values_that_need_not_be_pixels_are_standardised_and_token_ids_left_alone() {
        let table = InputStatistics { normalization: "given".to_owned(), ..inputs(900.0, 400.0, 100.0, 2500.0) };
        assert_eq!(suspects::<UnnormalizedInputs>(&table).remedy, Some(Remedy::Normalize { to: Normalize::Standardize }));
        clears::<UnnormalizedInputs>(&InputStatistics { channels: vec![], ..table });
    }

    #[test]
    fn unit_and_standardised_inputs_are_clear() {
        for (mean, std, min, max) in [(0.286, 0.353, 0.0, 1.0), (-0.72, 1.56, -1.99, 2.44), (f64::NAN, f64::NAN, 0.0, 1.0)] {
            clears::<UnnormalizedInputs>(&inputs(mean, std, min, max));
        }
    }
}
