//! A schedule that ends the training before it began.

use serde::{Deserialize, Serialize};

use super::{Seen, severity, short};
use crate::check::{Check, Maybe};
use crate::evidence::{LoopSchedule, Training, TrainingLoop};
use crate::stats::beyond;
use crate::words::number;
use crate::{Finding, Judgement, Remedy, describe};

describe! {
    /// The scheduler lowers the learning rate to next to nothing within a few steps.
    ///
    /// ## What it looks for
    /// A learning rate that falls from step to step by a factor, so fast that all steps to come amount to fewer than a training
    /// needs: 1 / (1 - factor) steps at the first rate.
    ///
    /// ## Why it matters
    /// A schedule meant for epochs that is stepped after each batch is through after some dozen batches. What follows moves nothing,
    /// and the loss stands where the rate left it, often at ln(classes).
    ///
    /// ## What to do
    /// Call `scheduler.step()` once an epoch, after the loop over batches; or give the scheduler its numbers in batches. Print
    /// `scheduler.get_last_lr()`.
    ///
    /// ## False alarms
    /// Warm-up grows; cosine, linear and one-cycle schedules end at zero on purpose and pass as long as the end could be theirs. One or two
    /// drops pass. A tiny data set has epochs of a few steps, and the experiment with a rate that stays decides.
    ///
    /// ## Reference
    /// torch.optim.lr_scheduler steps most schedules in the loop over epochs. Steps at the first rate: the sum of a geometric series.
    SchedulerKillsLearningRate, "loop" / "scheduler-kills-learning-rate"
}

/// Limits of [`SchedulerKillsLearningRate`].
#[derive(Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Steps at the first rate that all steps together must amount to. Ours: small networks learn in 60 (measured on Fashion-MNIST).
    pub steps: f64,
    /// Changes of the rate below which no pace is known. Ours.
    pub changes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { steps: 50.0, changes: 3 }
    }
}

/// Schedules that multiply the rate by a factor again and again, so that its pace can be told from its ends.
const BY_FACTOR: [&str; 5] = ["StepLR", "MultiStepLR", "ExponentialLR", "MultiplicativeLR", "ReduceLROnPlateau"];

/// Whether the last rate may be the end that a schedule comes to on purpose after all its steps: zero, or what a cosine has left in its
/// last step, about 1/steps^2 of its height.
fn meant(schedule: &LoopSchedule, ratio: f64, steps: f64) -> bool {
    let class = short(&schedule.class);
    !BY_FACTOR.contains(&class.as_str())
        && (ratio == 0.0 || ratio >= steps.powi(-2) || class.contains("OneCycle") || class.contains("Cyclic"))
}

impl Check for SchedulerKillsLearningRate {
    type Needs = (Seen, Maybe<Training>);
    type Limits = Limits;

    fn judge((seen, training): (&TrainingLoop, Option<&Training>), limits: &Limits) -> Judgement {
        let Some(schedule) = &seen.schedule else {
            return Judgement::clear(format!("nothing changes the learning rate in {} steps", seen.steps));
        };
        let (ratio, steps) = (schedule.last.0 / schedule.first.0, seen.steps.max(1) as f64);
        let left = 1.0 / (1.0 - ratio.powf(1.0 / steps));
        let measured = format!(
            "rate {} to {} in {} steps by `{}`",
            number(schedule.first.0),
            number(schedule.last.0),
            seen.steps,
            short(&schedule.class)
        );
        let falls = ratio < 1.0 && left < limits.steps && schedule.changes >= limits.changes;
        if !falls || meant(schedule, ratio, steps) {
            return Judgement::clear(measured);
        }
        Finding {
            severity: severity(training),
            strength: beyond(left, limits.steps, 1.5),
            message: format!("the scheduler ends the training: all steps to come amount to {} at the first rate", number(left)),
            measured,
            fix: "call `scheduler.step()` once an epoch, not after each batch".to_owned(),
            remedy: Some(Remedy::KeepLearningRate),
            location: schedule.location.clone(),
        }
        .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{clears, sound_loop, suspects};

    fn schedule(class: &str, first: f64, last: f64, changes: u64, steps: u64) -> TrainingLoop {
        let class = format!("torch.optim.lr_scheduler.{class}");
        TrainingLoop {
            steps,
            schedule: Some(LoopSchedule { class, first: first.into(), last: last.into(), changes, location: None }),
            ..sound_loop()
        }
    }

    #[test]
    fn a_rate_that_is_gone_after_a_few_steps_is_suspected_however_it_falls() {
        let finding = suspects::<SchedulerKillsLearningRate>((&schedule("ExponentialLR", 0.1, 0.1 * 0.5_f64.powi(40), 40, 40), None));
        assert_eq!(finding.remedy, Some(Remedy::KeepLearningRate));
        assert!(finding.message.contains("amount to 2 at the first rate"), "{}", finding.message);
        suspects::<SchedulerKillsLearningRate>((&schedule("StepLR", 0.1, 1e-4, 3, 100), None));
        suspects::<SchedulerKillsLearningRate>((&schedule("LambdaLR", 0.1, 1e-9, 40, 40), None));
        suspects::<SchedulerKillsLearningRate>((&schedule("ReduceLROnPlateau", 0.1, 1e-4, 3, 40), None));
    }

    #[test]
    fn schedules_that_mean_to_end_warm_up_or_drop_once_are_clear() {
        for (class, first, last, changes, steps) in [
            ("CosineAnnealingLR", 0.1, 0.0, 40, 40),
            ("CosineAnnealingLR", 0.1, 2e-4, 40, 40),
            ("OneCycleLR", 4e-3, 4e-7, 40, 40),
            ("LambdaLR", 1e-6, 1e-3, 40, 40),
            ("LinearLR", 0.0, 0.1, 5, 40),
            ("StepLR", 0.1, 0.01, 1, 40),
            ("ExponentialLR", 0.1, 0.0729, 3, 120),
        ] {
            clears::<SchedulerKillsLearningRate>((&schedule(class, first, last, changes, steps), None));
        }
        clears::<SchedulerKillsLearningRate>((&TrainingLoop { schedule: None, ..sound_loop() }, None));
    }
}
