//! A learning rate at which the loss grows.

use serde::{Deserialize, Serialize};

use super::optimizer_at;
use crate::check::{Check, Maybe};
use crate::evidence::{Job, LearningRateSweep, Training, TrainingLoop, TrainingRun};
use crate::progress::learns;
use crate::stats::beyond;
use crate::words::number;
use crate::{Finding, Judgement, Remedy, Severity, describe};

describe! {
    /// The learning rate is too high for the loss to fall.
    ///
    /// ## What it looks for
    /// The recipe's rate against the one from which the loss grows in a range test with your model, data and optimizer; and
    /// trainings whose loss becomes NaN after the first step or ends well above its start.
    ///
    /// ## Why it matters
    /// Each step overshoots the minimum by more than the last. The loss jumps, ReLUs die in the first steps, and what is left answers one
    /// class: it looks like a model that cannot learn, even after the rate decays.
    ///
    /// ## What to do
    /// Use the suggested rate, or a tenth of yours; warm up over the first hundred steps (`lr_scheduler.LinearLR`), clip with
    /// `nn.utils.clip_grad_norm_`. Adam wants about 1e-3 where SGD takes 0.01 to 0.1.
    ///
    /// ## False alarms
    /// Raw 0..255 inputs, weights drawn too large or a summing loss make an ordinary rate too high: the experiment with those
    /// mended tells. Batch norm tolerates much higher rates than the range test shows.
    ///
    /// ## Reference
    /// Smith 2017, "Cyclical Learning Rates", on the range test; fastai's valley; torch-lr-finder stops at five times the best loss.
    LearningRateTooHigh, "optimisation" / "learning-rate-too-high"
}

/// Limits of [`LearningRateTooHigh`].
#[derive(Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Above the suggested range by this factor: suspected where the training does not learn. Ours: the usual step of a grid of rates.
    pub factor: f64,
    /// By this factor: suspected in any case. Ours: range tests of different seeds and lengths differ by less.
    pub factor_if_learning: f64,
    /// Final over first training loss. Ours: five batches' mean of a loss that stands still stays within it.
    pub growth: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { factor: 3.0, factor_if_learning: 10.0, growth: 1.5 }
    }
}

impl Check for LearningRateTooHigh {
    type Needs = (LearningRateSweep, Maybe<Job>, Maybe<Training>, Maybe<TrainingLoop>);
    type Limits = Limits;

    fn judge(
        (sweep, job, training, seen): (&LearningRateSweep, Option<&Job>, Option<&Training>, Option<&TrainingLoop>),
        limits: &Limits,
    ) -> Judgement {
        let (current, learning, range) = (sweep.current.0, learns(training), sweep.suggestion.as_ref());
        let above = range.map_or(0.0, |range| current / range.high.0);
        let end = range.and_then(|range| range.diverges);
        let past_end = end.is_some_and(|end| current >= end.0);
        // A loss that is not finite at the first step is no matter of the rate.
        let moved = |run: &&TrainingRun| run.loss.first().is_some_and(|loss| loss.is_finite()) && run.loss.len() > 1;
        let growth = training.iter().flat_map(|training| &training.runs).filter(moved).map(|run| match run.final_loss() / run.loss[0].0 {
            growth if growth.is_finite() && run.finite() => growth,
            _ => f64::INFINITY,
        });
        let growth = growth.reduce(f64::max);
        // A loss that grows below the range of the sweep grows for another reason, such as the order of the samples.
        let below = range.is_some_and(|range| current < range.low.0);
        let grows = growth.is_some_and(|growth| growth > limits.growth) && !learning && !below;
        let known = |x: Option<f64>| x.map_or_else(|| "unknown".to_owned(), number);
        let measured = format!(
            "rate {}; best {}, loss grows from {}; last loss over first {}",
            number(current),
            known(range.map(|range| range.valley.0)),
            end.map_or_else(|| "none".to_owned(), |end| number(end.0)),
            known(growth)
        );
        if !(past_end || grows || above > if learning { limits.factor_if_learning } else { limits.factor }) {
            return Judgement::clear(measured);
        }
        let valley = range.map(|range| range.valley.0).filter(|valley| *valley < current);
        let to = optimizer_at(job, sweep, valley.unwrap_or(current / 10.0));
        let beyond_range = if above > limits.factor { beyond(above, limits.factor, 2.0) } else { 0.0 };
        Finding {
            severity: if (past_end || grows) && !learning { Severity::Error } else { Severity::Warning },
            strength: beyond_range.max(if grows { beyond(growth.unwrap_or_default(), limits.growth, 1.0) } else { 0.0 }),
            message: "the learning rate is too high: each step overshoots and the loss does not fall".to_owned(),
            measured,
            fix: match &to {
                Some(to) => format!("set `lr={}` in the optimizer", number(to.lr)),
                None => "lower `lr` in the optimizer".to_owned(),
            },
            remedy: to.map(|to| Remedy::Optimizer { to }),
            location: seen.and_then(TrainingLoop::optimizer_line),
        }
        .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{clears, job, line, sound_loop, suspects, sweep, training};

    #[test]
    fn a_rate_beyond_divergence_is_an_error_with_the_rate_to_use() {
        let finding = suspects::<LearningRateTooHigh>((&sweep(5.0), Some(&job()), None, Some(&sound_loop())));
        assert_eq!((finding.severity, finding.location), (Severity::Error, line(12)));
        let Some(Remedy::Optimizer { to }) = finding.remedy else { panic!() };
        assert!((to.lr / 0.05 / 0.008 - 1.0).abs() < 1e-9, "{}", to.lr);
    }

    #[test]
    fn a_training_that_diverges_needs_no_range() {
        let unknown = LearningRateSweep { suggestion: None, ..sweep(0.05) };
        let diverged = training(&[0.7, 30.0, f64::NAN], [[200, 0], [200, 0]]);
        assert!(suspects::<LearningRateTooHigh>((&unknown, Some(&job()), Some(&diverged), None)).remedy.is_some());
        clears::<LearningRateTooHigh>((&unknown, None, Some(&training(&[f64::NAN], [[200, 0], [200, 0]])), None));
    }

    #[test]
    fn a_rate_in_the_range_is_clear() {
        clears::<LearningRateTooHigh>((&sweep(0.05), None, None, None));
        clears::<LearningRateTooHigh>((&sweep(0.1), None, Some(&training(&[0.7, 0.71, 0.69], [[200, 0], [200, 0]])), None));
    }
}
