//! Faults of the loop around the model: what the user's own code does, or leaves out, between a batch and the next.
//!
//! All is read from what the Python package saw ([`TrainingLoop`]). The checks stand in the order in which a step meets their
//! faults: loss, gradient, optimizer, schedule; then what several ranks do to each other, and how the result is judged. A part of the record that is unknown leaves its
//! check without an answer, for a loop that was not seen is not a sound one.

use std::marker::PhantomData;

use crate::Severity;
use crate::check::{AnyCheck, Needs};
use crate::evidence::{
    Evidence, LoopCriterion, LoopGradients, LoopLoader, LoopMetric, LoopOptimizer, LoopOtherEvaluated, LoopRankBatches, LoopRankParameters,
    LoopRanks, LoopSampler, LoopValidation, Measurement, Training, TrainingLoop,
};
use crate::progress::learns;

mod accuracy_computed_wrong;
mod detached_loss;
mod epoch_never_set;
mod foreign_parameters_in_optimizer;
mod gradient_clipping_too_tight;
mod gradients_cleared_before_step;
mod gradients_not_synchronised;
mod loader_runs_dry;
mod loop_falls_short;
mod loss_shape_mismatch;
mod missing_zero_grad;
mod mixed_precision_underflow;
mod model_made_anew;
mod no_backward;
mod no_optimizer_step;
mod other_model_evaluated;
mod parameters_missing_from_optimizer;
mod per_rank_batch_statistics;
mod ranks_see_same_data;
mod ranks_start_differently;
mod scaler_not_stepping;
mod scheduler_kills_learning_rate;
mod train_validation_overlap;
mod unregistered_parameters;
mod validation_prepared_differently;

/// The family's checks.
pub const CHECKS: &[&dyn AnyCheck] = &[
    &loss_shape_mismatch::LossShapeMismatch,
    &detached_loss::DetachedLoss,
    &no_backward::NoBackward,
    &gradients_cleared_before_step::GradientsClearedBeforeStep,
    &scaler_not_stepping::ScalerNotStepping,
    &mixed_precision_underflow::MixedPrecisionUnderflow,
    &gradient_clipping_too_tight::GradientClippingTooTight,
    &unregistered_parameters::UnregisteredParameters,
    &foreign_parameters_in_optimizer::ForeignParametersInOptimizer,
    &parameters_missing_from_optimizer::ParametersMissingFromOptimizer,
    &no_optimizer_step::NoOptimizerStep,
    &missing_zero_grad::MissingZeroGrad,
    &scheduler_kills_learning_rate::SchedulerKillsLearningRate,
    &loader_runs_dry::LoaderRunsDry,
    &model_made_anew::ModelMadeAnew,
    &ranks_see_same_data::RanksSeeSameData,
    &epoch_never_set::EpochNeverSet,
    &ranks_start_differently::RanksStartDifferently,
    &gradients_not_synchronised::GradientsNotSynchronised,
    &per_rank_batch_statistics::PerRankBatchStatistics,
    &train_validation_overlap::TrainValidationOverlap,
    &validation_prepared_differently::ValidationPreparedDifferently,
    &other_model_evaluated::OtherModelEvaluated,
    &accuracy_computed_wrong::AccuracyComputedWrong,
    &loop_falls_short::LoopFallsShort,
];

/// Batches of which at least one kind of call must have been seen before anything is said of a loop: in the first one or two a
/// scaler may skip, gradients may still accumulate, and nothing has been used twice.
const ENOUGH: u64 = 3;

/// The loop, where it was seen running for at least three batches.
pub struct Seen;

impl Needs for Seen {
    type Ref<'a> = &'a TrainingLoop;

    fn names() -> Vec<&'static str> {
        vec![TrainingLoop::NAME]
    }

    fn read(evidence: &Evidence) -> Result<&TrainingLoop, Vec<&'static str>> {
        let seen = evidence.get::<TrainingLoop>().ok_or_else(|| vec![TrainingLoop::NAME])?;
        match seen.batches.max(seen.forwards).max(seen.backwards).max(seen.steps) {
            _ if !seen.watched => Err(vec!["training-loop (while it runs)"]),
            calls if calls < ENOUGH => Err(vec!["training-loop (for three batches or more)"]),
            _ => Ok(seen),
        }
    }
}

/// A part of the record that may be unknown.
pub trait Recorded: 'static {
    /// What to say is missing.
    const NAME: &'static str;

    /// The part, if it is known.
    fn of(seen: &TrainingLoop) -> Option<&Self>;
}

/// A part of the record that the check cannot do without, whether or not the loop was seen running.
pub struct Part<P>(PhantomData<P>);

impl<P: Recorded> Needs for Part<P> {
    type Ref<'a> = &'a P;

