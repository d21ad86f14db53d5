//! A model that is evaluated as another one than was trained.

use serde::{Deserialize, Serialize};

use crate::check::{Check, Maybe, Needs};
use crate::evidence::{Calibration, Job, Training, TrainingLoop};
use crate::progress::{LEARNS, learns, way};
use crate::recipe::Mode;
use crate::stats::between;
use crate::words::{number, percent};
use crate::{Finding, Judgement, Remedy, Severity, describe};

describe! {
    /// The model is not evaluated as it was trained: its mode, or the statistics that batch norm kept, do not fit.
    ///
    /// ## What it looks for
    /// A recipe that trains in evaluation mode or evaluates in training mode, where there is batch norm or dropout to notice it; and a trained
    /// model that does much better once its batch norms take their statistics anew from a batch of training samples.
    ///
    /// ## Why it matters
    /// In evaluation mode batch norm uses running statistics. Where these never arrive (a momentum of 0.001, or 0.99 taken over from Keras, where it
    /// means the opposite), where batches are too small or sorted, or where `model.eval()` was forgotten, a model that has learned answers as if it had not.
    ///
    /// ## What to do
    /// Call `model.train()` before each training epoch and `model.eval()` before evaluating. Leave `momentum=0.1` in `nn.BatchNorm2d`; it is the
    /// weight of the newest batch. With fewer than eight samples a batch use `nn.GroupNorm`.
    ///
    /// ## False alarms
    /// After a few dozen steps at a high learning rate the running statistics lag behind a model that is sound; the limit leaves such a gap alone.
    ///
    /// ## Reference
    /// Ioffe and Szegedy 2015; Wu and Johnson 2021, "Rethinking `Batch` in BatchNorm", on statistics taken anew; Wu and He 2018 on small batches.
    TrainEvalMismatch, "evaluation" / "train-eval-mismatch"
}

/// Limits of [`TrainEvalMismatch`].
#[derive(Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Balanced accuracy that statistics taken anew may add, 0..1. Ours: three deviations of 400 held-out samples.
    pub gap: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { gap: 0.1 }
    }
}

/// Momentum within this is torch.nn's 0.1 or near it.
const USUAL_MOMENTUM: std::ops::RangeInclusive<f64> = 0.02..=0.5;
/// Batches smaller than this give noisy statistics (Wu and He 2018, figure 1).
const SMALL_BATCH: usize = 8;

/// What to change so that the kept statistics fit.
fn advice(job: &Job, calibration: &Calibration) -> String {
    match calibration.momentum {
        Some([least, most]) if !USUAL_MOMENTUM.contains(&least.0) || !USUAL_MOMENTUM.contains(&most.0) => {
            let given = if USUAL_MOMENTUM.contains(&least.0) { most } else { least };
            format!("set `momentum=0.1` in the batch norms instead of {}: it is the weight of the newest batch", number(given.0))
        }
        _ if job.recipe.batch_size < SMALL_BATCH => {
            format!("use batches of 16 or more, or `nn.GroupNorm`: {} samples a batch give noisy statistics", job.recipe.batch_size)
        }
        _ => "run the training set through the model in training mode, without gradients, before `model.eval()`".to_owned(),
    }
}

impl Check for TrainEvalMismatch {
    type Needs = (Job, Calibration, Maybe<Training>, Maybe<TrainingLoop>);
    type Limits = Limits;

