//! A loop without a backward pass.

use serde::{Deserialize, Serialize};

use super::{Seen, severity};
use crate::check::{Check, Maybe};
use crate::evidence::{Training, TrainingLoop};
use crate::words::count;
use crate::{Finding, Judgement, Remedy, describe};

describe! {
    /// `loss.backward()` is never called.
    ///
    /// ## What it looks for
    /// A loop that passes training batches through the model, or calls `optimizer.step()`, without a single backward pass.
    ///
    /// ## Why it matters
    /// Without it no parameter has a gradient, and `optimizer.step()` leaves out every parameter that has none, without a word: the
    /// loss wanders around ln(classes) as the batches differ, and the accuracy stays where it started.
    ///
    /// ## What to do
    /// In each step: `optimizer.zero_grad()`, `loss = criterion(model(x), y)`, `loss.backward()`, `optimizer.step()`.
    ///
    /// ## False alarms
    /// A loader that is only read, for its mean and deviation, and a model that is only evaluated under `torch.no_grad()`, count for
    /// nothing. Loops that pass more batches than the limit before their first backward pass, as meta-learning can, have to be watched for longer.
    ///
    /// ## Reference
    /// torch.optim.SGD and Adam pass over parameters whose `grad` is None. Measured here: accuracy 0.48 to 0.52 of two classes without it, 0.83 with.
    NoBackward, "loop" / "no-backward"
}

/// Limits of [`NoBackward`].
#[derive(Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Forward passes with gradients but no backward pass. Ours: losses that join several batches join fewer.
    pub forwards: u64,
    /// Steps without a backward pass. Ours: one may be called to set the optimizer up.
    pub steps: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { forwards: 8, steps: 3 }
    }
}

impl Check for NoBackward {
    type Needs = (Seen, Maybe<Training>);
    type Limits = Limits;

    fn judge((seen, training): (&TrainingLoop, Option<&Training>), limits: &Limits) -> Judgement {
        let measured = format!(
            "{} in {} and {}",
            count(seen.backwards, "backward call"),
            count(seen.forwards, "forward pass").replace("passs", "passes"),
            count(seen.steps, "step")
        );
        if seen.backwards > 0 || seen.forwards < limits.forwards && seen.steps < limits.steps {
            return Judgement::clear(measured);
        }
        Finding {
            severity: severity(training),
            strength: 1.0,
            message: "`backward()` is never called, so no parameter has a gradient and every step leaves the model as it is".to_owned(),
            measured,
            fix: "call `loss.backward()` after `optimizer.zero_grad()` and before `optimizer.step()`".to_owned(),
            remedy: Some(Remedy::Backward),
            location: seen.loss_line().or_else(|| seen.step_line()),
        }
        .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Severity;
    use crate::testing::{clears, sound_loop, suspects};

    fn calls(forwards: u64, backwards: u64, steps: u64) -> TrainingLoop {
        TrainingLoop { forwards, backwards, steps, ..sound_loop() }
    }

    #[test]
    fn a_loop_without_a_backward_pass_is_an_error_at_its_loss() {
        let finding = suspects::<NoBackward>((&calls(40, 0, 40), None));
        assert_eq!((finding.severity, finding.remedy), (Severity::Error, Some(Remedy::Backward)));
        assert_eq!(finding.location.and_then(|location| location.line), Some(20));
        assert_eq!(finding.measured, "0 backward calls in 40 forward passes and 40 steps");
        suspects::<NoBackward>((&calls(40, 0, 0), None));
        suspects::<NoBackward>((&calls(0, 0, 40), None));
    }

    #[test]
    fn loops_that_train_or_that_only_look_are_clear() {
        clears::<NoBackward>((&calls(40, 40, 40), None));
        clears::<NoBackward>((&calls(40, 10, 10), None));
        clears::<NoBackward>((&calls(0, 0, 0), None));
        clears::<NoBackward>((&calls(2, 0, 0), None));
    }
}