    fn names() -> Vec<&'static str> {
        vec![TrainingLoop::NAME]
    }

    fn read(evidence: &Evidence) -> Result<&P, Vec<&'static str>> {
        let seen = evidence.get::<TrainingLoop>().ok_or_else(|| vec![TrainingLoop::NAME])?;
        P::of(seen).ok_or_else(|| vec![P::NAME])
    }
}

macro_rules! recorded {
    ($($type:ident: $slot:ident $(. $part:ident)? = $name:literal;)+) => {
        $(impl Recorded for $type {
            const NAME: &'static str = $name;

            fn of(seen: &TrainingLoop) -> Option<&Self> {
                seen.$slot.as_ref()$(.and_then(|slot| slot.$part.as_ref()))?
            }
        })+
    };
}

recorded! {
    LoopOptimizer: optimizer = "training-loop (its optimizer)";
    LoopGradients: gradients = "training-loop (its gradients)";
    LoopCriterion: criterion = "training-loop (its criterion)";
    LoopMetric: metric = "training-loop (its accuracy function)";
    LoopLoader: loader = "training-loop (its loader)";
    LoopOtherEvaluated: other_evaluated = "training-loop (an evaluation of another module)";
    LoopRanks: distributed = "training-loop (under torchrun)";
    LoopRankBatches: distributed.batches = "training-loop (what the ranks of torchrun draw)";
    LoopRankParameters: distributed.parameters = "training-loop (parameters of the ranks of torchrun)";
    LoopSampler: distributed.sampler = "training-loop (a DistributedSampler)";
    LoopValidation: validation = "training-loop (its held-out samples)";
}

/// What a fault costs that the engine trains with: an error, unless the training learns despite it.
fn severity(training: Option<&Training>) -> Severity {
    if learns(training) { Severity::Warning } else { Severity::Error }
}

/// Whether the losses of the user's own loop fall to 0.7 of their start or below: for faults that the engine does not train with.
/// The share is the one by which an experiment's loss counts as falling.
fn falls(losses: &[crate::Real]) -> bool {
    let fifth = losses.len() / 5;
    let mean = |part: &[crate::Real]| part.iter().map(|loss| loss.0).sum::<f64>() / part.len() as f64;
    fifth > 0 && mean(&losses[losses.len() - fifth..]) < 0.7 * mean(&losses[..fifth])
}

/// The last part of a class's full name: `StepLR` of `torch.optim.lr_scheduler.StepLR`. At most 40 letters, for a table cell.
fn short(class: &str) -> String {
    class.rsplit('.').next().unwrap_or_default().chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::sound_loop;

    fn missing<N: Needs>(seen: Option<TrainingLoop>) -> Option<Vec<&'static str>> {
        let mut evidence = Evidence::default();
        if let Some(seen) = seen {
            evidence.set(seen);
        }
        N::read(&evidence).err()
    }

    #[test]
    fn a_loop_that_was_not_seen_running_leaves_its_checks_without_an_answer() {
        assert_eq!(missing::<Seen>(None), Some(vec!["training-loop"]));
        let unseen = TrainingLoop { watched: false, ..sound_loop() };
        assert_eq!(missing::<Seen>(Some(unseen.clone())), Some(vec!["training-loop (while it runs)"]));
        assert_eq!(missing::<Part<LoopOptimizer>>(Some(unseen)), None);
        let short = TrainingLoop { batches: 2, forwards: 2, backwards: 2, steps: 2, ..sound_loop() };
        assert_eq!(missing::<Seen>(Some(short)), Some(vec!["training-loop (for three batches or more)"]));
        assert_eq!(missing::<Seen>(Some(sound_loop())), None);
    }

    #[test]
    fn a_part_that_is_unknown_is_missing_by_its_own_name() {
        let unknown = TrainingLoop { metric: None, ..sound_loop() };
        assert_eq!(missing::<Part<LoopMetric>>(Some(unknown)), Some(vec!["training-loop (its accuracy function)"]));
        assert_eq!(missing::<Part<LoopMetric>>(None), Some(vec!["training-loop"]));
    }

    #[test]
    fn losses_fall_if_their_end_is_well_below_their_start() {
        let real = |losses: &[f64]| losses.iter().copied().map(crate::Real).collect::<Vec<_>>();
        assert!(falls(&real(&[1.0, 0.9, 0.8, 0.6, 0.5])));
        assert!(!falls(&real(&[1.0, 0.9, 0.8, 0.8, 0.8])) && !falls(&real(&[1.0, 0.1])) && !falls(&real(&[f64::NAN; 5])));
    }

    #[test]
    fn classes_are_named_shortly() {
        assert_eq!((short("torch.optim.adam.Adam"), short("Mine")), ("Adam".to_owned(), "Mine".to_owned()));
    }
}
