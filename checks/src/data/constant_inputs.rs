//! Inputs that do not differ.

use serde::{Deserialize, Serialize};

use crate::check::Check;
use crate::evidence::InputStatistics;
use crate::stats::between;
use crate::words::{number, percent};
use crate::{Finding, Judgement, Severity, describe};

describe! {
    /// The network receives the same picture, or blank ones, whatever the sample.
    ///
    /// ## What it looks for
    /// Three signs: pixels that hardly vary from one sample to the next beside their variation within the image;
    /// many samples that are value for value the same one, token ids among them; many samples whose pixels are all equal.
    ///
    /// ## Why it matters
    /// Without a difference between inputs no model can tell classes apart. It then learns the class frequencies
    /// and stops: a loss of ln(classes), an accuracy of chance, and gradients that look sound.
    ///
    /// ## What to do
    /// Look at what the model receives: `x, y = next(iter(loader)); print(x.std(0).mean(), x.amin(), x.amax())`, and
    /// save `x` with `torchvision.utils.save_image`. Usual causes: division by 255 of an integer array, the index left out
    /// of `__getitem__`, a crop outside the image, a wrong colour range clamped to one end, a failed read that yields zeros.
    ///
    /// ## False alarms
    /// Frames of one fixed scene differ little; they stay above the limit unless the camera's noise is all that differs.
    ///
    /// ## Reference
    /// The control with blank inputs is Karpathy's ("A Recipe for Training Neural Networks", 2019); TheDeepChecker zeroes features.
    ConstantInputs, "data" / "constant-inputs"
}

/// Limits of [`ConstantInputs`].
#[derive(Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Deviation across samples below which inputs count as the same, relative to the deviation of all pixels.
    /// Ours: 0.01 is about two grey levels of 256; photographs and Fashion-MNIST have 0.5 to 1.
    pub relative_deviation: f64,
    /// Share of blank or identical samples above which it is a warning. cleanlab's summary of a widespread issue.
    pub share: f64,
    /// And above which it is an error: most inputs say nothing. Ours.
    pub error_share: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { relative_deviation: 0.01, share: 0.1, error_share: 0.5 }
    }
}

impl Check for ConstantInputs {
    type Needs = InputStatistics;
    type Limits = Limits;

    fn judge(inputs: &InputStatistics, limits: &Limits) -> Judgement {
        let spread = inputs.channels.iter().map(|channel| channel.std.0).fold(0.0, f64::max);
        let (between_samples, blank, same) = (inputs.between_samples.0, inputs.constant_share.0, inputs.most_common_share.0);
        let relative = if spread > 0.0 { between_samples / spread } else { 0.0 };
        let measured = format!(
            "deviation across samples {} of {} overall; {} blank, {} identical",
            number(between_samples),
            number(spread),
            percent(blank),
            percent(same),
        );
        // Token ids have no scale: of them only whole samples are compared, and short texts repeat.
        let (ids, limit) = if inputs.channels.is_empty() { (true, limits.error_share) } else { (false, limits.share) };
        if inputs.samples < 2 || inputs.non_finite_share.0 > 0.0 {
            return Judgement::clear(format!("{} inputs: too few, or not finite, to compare", inputs.samples));
        }
        let share = blank.max(if inputs.samples as f64 * same > 2.0 { same } else { 0.0 });
        let (strength, message) = if !ids && relative < limits.relative_deviation {
            (1.0, "every input is the same, so nothing in it can tell the classes apart")
        } else if share > limit {
            let message =
                if blank >= same { "many inputs are blank: all their pixels are equal" } else { "many inputs are one and the same" };
            (between(share, limit, 1.0), message)
        } else {
            return Judgement::clear(measured);
        };
        Finding {
            severity: if strength >= 1.0 || share > limits.error_share { Severity::Error } else { Severity::Warning },
            strength,
            message: message.to_owned(),
            measured,
            fix: "look at a batch: `x, y = next(iter(loader)); x.std(0).mean()`; check `__getitem__` and the transforms".to_owned(),
            remedy: None,
            location: None,
        }
        .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::ChannelStatistics;
    use crate::testing::{clears, suspects};

    fn inputs(between_samples: f64, constant_share: f64, most_common_share: f64) -> InputStatistics {
        InputStatistics {
            samples: 800,
            normalization: "unit".to_owned(),
            channels: vec![ChannelStatistics { mean: 0.28.into(), std: 0.35.into(), min: 0.0.into(), max: 1.0.into() }],
            between_samples: between_samples.into(),
            constant_share: constant_share.into(),
            most_common_share: most_common_share.into(),
            non_finite_share: 0.0.into(),
        }
    }

    #[test]
    fn equal_blank_and_repeated_inputs_are_suspected() {
        assert_eq!(suspects::<ConstantInputs>(&inputs(0.0, 0.0, 1.0)).severity, Severity::Error);
        assert_eq!(suspects::<ConstantInputs>(&inputs(0.2, 0.7, 0.7)).severity, Severity::Error);
        assert_eq!(suspects::<ConstantInputs>(&inputs(0.2, 0.0, 0.2)).severity, Severity::Warning);
    }

    #[test]
    fn different_images_are_clear() {
        clears::<ConstantInputs>(&inputs(0.25, 0.0, 1.0 / 800.0));
        let ids = |same| InputStatistics { channels: vec![], ..inputs(0.0, 0.0, same) };
        clears::<ConstantInputs>(&ids(0.3));
        suspects::<ConstantInputs>(&ids(1.0)); // all padding
        clears::<ConstantInputs>(&InputStatistics { samples: 1, ..inputs(0.0, 0.0, 1.0) });
    }
}
