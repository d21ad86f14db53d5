//! Gradients that pile up.

use serde::{Deserialize, Serialize};

use super::{Seen, severity};
use crate::check::{Check, Maybe};
use crate::evidence::{Training, TrainingLoop};
use crate::stats::between;
use crate::{Finding, Judgement, Remedy, describe};

describe! {
    /// Gradients are not cleared between steps, so every step also repeats all earlier ones.
    ///
    /// ## What it looks for
    /// Backward passes that add to gradients which a step has already used.
    ///
    /// ## Why it matters
    /// `backward()` adds to `p.grad`. Never cleared, the gradient is the sum over all batches so far: its norm grows with every
    /// step, it points to where the model was, and the training overshoots as with a rate that rises from step to step.
    ///
    /// ## What to do
    /// Call `optimizer.zero_grad()` in each step, before `loss.backward()`; with gradients that are accumulated on purpose, after each
    /// `optimizer.step()`. Look for a call outside of the loop over batches, or on another optimizer than the one that steps.
    ///
    /// ## False alarms
    /// Accumulating over several batches before one step passes. With two optimizers that share a model, as a generator and a
    /// discriminator do, some passes add to gradients that are cleared before they are used; a half is left to them.
    ///
    /// ## Reference
    /// torch.Tensor.backward accumulates gradients in the leaves; torch.optim.Optimizer.zero_grad clears them. TrainCheck (OSDI 2025):
    /// gradients are zeroed between steps.
    MissingZeroGrad, "loop" / "missing-zero-grad"
}

/// Limits of [`MissingZeroGrad`].
#[derive(Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Share of the backward passes after the first step that may add to used gradients, 0..1. Ours: one of two, as two
    /// optimizers that take turns do.
    pub share: f64,
    /// Steps below which nothing is said. Ours: a loop may take its first step apart.
    pub steps: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { share: 0.5, steps: 3 }
    }
}

impl Check for MissingZeroGrad {
    type Needs = (Seen, Maybe<Training>);
    type Limits = Limits;

    fn judge((seen, training): (&TrainingLoop, Option<&Training>), limits: &Limits) -> Judgement {
        let measured = format!(
            "{} of {} backward passes add to gradients already used by one of {} steps",
            seen.uncleared, seen.backwards, seen.steps
        );
        // Before the first step there is nothing that a pass could add to.
        let before = seen.backwards as f64 / seen.steps.max(1) as f64;
        let share = seen.uncleared as f64 / (seen.backwards as f64 - before).max(1.0);
        if seen.steps < limits.steps || share <= limits.share {
            return Judgement::clear(measured);
        }
        Finding {
            severity: severity(training),
            strength: between(share, limits.share, 1.0),
            message: "gradients of earlier steps are never cleared, so each step repeats all before it".to_owned(),
            measured,
            fix: "call `optimizer.zero_grad()` before `loss.backward()` in every step".to_owned(),
            remedy: Some(Remedy::ClearGradients),
            location: seen.loss_line().or_else(|| seen.step_line()),
        }
        .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Severity;
    use crate::testing::{clears, sound_loop, suspects, training};

    fn calls(backwards: u64, steps: u64, uncleared: u64) -> TrainingLoop {
        TrainingLoop { backwards, steps, uncleared, ..sound_loop() }
    }

    #[test]
    fn gradients_that_are_never_cleared_are_an_error_however_they_are_accumulated() {
        let finding = suspects::<MissingZeroGrad>((&calls(40, 40, 39), None));
        assert_eq!((finding.severity, finding.strength, finding.remedy), (Severity::Error, 1.0, Some(Remedy::ClearGradients)));
        assert_eq!(suspects::<MissingZeroGrad>((&calls(40, 10, 36), None)).strength, 1.0);
        suspects::<MissingZeroGrad>((&calls(40, 40, 35), None)); // Cleared once an epoch.
        let learned = training(&[0.7, 0.3], [[180, 20], [20, 180]]);
        assert_eq!(suspects::<MissingZeroGrad>((&calls(40, 40, 39), Some(&learned))).severity, Severity::Warning);
    }

    #[test]
    fn accumulation_two_optimizers_and_short_looks_are_clear() {
        clears::<MissingZeroGrad>((&calls(40, 40, 0), None));
        clears::<MissingZeroGrad>((&calls(40, 10, 0), None));
        clears::<MissingZeroGrad>((&calls(80, 80, 39), None));
        clears::<MissingZeroGrad>((&calls(3, 2, 2), None));
    }
}
