//! Held-out inputs that the model has never seen the like of.

use serde::{Deserialize, Serialize};

use super::{Part, severity};
use crate::check::{Check, Maybe};
use crate::evidence::{LoopValidation, Training};
use crate::stats::{between, beyond};
use crate::words::number;
use crate::{Finding, Judgement, Remedy, describe};

describe! {
    /// Held-out inputs are not prepared as training inputs are.
    ///
    /// ## What it looks for
    /// Mean and deviation of the held-out inputs, as the network receives them, against those of the training inputs.
    ///
    /// ## Why it matters
    /// A model that was trained on normalised inputs and is evaluated on raw ones sees values it has never met, and answers one
    /// class. The training loss falls as it should; the accuracy that is printed stays at chance.
    ///
    /// ## What to do
    /// Give both data sets the same `ToTensor`, `Normalize` and channel order; only random augmentation belongs to the training alone.
    /// Keep what they share in one place.
    ///
    /// ## False alarms
    /// Augmented training inputs have other moments than plain ones, by less than the limits. Held-out data of another source
    /// (darker pictures, another scanner) can differ as much as a forgotten normalisation: then the model will meet it, too.
    ///
    /// ## Reference
    /// Missing or wrong preprocessing is the fault seen most often (Humbatova et al. 2020). Dividing by 255 or not is a factor of
    /// 255; ImageNet's normalisation, or none after `ToTensor`, one of 4.4 in the deviation and 2 deviations in the mean.
    ValidationPreparedDifferently, "loop" / "validation-prepared-differently"
}

/// Limits of [`ValidationPreparedDifferently`].
#[derive(Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Factor between the two deviations. Ours: the smallest difference in use is 2, between 0.5/0.5 and plain `ToTensor`.
    pub factor: f64,
    /// Difference of the means in deviations of the training inputs. Ours: colour jitter moves it by less than 0.2.
    pub shift: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { factor: 1.5, shift: 0.5 }
    }
}

impl Check for ValidationPreparedDifferently {
    type Needs = (Part<LoopValidation>, Maybe<Training>);
    type Limits = Limits;

    fn judge((validation, training): (&LoopValidation, Option<&Training>), limits: &Limits) -> Judgement {
        let (train, held_out) = (&validation.train, &validation.held_out);
        let measured = format!(
            "held-out inputs mean {}, deviation {}; training inputs mean {}, deviation {}",
            number(held_out.mean.0),
            number(held_out.std.0),
            number(train.mean.0),
            number(train.std.0)
        );
        // Ids are names, not amounts; training inputs without a spread are a fault of their own.
        let amounts = !train.dtype.starts_with("int") && train.std.0 > 0.0 && train.std.is_finite() && train.mean.is_finite();
        if validation.samples == 0 || !amounts {
            return Judgement::clear(measured);
        }
        let ratio = held_out.std.0 / train.std.0;
        let factor = if ratio < 1.0 { 1.0 / ratio } else { ratio };
        let shift = (held_out.mean.0 - train.mean.0).abs() / train.std.0;
        // Values that are not a number on one side only are prepared differently, too.
        let (wide, far) = (factor > limits.factor || factor.is_nan(), shift > limits.shift || shift.is_nan());
        if !wide && !far {
            return Judgement::clear(measured);
        }
        let by_factor = if wide { beyond(factor, limits.factor, 1.0) } else { 0.0 };
        Finding {
            severity: severity(training),
            strength: by_factor.max(between(shift, limits.shift, 3.0)),
            message: "held-out inputs are prepared otherwise than training inputs, so the model answers to values it never met".to_owned(),
            measured,
            fix: "give the validation data set the training data set's `ToTensor` and `Normalize`, without the augmentation".to_owned(),
            remedy: Some(Remedy::PrepareHeldOutAlike),
            location: validation.location.clone(),
        }
        .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Severity;
    use crate::evidence::Moments;
    use crate::testing::{clears, sound_loop, suspects};

    fn moments(train: (f64, f64), held_out: (f64, f64), dtype: &str) -> LoopValidation {
        let sound = sound_loop().validation.unwrap();
        let of = |(mean, std): (f64, f64)| Moments { mean: mean.into(), std: std.into(), dtype: dtype.to_owned(), ..sound.train.clone() };
        LoopValidation { train: of(train), held_out: of(held_out), ..sound }
    }

    #[test]
    fn a_forgotten_normalisation_is_an_error_whichever_it_is() {
        for held_out in [(0.45, 0.25), (115.0, 64.0), (-0.1, 0.5), (f64::NAN, f64::NAN), (1.2, 1.0), (0.0, 0.0)] {
            let finding = suspects::<ValidationPreparedDifferently>((&moments((0.01, 1.0), held_out, "float32"), None));
            assert_eq!((finding.severity, finding.remedy), (Severity::Error, Some(Remedy::PrepareHeldOutAlike)), "{held_out:?}");
        }
    }

    #[test]
    fn augmented_inputs_and_token_ids_are_clear() {
        clears::<ValidationPreparedDifferently>((&moments((0.0, 1.0), (0.15, 1.2), "float32"), None));
        clears::<ValidationPreparedDifferently>((&moments((0.0, 1.0), (0.0, 0.8), "float32"), None));
        clears::<ValidationPreparedDifferently>((&moments((900.0, 400.0), (100.0, 40.0), "int64"), None));
        clears::<ValidationPreparedDifferently>((&moments((0.0, 0.0), (0.0, 0.0), "float32"), None));
    }
}
