//! A loop that never steps.

use serde::{Deserialize, Serialize};

use super::{Seen, severity};
use crate::check::{Check, Maybe};
use crate::evidence::{Training, TrainingLoop};
use crate::words::count;
use crate::{Finding, Judgement, Remedy, describe};

describe! {
    /// `optimizer.step()` is never called.
    ///
    /// ## What it looks for
    /// A loop that passes training batches through the model, with or without a backward pass, and never calls `optimizer.step()`.
    ///
    /// ## Why it matters
    /// Gradients are computed and nothing uses them: every parameter keeps its first value, the loss wanders as the batches differ, and
    /// the accuracy stays where it started.
    ///
    /// ## What to do
    /// Call `optimizer.step()` after `loss.backward()`, in the loop over batches. With a scaler call `scaler.step(optimizer)`. Look for
    /// `optimizer.step` without parentheses, `scheduler.step()` in its place, and a step that is outside of the loop.
    ///
    /// ## False alarms
    /// Gradients may be accumulated over several batches, and a scaler skips its first steps: fewer passes than the limit say nothing. Where
    /// gradients are accumulated over more batches than were watched, watch for longer.
    ///
    /// ## Reference
    /// TrainCheck (OSDI 2025): every parameter in the optimizer changes after `step()`. torch.optim, on taking a step.
    NoOptimizerStep, "loop" / "no-optimizer-step"
}

/// Limits of [`NoOptimizerStep`].
#[derive(Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Forward or backward passes without a step. Ours: gradients are usually accumulated over 2 to 16 batches.
    pub passes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { passes: 17 }
    }
}

impl Check for NoOptimizerStep {
    type Needs = (Seen, Maybe<Training>);
    type Limits = Limits;

    fn judge((seen, training): (&TrainingLoop, Option<&Training>), limits: &Limits) -> Judgement {
        let passes = seen.backwards.max(seen.forwards);
        let measured =
            format!("{} in {} and {}", count(seen.steps, "step"), count(seen.backwards, "backward call"), count(seen.batches, "batch"));
        let measured = measured.replace("batchs", "batches");
        if seen.steps > 0 || passes < limits.passes {
            return Judgement::clear(measured);
        }
        Finding {
            severity: severity(training),
            strength: 1.0,
            message: "`optimizer.step()` is never called, so every parameter keeps its first value".to_owned(),
            measured,
            fix: "call `optimizer.step()` after `loss.backward()` in the loop over batches".to_owned(),
            remedy: Some(Remedy::Step),
            location: seen.loss_line().or_else(|| seen.optimizer_line()),
        }
        .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Severity;
    use crate::testing::{clears, sound_loop, suspects};

    fn calls(backwards: u64, steps: u64) -> TrainingLoop {
        TrainingLoop { batches: backwards, forwards: backwards, backwards, steps, step_location: None, ..sound_loop() }
    }

    #[test]
    fn a_loop_that_never_steps_is_an_error_where_its_backward_pass_is() {
        let finding = suspects::<NoOptimizerStep>((&calls(40, 0), None));
        assert_eq!((finding.severity, finding.remedy), (Severity::Error, Some(Remedy::Step)));
        assert_eq!(finding.measured, "0 steps in 40 backward calls and 40 batches");
        assert_eq!(finding.location.and_then(|location| location.line), Some(20));
        suspects::<NoOptimizerStep>((&TrainingLoop { backwards: 0, ..calls(40, 0) }, None));
    }

    #[test]
    fn accumulated_gradients_and_skipped_first_steps_are_clear() {
        clears::<NoOptimizerStep>((&calls(40, 2), None));
        clears::<NoOptimizerStep>((&calls(40, 37), None));
        clears::<NoOptimizerStep>((&calls(16, 0), None));
    }
}
