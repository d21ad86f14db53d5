//! Held-out samples that were trained on.

use serde::{Deserialize, Serialize};

use super::Part;
use crate::check::Check;
use crate::evidence::LoopValidation;
use crate::stats::between;
use crate::words::percent;
use crate::{Finding, Judgement, Severity, describe};

describe! {
    /// Held-out samples are also training samples.
    ///
    /// ## What it looks for
    /// Held-out inputs that are value for value the same as a training input.
    ///
    /// ## Why it matters
    /// The accuracy on what the model has seen says nothing of what it does with anything else: a model that learned by heart looks
    /// as if it had understood, and every choice made by that number is made blindly.
    ///
    /// ## What to do
    /// Split once, with a seed, before anything is copied or augmented: `random_split(data, [0.8, 0.2], generator=...)`. Keep all pictures of
    /// one source (a patient, a video) on one side, and remove duplicates before the split.
    ///
    /// ## False alarms
    /// Public data sets repeat some pictures, and inputs of few possible values, such as short token sequences, repeat by chance; a
    /// twentieth is left to them. Only the captured samples are compared, so the true share is larger if anything.
    ///
    /// ## Reference
    /// Barz and Denzler 2020, "Do We Train on Test Data?": 3.3% of CIFAR-10's test images repeat a training image. Kapoor and
    /// Narayanan 2023 on leakage.
    TrainValidationOverlap, "loop" / "train-validation-overlap"
}

/// Limits of [`TrainValidationOverlap`].
#[derive(Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Share of the held-out samples that may repeat a training sample, 0..1. Ours: above CIFAR-10's 3.3% (Barz and Denzler 2020).
    pub share: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { share: 0.05 }
    }
}

impl Check for TrainValidationOverlap {
    type Needs = Part<LoopValidation>;
    type Limits = Limits;

    fn judge(validation: &LoopValidation, limits: &Limits) -> Judgement {
        let share = validation.repeated as f64 / validation.samples.max(1) as f64;
        let measured = format!(
            "{} of {} held-out samples are training samples ({})",
            validation.repeated,
            validation.samples,
            percent(share.min(1.0))
        );
        if share <= limits.share {
            return Judgement::clear(measured);
        }
        Finding {
            severity: Severity::Warning,
            strength: between(share, limits.share, 1.0),
            message: "held-out samples are among the training samples, so their accuracy does not say how well the model does".to_owned(),
            measured,
            fix: "split the samples once, before they are copied or augmented, and keep duplicates on one side".to_owned(),
            remedy: None,
            location: validation.location.clone(),
        }
        .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{clears, sound_loop, suspects};

    fn repeated(repeated: u64, samples: u64) -> LoopValidation {
        LoopValidation { samples, repeated, ..sound_loop().validation.unwrap() }
    }

    #[test]
    fn held_out_samples_that_were_trained_on_are_a_warning() {
        let finding = suspects::<TrainValidationOverlap>(&repeated(400, 400));
        assert_eq!((finding.severity, finding.strength), (Severity::Warning, 1.0));
        suspects::<TrainValidationOverlap>(&repeated(40, 400));
    }

    #[test]
    fn a_few_repeated_pictures_are_clear() {
        clears::<TrainValidationOverlap>(&repeated(13, 400));
        clears::<TrainValidationOverlap>(&repeated(0, 400));
        clears::<TrainValidationOverlap>(&repeated(0, 0));
    }
}
