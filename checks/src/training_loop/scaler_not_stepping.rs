//! Steps with gradients that are still scaled.

use serde::{Deserialize, Serialize};

use super::{Seen, falls};
use crate::check::Check;
use crate::evidence::TrainingLoop;
use crate::{Finding, Judgement, Severity, describe};

describe! {
    /// The loss is scaled for mixed precision, and the optimizer steps without the scaler.
    ///
    /// ## What it looks for
    /// Steps of an optimizer after `scaler.scale(loss).backward()`, and not one by `scaler.step(optimizer)`.
    ///
    /// ## Why it matters
    /// A `GradScaler` multiplies the loss by up to 65536 so that small gradients survive in float16. `scaler.step` divides the gradients by it again
    /// and skips the step where they overflowed. Without it plain SGD steps tens of thousands of times too far.
    ///
    /// ## What to do
    /// `scaler.step(optimizer)` and `scaler.update()` in place of `optimizer.step()`.
    ///
    /// ## False alarms
    /// A loop that unscales by hand, with `scaler.unscale_(optimizer)` or a division of its own, and then steps itself. Adam divides by the size of the
    /// gradients and often learns all the same, without the skipping.
    ///
    /// ## Reference
    /// torch.amp: if the gradients are scaled, `scaler.step(optimizer)` unscales them and calls `optimizer.step()`.
    ScalerNotStepping, "loop" / "scaler-not-stepping"
}

/// [`ScalerNotStepping`] has none: the scaler steps or it does not.
#[derive(Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {}

impl Check for ScalerNotStepping {
    type Needs = Seen;
    type Limits = Limits;

    fn judge(seen: &TrainingLoop, _: &Limits) -> Judgement {
        let (scaled, by_scaler) = seen.gradients.as_ref().map_or((false, 0), |gradients| (gradients.scaled, gradients.scaler_steps));
        if !scaled {
            return Judgement::clear("the loss is not scaled");
        }
        let measured = format!("{} steps on scaled gradients, {by_scaler} of them by the scaler", seen.steps);
        if seen.steps == 0 || by_scaler > 0 {
            return Judgement::clear(measured);
        }
        Finding {
            severity: if falls(&seen.losses) { Severity::Warning } else { Severity::Error },
            strength: 1.0,
            message: "the optimizer steps with gradients that are still scaled for mixed precision".to_owned(),
            measured,
            fix: "call `scaler.step(optimizer)` and `scaler.update()` in place of `optimizer.step()`".to_owned(),
            remedy: None,
            location: seen.step_line(),
        }
        .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::LoopGradients;
    use crate::testing::{clears, line, sound_loop, suspects};

    fn scaled(scaler_steps: u64, steps: u64) -> TrainingLoop {
        let gradients = Some(LoopGradients { scaled: true, scaler_steps, ..sound_loop().gradients.unwrap() });
        TrainingLoop { steps, gradients, ..sound_loop() }
    }

    #[test]
    fn plain_steps_on_scaled_gradients_are_found_at_the_step() {
        assert_eq!(suspects::<ScalerNotStepping>(&scaled(0, 40)).location, line(21));
    }

    #[test]
    fn steps_by_the_scaler_and_no_scaler_at_all_are_clear() {
        clears::<ScalerNotStepping>(&scaled(40, 38));
        clears::<ScalerNotStepping>(&scaled(0, 0));
        clears::<ScalerNotStepping>(&sound_loop());
    }
}
