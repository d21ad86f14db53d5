//! A loop that leaves the model where a plain one does not.

use serde::{Deserialize, Serialize};

use super::{Seen, falls};
use crate::check::Check;
use crate::evidence::{Training, TrainingLoop, TrainingRun};
use crate::progress::{LEARNS, way};
use crate::stats::between;
use crate::words::{number, percent};
use crate::{Finding, Judgement, Severity, describe};

describe! {
    /// The same model, data and recipe learn in a plain loop, and not in yours.
    ///
    /// ## What it looks for
    /// The accuracy of the model as your loop left it, against that of the same model after as many steps of nanprobe's own loop on the same samples:
    /// well above guessing there, at guessing here. Without held-out samples the losses are compared.
    ///
    /// ## Why it matters
    /// Then neither model, data, loss nor optimizer is what keeps it from learning. What differs is what your code does between a batch and the next, and no other
    /// check names it: the same batch again and again, weights that are loaded or drawn anew, targets of another batch, a copy of the model that trains.
    ///
    /// ## What to do
    /// Print, for two steps in a row, the first values of the inputs, of the targets, of the criterion's arguments and of one weight before and after `step()`.
    /// Whatever does not change, or changes where it should not, is it.
    ///
    /// ## False alarms
    /// A loop that was stopped right after something that undoes its work on purpose, such as a restart of the weights.
    ///
    /// ## Reference
    /// Karpathy 2019, "A Recipe for Training Neural Networks": start from a loop that is known to be right, and change one thing at a time.
    LoopFallsShort, "loop" / "loop-falls-short"
}

/// Limits of [`LoopFallsShort`].
#[derive(Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Share of the way from guessing to perfect that the loop may reach at most. Ours: three deviations of 400 held-out samples of two classes.
    pub reached: f64,
    /// And that a plain loop must reach at least. Ours: twice what counts as learning.
    pub plain: f64,
    /// Held-out samples at least. Ours: with fewer, guessing looks like learning.
    pub samples: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { reached: 0.15, plain: 2.0 * LEARNS, samples: 60 }
    }
}

impl Check for LoopFallsShort {
    type Needs = (Seen, Training);
    type Limits = Limits;

    fn judge((seen, training): (&TrainingLoop, &Training), limits: &Limits) -> Judgement {
        let classes = training.runs.first().map_or(2, |run| run.held_out.confusion.len()).max(2);
        let plain = training.mean(|run| run.held_out.balanced_accuracy());
        let enough = seen.steps.max(seen.batches) >= training.steps;
        let (short, measured) = if let Some(own) = seen.evaluated.as_ref().filter(|own| own.samples >= limits.samples) {
            let measured =
                format!("{} after {} batches of your loop, {} of a plain one", percent(own.accuracy.0), seen.batches, percent(plain));
            (way(own.accuracy.0, classes) < limits.reached, measured)
        } else {
            let last = seen.losses.last().map_or(f64::NAN, |loss| loss.0);
            let measured =
                format!("last loss {} in your loop, {} in a plain one", number(last), number(training.mean(TrainingRun::final_loss)));
            (seen.losses.len() as u64 >= training.steps && !falls(&seen.losses), measured)
        };
        if !(short && enough && way(plain, classes) >= limits.plain) {
            return Judgement::clear(measured);
        }
        Finding {
            severity: Severity::Error,
            strength: between(way(plain, classes), limits.plain, 1.0),
            message: "the same model, data and recipe learn in a plain loop and not in yours".to_owned(),
            measured,
            fix: "print inputs, targets and one weight around `step()` for two steps: what stays the same, or changes where it should not?"
                .to_owned(),
            remedy: None,
            location: seen.loss_line().or_else(|| seen.step_line()),
        }
        .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::LoopEvaluation;
    use crate::testing::{clears, sound_loop, suspects, training};

    fn left_at(accuracy: f64, samples: u64) -> TrainingLoop {
        TrainingLoop { evaluated: Some(LoopEvaluation { samples, accuracy: accuracy.into() }), batches: 200, steps: 200, ..sound_loop() }
    }

    #[test]
    fn a_loop_at_chance_beside_a_plain_one_that_learns_is_an_error_at_its_own_line() {
        let learns = training(&[0.7, 0.2], [[180, 20], [10, 190]]);
        let finding = suspects::<LoopFallsShort>((&left_at(0.51, 400), &learns));
        assert_eq!((finding.severity, finding.location.and_then(|at| at.line)), (Severity::Error, Some(20)));
        assert!(finding.measured.contains("51% after 200 batches"), "{}", finding.measured);
    }

    #[test]
    fn a_loop_that_learns_or_was_hardly_seen_and_a_job_that_learns_nowhere_are_clear() {
        let learns = training(&[0.7, 0.2], [[180, 20], [10, 190]]);
        clears::<LoopFallsShort>((&left_at(0.8, 400), &learns));
        clears::<LoopFallsShort>((&left_at(0.51, 20), &learns));
        clears::<LoopFallsShort>((&TrainingLoop { batches: 1, steps: 1, ..left_at(0.51, 400) }, &learns));
        clears::<LoopFallsShort>((&left_at(0.51, 400), &training(&[0.7, 0.7], [[100, 100], [100, 100]])));
    }
}