    fn judge((job, calibration, training, seen): <Self::Needs as Needs>::Ref<'_>, limits: &Limits) -> Judgement {
        let noticed = calibration.batch_norms + calibration.dropouts > 0;
        let (kept, anew) = (calibration.kept.balanced_accuracy(), calibration.calibrated.balanced_accuracy());
        let accuracy = format!("{} held out as evaluated, {} with batch norm's statistics taken anew", percent(kept), percent(anew));
        let has = format!("{} batch norms and {} dropouts notice it", calibration.batch_norms, calibration.dropouts);
        let classes = calibration.kept.confusion.len().max(2);
        let (strength, message, measured, fix, remedy) = if noticed && job.recipe.training_mode == Mode::Eval {
            let message = "the model is trained in evaluation mode: batch norm does not normalise by the batch, dropout does nothing";
            (1.0, message, has, "call `model.train()` before each training epoch".to_owned(), Remedy::SetModes)
        } else if noticed && job.recipe.evaluation_mode == Mode::Train {
            let message = "the model is evaluated in training mode: its answers depend on what else is in the batch";
            (1.0, message, has, "call `model.eval()` before evaluating, and `model.train()` after it".to_owned(), Remedy::SetModes)
        } else if anew - kept > limits.gap && way(anew, classes) >= LEARNS {
            let message = "the model has learned more than it shows: the statistics that batch norm kept do not fit its layers";
            (between(anew - kept, limits.gap, 0.5), message, accuracy, advice(job, calibration), Remedy::CalibrateBatchNorm)
        } else {
            return Judgement::clear(if noticed { accuracy } else { "neither batch norm nor dropout: both modes are the same".to_owned() });
        };
        let wrong = seen.filter(|_| remedy == Remedy::SetModes);
        Finding {
            severity: if learns(training) { Severity::Warning } else { Severity::Error },
            strength,
            message: message.to_owned(),
            measured,
            fix,
            remedy: Some(remedy),
            location: wrong.and_then(|seen| seen.mode_line(job.recipe.training_mode)),
        }
        .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{clears, job, line, score, sound_loop, suspects};

    fn calibration(kept: [[u64; 2]; 2], anew: [[u64; 2]; 2]) -> Calibration {
        let momentum = Some([0.1.into(); 2]);
        Calibration { batch_norms: 2, dropouts: 0, momentum, kept: score(kept), calibrated: score(anew) }
    }

    #[test]
    fn statistics_that_do_not_fit_are_found_by_what_fitting_ones_buy() {
        let hidden = calibration([[200, 0], [200, 0]], [[170, 30], [30, 170]]);
        let finding = suspects::<TrainEvalMismatch>((&job(), &hidden, None, None));
        assert_eq!((finding.severity, finding.remedy), (Severity::Error, Some(Remedy::CalibrateBatchNorm)));
        clears::<TrainEvalMismatch>((&job(), &calibration([[160, 40], [40, 160]], [[170, 30], [30, 170]]), None, None));
        clears::<TrainEvalMismatch>((&job(), &calibration([[200, 0], [200, 0]], [[110, 90], [90, 110]]), None, None));
    }

    #[test]
    fn the_advice_names_what_is_unusual() {
        let mut hidden = calibration([[200, 0], [200, 0]], [[170, 30], [30, 170]]);
        hidden.momentum = Some([1e-3.into(), 0.1.into()]);
        assert!(suspects::<TrainEvalMismatch>((&job(), &hidden, None, None)).fix.contains("instead of 0.001"));
        hidden.momentum = None;
        let mut small = job();
        small.recipe.batch_size = 2;
        assert!(suspects::<TrainEvalMismatch>((&small, &hidden, None, None)).fix.contains("2 samples a batch"));
    }

    #[test]
    fn a_mode_is_only_wrong_where_something_notices_it() {
        let (mut swapped, mut blind) = (job(), calibration([[100, 100], [100, 100]], [[100, 100], [100, 100]]));
        swapped.recipe.training_mode = Mode::Eval;
        assert_eq!(suspects::<TrainEvalMismatch>((&swapped, &blind, None, None)).remedy, Some(Remedy::SetModes));
        let place = |job: &Job| suspects::<TrainEvalMismatch>((job, &blind, None, Some(&sound_loop()))).location;
        assert_eq!(place(&swapped), line(18));
        (swapped.recipe.training_mode, swapped.recipe.evaluation_mode) = (Mode::Train, Mode::Train);
        assert_eq!(place(&swapped), line(30));
        blind.batch_norms = 0;
        clears::<TrainEvalMismatch>((&swapped, &blind, None, None));
    }
}
