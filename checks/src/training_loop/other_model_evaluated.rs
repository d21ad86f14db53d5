//! An accuracy of another model than the one that is trained.

use serde::{Deserialize, Serialize};

use super::Part;
use crate::check::Check;
use crate::evidence::{LoopOtherEvaluated, Training};
use crate::stats::between;
use crate::words::percent;
use crate::{Finding, Judgement, Severity, describe};

describe! {
    /// The loop evaluates another model than the one that it trains.
    ///
    /// ## What it looks for
    /// An accuracy computed from the answers of a module that the optimizer does not train, well below what a training of the same model on the same
    /// batches reaches.
    ///
    /// ## Why it matters
    /// A copy that was made before the training, or an average that is never updated, answers as an untrained model does, however well the
    /// trained one learns.
    ///
    /// ## What to do
    /// Evaluate the model that the optimizer holds. If an average is meant, write into its tensors in place (`ema_p.mul_(d).add_(p, alpha=1 - d)`):
    /// `ema_p = ...` only gives a name to a new tensor.
    ///
    /// ## False alarms
    /// A fresh exponential average with a long memory lags behind for its first hundreds of steps. A teacher that is evaluated on purpose.
    ///
    /// ## Reference
    /// torch.optim.swa_utils.AveragedModel keeps such an average, and updates it by `update_parameters`.
    OtherModelEvaluated, "loop" / "other-model-evaluated"
}

/// Limits of [`OtherModelEvaluated`].
#[derive(Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// How far below, as a difference of accuracies. Ours: three deviations of 100 samples.
    pub below: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { below: 0.15 }
    }
}

impl Check for OtherModelEvaluated {
    type Needs = (Part<LoopOtherEvaluated>, Training);
    type Limits = Limits;

    fn judge((other, training): (&LoopOtherEvaluated, &Training), limits: &Limits) -> Judgement {
        let trained = training.accuracy().0;
        let measured =
            format!("{} right of a module that is not trained; the trained one reaches {}", percent(other.accuracy.0), percent(trained));
        let below = trained - other.accuracy.0;
        if below.is_nan() || below <= limits.below {
            return Judgement::clear(measured);
        }
        Finding {
            severity: Severity::Error,
            strength: between(below, limits.below, 1.0),
            message: "the accuracy is that of another model than the one that is trained".to_owned(),
            measured,
            fix: "evaluate the model that the optimizer holds; write an average in place, `ema_p.mul_(d).add_(p, alpha=1 - d)`".to_owned(),
            remedy: None,
            location: other.location.clone(),
        }
        .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{clears, line, suspects, training};

    #[test]
    fn an_untrained_copy_is_an_error_where_its_accuracy_is_computed() {
        let learned = training(&[0.7, 0.3], [[180, 20], [20, 180]]);
        let copy = LoopOtherEvaluated { accuracy: 0.5.into(), location: line(30) };
        let finding = suspects::<OtherModelEvaluated>((&copy, &learned));
        assert_eq!((finding.severity, finding.location), (Severity::Error, line(30)));
    }

    #[test]
    fn an_average_that_keeps_up_is_clear() {
        let learned = training(&[0.7, 0.3], [[180, 20], [20, 180]]);
        clears::<OtherModelEvaluated>((&LoopOtherEvaluated { accuracy: 0.85.into(), location: None }, &learned));
        clears::<OtherModelEvaluated>((&LoopOtherEvaluated { accuracy: 0.95.into(), location: None }, &learned));
    }
}
