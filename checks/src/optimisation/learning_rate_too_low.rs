//! A learning rate at which hardly anything moves.

use serde::{Deserialize, Serialize};

use super::{optimizer_at, usual_optimizer};
use crate::check::{Check, Maybe, Needs};
use crate::evidence::{Gradients, Job, LearningRateSweep, ParameterGradient, Training, TrainingLoop};
use crate::progress::learns;
use crate::stats::beyond;
use crate::words::{number, percent};
use crate::{Finding, Judgement, Remedy, Severity, describe};

describe! {
    /// The learning rate is too low for the model to move.
    ///
    /// ## What it looks for
    /// The recipe's rate against the range in which the loss falls when the rate grows from step to step (a range test with your
    /// model, data and optimizer); and, where per-layer groups are used or the loss falls at no rate, weights most of whose first updates are
    /// below a 1e-5th of their size.
    ///
    /// ## Why it matters
    /// Too low a rate looks like a model that cannot learn: the loss creeps or stands at ln(classes), the accuracy stays at chance,
    /// and nothing else is wrong. A rate right for SGD is often a hundred times too high for Adam, and the reverse too low.
    ///
    /// ## What to do
    /// Use the suggested rate, or start from 0.01 to 0.1 for `optim.SGD` with momentum and 1e-3 for `optim.Adam`. Look at
    /// per-layer groups, at `weight_decay` mistaken for `lr`, and at a scheduler that starts or decays too low.
    ///
    /// ## False alarms
    /// Fine-tuning pretrained weights wants smaller rates than a range test suggests, which is why a factor of ten is left alone where
    /// the training learns. A run of thousands of steps needs less than this short one; the experiment compares equal steps.
    ///
    /// ## Reference
    /// Smith 2017, "Cyclical Learning Rates", on the range test; fastai's valley. Update over weight below 1e-5: torchmortem; about 1e-3 is right: CS231n.
    LearningRateTooLow, "optimisation" / "learning-rate-too-low"
}

/// Limits of [`LearningRateTooLow`].
#[derive(Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Below the suggested range by this factor: suspected where the training does not learn. Ours: the usual step of a grid of rates.
    pub factor: f64,
    /// By this factor: suspected in any case. Ours: range tests of different seeds and lengths differ by less.
    pub factor_if_learning: f64,
    /// By this factor: an error, unless the training learns. Ours.
    pub error_factor: f64,
    /// |update| / |weight| of a step. torchmortem.
    pub update_ratio: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { factor: 3.0, factor_if_learning: 10.0, error_factor: 30.0, update_ratio: 1e-5 }
    }
}

/// Share of the trained values whose updates are too small to matter.
fn standing(gradients: Option<&Gradients>, limit: f64) -> f64 {
    let trained = || gradients.iter().flat_map(|g| &g.parameters).filter(|p| p.trainable && p.update_ratio.is_some());
    let slow = |p: &&ParameterGradient| p.update_ratio.is_some_and(|ratio| ratio.0 < limit);
    let count = |p: &ParameterGradient| p.count as f64;
    trained().filter(slow).map(count).sum::<f64>() / trained().map(count).sum::<f64>().max(1.0)
}

impl Check for LearningRateTooLow {
    type Needs = (LearningRateSweep, Maybe<Job>, Maybe<Training>, Maybe<Gradients>, Maybe<TrainingLoop>);
    type Limits = Limits;

    fn judge((sweep, job, training, gradients, seen): <Self::Needs as Needs>::Ref<'_>, limits: &Limits) -> Judgement {
        let (current, learning) = (sweep.current.0, learns(training));
        let below = sweep.suggestion.as_ref().map_or(0.0, |range| range.low.0 / current);
        let limit = if learning { limits.factor_if_learning } else { limits.factor };
        let standing = standing(gradients, limits.update_ratio);
        let grouped = job.is_some_and(|job| job.recipe.optimizer.groups.iter().any(|group| group.lr < job.recipe.optimizer.lr));
        let measured = match &sweep.suggestion {
            Some(s) => {
                format!("rate {}; loss falls at {} to {}, best {}", number(current), number(s.low.0), number(s.high.0), number(s.valley.0))
            }
            None => format!("rate {}; the loss falls at none", number(current)),
        };
        let (severity, strength, measured, to) = if below > limit {
            let severity = if below > limits.error_factor && !learning { Severity::Error } else { Severity::Warning };
            let to = sweep.suggestion.as_ref().and_then(|range| optimizer_at(job, sweep, range.valley.0));
            (severity, beyond(below, limits.factor, 2.0), measured, to)
        } else if (grouped || sweep.suggestion.is_none()) && standing > 0.5 && !learning {
            let measured = format!("{} of the weights change by less than {} a step", percent(standing), number(limits.update_ratio));
            (Severity::Error, standing, measured, usual_optimizer(job))
        } else {
            return Judgement::clear(measured);
        };
        Finding {
            severity,
            strength,
            message: "the learning rate is too low: the weights hardly move in the steps there are".to_owned(),
            measured,
            fix: match &to {
                Some(to) => {
                    format!("set `lr={}` in the optimizer{}", number(to.lr), if grouped { ", and in its groups likewise" } else { "" })
                }
                None => "raise `lr` in the optimizer".to_owned(),
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
    use crate::testing::{clears, gradient, gradients, job, line, sound_loop, suspects, sweep, training};

    #[test]
    fn a_millionth_is_an_error_with_the_rate_to_use() {
        let finding = suspects::<LearningRateTooLow>((&sweep(1e-6), Some(&job()), None, None, Some(&sound_loop())));
        assert_eq!((finding.severity, finding.location), (Severity::Error, line(12)));
        let Some(Remedy::Optimizer { to }) = finding.remedy else { panic!() };
        assert!((to.lr / 0.05 / 4e4 - 1.0).abs() < 1e-9, "{}", to.lr); // the recipe's rate times valley over current
        suspects::<LearningRateTooLow>((&sweep(0.0), Some(&job()), None, None, None));
    }

    #[test]
    fn a_rate_near_the_range_is_clear_and_one_a_little_low_where_it_learns() {
        clears::<LearningRateTooLow>((&sweep(0.01), None, None, None, None));
        let learning = training(&[0.7, 0.4], [[160, 40], [30, 170]]);
        clears::<LearningRateTooLow>((&sweep(0.002), None, Some(&learning), None, None));
        assert_eq!(suspects::<LearningRateTooLow>((&sweep(1e-4), None, Some(&learning), None, None)).severity, Severity::Warning);
    }

    #[test]
    fn groups_that_stand_still_are_evened_and_so_is_a_rate_whose_sweep_says_nothing() {
        let mut job = job();
        job.recipe.optimizer.groups = vec!["conv*=1e-9".parse().unwrap()];
        let slow = gradients(vec![ParameterGradient { update_ratio: Some(1e-9.into()), ..gradient("conv1", 0, 1e-3) }]);
        let finding = suspects::<LearningRateTooLow>((&sweep(0.05), Some(&job), None, Some(&slow), None));
        assert!(matches!(finding.remedy, Some(Remedy::Optimizer { to }) if to.groups.is_empty()));
        let silent = LearningRateSweep { suggestion: None, ..sweep(1e-6) };
        suspects::<LearningRateTooLow>((&silent, Some(&job), None, Some(&slow), None));
    }
}
