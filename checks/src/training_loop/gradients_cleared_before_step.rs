//! Gradients that are thrown away before they are used.

use serde::{Deserialize, Serialize};

use super::{Seen, severity};
use crate::check::{Check, Maybe};
use crate::evidence::{Training, TrainingLoop};
use crate::stats::between;
use crate::{Finding, Judgement, Location, Remedy, describe};

describe! {
    /// Gradients are cleared between the backward pass and the step, so the step has none to follow.
    ///
    /// ## What it looks for
    /// Calls of `optimizer.step()` at which none of the optimizer's parameters has a gradient, although backward passes reach them.
    ///
    /// ## Why it matters
    /// `optimizer.step()` leaves out parameters without a gradient, without a word. Everything is called that should be, in the wrong
    /// order, and no parameter moves: the loss stands at ln(classes), the accuracy at chance.
    ///
    /// ## What to do
    /// The order of a step is `optimizer.zero_grad()`, `loss.backward()`, `optimizer.step()`; or `zero_grad()` after the step.
    ///
    /// ## False alarms
    /// Single steps without gradients, such as the first of a loop or those of one of two optimizers that take turns, are fewer than
    /// half. A loop without a backward pass, or with a detached loss, is the matter of no-backward and detached-loss.
    ///
    /// ## Reference
    /// torch.optim.Optimizer.zero_grad sets gradients to None, and optimizers pass over parameters whose gradient is None. TrainCheck (OSDI
    /// 2025): every parameter in the optimizer changes after `step()`.
    GradientsClearedBeforeStep, "loop" / "gradients-cleared-before-step"
}

/// Limits of [`GradientsClearedBeforeStep`].
#[derive(Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Share of the steps that may find no gradient, 0..1. Ours: one of two, as of two optimizers that take turns.
    pub share: f64,
    /// Steps below which nothing is said. Ours: a loop may take its first step apart.
    pub steps: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { share: 0.5, steps: 3 }
    }
}

impl Check for GradientsClearedBeforeStep {
    type Needs = (Seen, Maybe<Training>);
    type Limits = Limits;

    fn judge((seen, training): (&TrainingLoop, Option<&Training>), limits: &Limits) -> Judgement {
        let measured = format!("{} of {} steps find no gradient, after {} backward passes", seen.empty_steps, seen.steps, seen.backwards);
        let share = seen.empty_steps as f64 / seen.steps.max(1) as f64;
        let reached = seen.gradients.as_ref().is_none_or(|g| (g.without.len() as u64) < g.parameters);
        if seen.backwards == 0 || !reached || seen.steps < limits.steps || share <= limits.share {
            return Judgement::clear(measured);
        }
        Finding {
            severity: severity(training),
            strength: between(share, limits.share, 1.0),
            message: "gradients are cleared before the step uses them, so every step leaves the model as it is".to_owned(),
            measured,
            fix: "call `optimizer.zero_grad()` before `loss.backward()`, not between it and `optimizer.step()`".to_owned(),
            remedy: Some(Remedy::Backward),
            location: Location::or_line(seen.clear_location.clone(), seen.step_line()),
        }
        .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Severity;
    use crate::testing::{clears, line, sound_loop, suspects};

    #[test]
    fn steps_that_find_no_gradient_are_an_error_where_it_is_cleared() {
        let cleared = TrainingLoop { empty_steps: 40, clear_location: line(22), ..sound_loop() };
        let finding = suspects::<GradientsClearedBeforeStep>((&cleared, None));
        assert_eq!((finding.severity, finding.strength, finding.remedy), (Severity::Error, 1.0, Some(Remedy::Backward)));
        assert_eq!(finding.location, line(22));
        let unplaced = TrainingLoop { clear_location: None, ..cleared };
        assert_eq!(suspects::<GradientsClearedBeforeStep>((&unplaced, None)).location, line(21));
    }

    #[test]
    fn single_empty_steps_and_loops_without_gradients_are_clear() {
        clears::<GradientsClearedBeforeStep>((&sound_loop(), None));
        clears::<GradientsClearedBeforeStep>((&TrainingLoop { empty_steps: 20, ..sound_loop() }, None));
        let empty = TrainingLoop { empty_steps: 40, ..sound_loop() };
        clears::<GradientsClearedBeforeStep>((&TrainingLoop { backwards: 0, ..empty.clone() }, None));
        let mut detached = empty;
        detached.gradients.as_mut().unwrap().without = vec!["fc.weight".to_owned(); 4];
        clears::<GradientsClearedBeforeStep>((&detached, None));
    }
}
