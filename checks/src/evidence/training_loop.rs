//! The user's own training loop, as it was seen running.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::real::Real;
use crate::recipe::{Loss, Mode};
use crate::verdict::Location;

/// What the user's own training loop does, recorded by the Python package while it ran; the engine never measures it.
///
/// Counts are of calls while the loop was watched. A location is a line of the user's own code.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TrainingLoop {
    /// Whether the loop was seen running. If not, only its objects were given: counts are 0 and mean nothing.
    pub watched: bool,
    /// Batches drawn from the training loader.
    pub batches: u64,
    /// Forward passes of the model with gradients enabled.
    pub forwards: u64,
    /// Backward passes that started from a loss.
    pub backwards: u64,
    /// Calls of `optimizer.step()`.
    pub steps: u64,
    /// Models of one form that were trained in turn, each for one pass over the training loader; 0 where they are trained otherwise.
    #[serde(default)]
    pub remade: u64,
    /// Parameters of the loss that neither a module nor an optimizer holds; none where all are held.
    #[serde(default)]
    pub unregistered: Option<LoopUnregistered>,
    /// An evaluation of another module than the one that is trained; none where that one is evaluated.
    #[serde(default)]
    pub other_evaluated: Option<LoopOtherEvaluated>,
    /// Backward passes that added to gradients which an earlier step had already used.
    pub uncleared: u64,
    /// Steps at which none of the optimizer's parameters had a gradient.
    #[serde(default)]
    pub empty_steps: u64,
    /// Loss at each backward pass, or at each call of the criterion where there is none; the first 1000 at most.
    pub losses: Vec<Real>,
    /// Share of the optimizer's trainable tensors that changed between the first and the last step, 0..1.
    pub changed_share: Option<Real>,
    /// Where `backward()` is called, or the criterion where it is not.
    pub loss_location: Option<Location>,
    /// Where `optimizer.step()` is called.
    pub step_location: Option<Location>,
    /// Where gradients are cleared; none where every step finds some.
    #[serde(default)]
    pub clear_location: Option<Location>,
    /// The modes the model ran in.
    pub modes: Option<LoopModes>,
    /// What the optimizer holds.
    pub optimizer: Option<LoopOptimizer>,
    /// The gradients after the backward passes.
    pub gradients: Option<LoopGradients>,
    /// The learning rate's schedule; none where nothing changes the rate.
    pub schedule: Option<LoopSchedule>,
    /// The criterion and what it was given.
    pub criterion: Option<LoopCriterion>,
    /// The user's accuracy, against one computed from the same outputs and targets.
    pub metric: Option<LoopMetric>,
    /// The held-out samples against the training samples.
    pub validation: Option<LoopValidation>,
    /// The training loader.
    pub loader: Option<LoopLoader>,
    /// How the model does that the loop left behind.
    pub evaluated: Option<LoopEvaluation>,
    /// The ranks of a distributed training; none where there is one process.
    pub distributed: Option<LoopRanks>,
    /// Why the model could not be exported for the engine; none where it was.
    pub export_error: Option<ExportError>,
}

/// Parameters that the loss depends on and that neither a module nor an optimizer holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LoopUnregistered {
    /// Tensors.
    pub tensors: u64,
    /// Values in them.
    pub values: u64,
}

/// An evaluation of another module than the one that is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LoopOtherEvaluated {
    /// Share of its answers that are right, 0..1.
    pub accuracy: Real,
    /// Where the loop computes its accuracy.
    pub location: Option<Location>,
}

/// Forward passes by the mode the model was in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LoopModes {
    /// Forward passes with gradients enabled on training batches.
    pub training_forwards: u64,
    /// Of these, those in evaluation mode.
    pub training_in_eval: u64,
    /// Forward passes without gradients, or on batches of the validation loader.
    pub evaluation_forwards: u64,
    /// Of these, those in training mode.
    pub evaluation_in_train: u64,
    /// Where the model is called for training.
    pub training_location: Option<Location>,
    /// Where the model is called for evaluation.
    pub evaluation_location: Option<Location>,
}

/// What the optimizer holds, against the model's parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LoopOptimizer {
    /// Full class name, such as `torch.optim.adam.Adam`.
    pub class: String,
    /// Parameter tensors that it holds.
    pub tensors: u64,
    /// Parameter tensors of the model.
    pub model_tensors: u64,
    /// Names of the model's parameters that require gradients and that no optimizer holds.
    pub missing: Vec<String>,
    /// Number of values in them.
    pub missing_values: u64,
    /// Number of values in all the model's parameters.
    pub model_values: u64,
    /// Tensors that it holds and that are not the model's.
    pub foreign: u64,
    /// Number of values in them.
    pub foreign_values: u64,
    /// Where it is made.
    pub location: Option<Location>,
}

/// The gradients after the backward passes, before anything clips them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LoopGradients {
    /// Names of parameters in the optimizer that require gradients and have none after the backward passes.
    pub without: Vec<String>,
    /// Parameters in the optimizer that require gradients.
    pub parameters: u64,
    /// Median over the backward passes of the norm of all gradients together, before clipping.
    pub median_norm: Real,
    /// How they are clipped by norm; none where they are not.
    pub clip: Option<LoopClip>,
    /// Type the loss is computed in, under autocast or of the parameters: `float32`, `float16` or `bfloat16`.
    pub precision: String,
    /// Whether a `GradScaler` scales the loss.
    pub scaled: bool,
    /// Calls of that scaler's `step`.
    #[serde(default)]
    pub scaler_steps: u64,
    /// Share of the gradients' values that are exactly zero, 0..1.
    pub zero_share: Real,
}

/// Clipping of the gradients by their norm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LoopClip {
    /// The norm they are clipped to.
    pub max_norm: Real,
    /// How often the norm was above it.
    pub clipped: u64,
    /// Where they are clipped.
    pub location: Option<Location>,
}

/// The schedule of the learning rate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LoopSchedule {
    /// Full class name, such as `torch.optim.lr_scheduler.StepLR`.
    pub class: String,
    /// Learning rate at the first step.
    pub first: Real,
    /// Learning rate at the last step.
    pub last: Real,
    /// How often it changed.
    pub changes: u64,
    /// Where the scheduler is stepped.
    pub location: Option<Location>,
}

/// The criterion and what it was given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LoopCriterion {
    /// Full name of the class or function, such as `torch.nn.modules.loss.MSELoss`.
    pub class: String,
    /// Shape of its first argument.
    pub outputs: Vec<u64>,
    /// Shape of its second argument.
    pub targets: Vec<u64>,
    /// Type of the second argument, such as `int64`.
    pub targets_dtype: String,
    /// Whether the shapes differ and were broadcast against each other.
    pub broadcast: bool,
    /// What the loop applies to the model's output before the criterion: `softmax`, `log-softmax`, `sigmoid`, `relu`, `argmax` or
    /// `other`; none where that is nothing.
    pub between: Option<String>,
    /// Whether what reached it has no path back to the model's parameters.
    pub detached: bool,
    /// Where it is called.
    pub location: Option<Location>,
}

/// The user's accuracy, against one computed from the same outputs and targets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LoopMetric {
    /// What the user's function answers, in its own unit.
    pub reported: Real,
    /// Share of the samples whose largest output is at their target, 0..1.
    pub recomputed: Real,
    /// Samples that both were computed on.
    pub samples: u64,
    /// Where the user's function stands.
    pub location: Option<Location>,
}

/// The held-out samples against the training samples, as the network receives both.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LoopValidation {
    /// Held-out samples looked at.
    pub samples: u64,
    /// Of these, those identical to a training sample.
    pub repeated: u64,
    /// The training samples' values.
    pub train: Moments,
    /// The held-out samples' values.
    pub held_out: Moments,
    /// Where the held-out samples come from.
    pub location: Option<Location>,
}

/// The values of some inputs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Moments {
    /// Shape of one sample.
    pub shape: Vec<u64>,
    /// Type, such as `float32`.
    pub dtype: String,
    /// Mean over all values.
    pub mean: Real,
    /// Standard deviation over all values.
    pub std: Real,
    /// Smallest value.
    pub min: Real,
    /// Largest value.
    pub max: Real,
}

/// The training loader.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LoopLoader {
    /// Full class name, such as `torch.utils.data.dataloader.DataLoader`.
    pub class: String,
    /// Whether a second pass gives another order; none where that is unknown.
    pub reordered: Option<bool>,
    /// Worker processes.
    pub workers: u64,
    /// Passes over it that were begun.
    #[serde(default)]
    pub passes: u64,
    /// Of these, those that gave no batch; the last one is not counted.
    #[serde(default)]
    pub empty_passes: u64,
    /// Whether it leaves out an incomplete last batch.
    pub drop_last: bool,
    /// Where it is made.
    pub location: Option<Location>,
}

/// How the model does that the user's loop left behind, in evaluation mode.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LoopEvaluation {
    /// Held-out samples.
    pub samples: u64,
    /// Share of them predicted right, 0..1.
    pub accuracy: Real,
}

/// The ranks of a distributed training, each of which recorded itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LoopRanks {
    /// How many there are.
    pub ranks: u64,
    /// What they draw; none where no samples were kept.
    pub batches: Option<LoopRankBatches>,
    /// Their parameters; none where a rank holds parts only, or where they did not take the same number of steps.
    pub parameters: Option<LoopRankParameters>,
    /// Batch norm that each rank computes for itself; none where there is none.
    pub batch_norm: Option<LoopBatchNorm>,
    /// The `DistributedSampler` of the training loader; none where it has another.
    pub sampler: Option<LoopSampler>,
    /// Whether the model is called by way of `DistributedDataParallel`.
    pub wrapped: bool,
    /// Where the model is called for training.
    pub location: Option<Location>,
}

/// What the ranks draw.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LoopRankBatches {
    /// Samples of rank 0 that were compared.
    pub samples: u64,
    /// Share of them that stand in the same batch of another rank, 0..1: of the rank that shares most.
    pub same: Real,
}

/// The parameters of the ranks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LoopRankParameters {
    /// Largest distance between rank 0 and another before the first step, relative to the larger of their norms.
    pub first: Real,
    /// The same of what the steps changed.
    pub change: Real,
}

/// Batch norm of one rank.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LoopBatchNorm {
    /// Path of the first such module.
    pub module: String,
    /// Median number of samples in a batch of one rank.
    pub samples: u64,
}

/// A `DistributedSampler`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LoopSampler {
    /// Whether it shuffles.
    pub shuffle: bool,
    /// The epoch that it was last told.
    pub epoch: u64,
    /// Passes over the loader that were begun.
    pub passes: u64,
}

/// Why the model could not be exported.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ExportError {
    /// In the user's terms.
    pub message: String,
    /// The line at which it fails.
    pub location: Option<Location>,
}

/// A place whose file is known: without one it says less than a module's path.
fn known(location: Option<&Location>) -> Option<Location> {
    location.filter(|location| location.file.is_some()).cloned()
}

impl TrainingLoop {
    /// Where the optimizer is made, for a finding that has no place of its own.
    pub fn optimizer_line(&self) -> Option<Location> {
        known(self.optimizer.as_ref()?.location.as_ref())
    }

    /// Where the training loader is made.
    pub fn loader_line(&self) -> Option<Location> {
        known(self.loader.as_ref()?.location.as_ref())
    }

    /// Where `backward()` is called, or the criterion where it is not.
    pub fn loss_line(&self) -> Option<Location> {
        known(self.loss_location.as_ref())
    }

    /// Where `optimizer.step()` is called, or where the optimizer is made if it is not.
    pub fn step_line(&self) -> Option<Location> {
        known(self.step_location.as_ref()).or_else(|| self.optimizer_line())
    }

    /// Where the criterion is called on something that the loop made of the model's output.
    pub fn between_line(&self) -> Option<Location> {
        let criterion = self.criterion.as_ref()?;
        criterion.between.as_ref().and_then(|_| known(criterion.location.as_ref()))
    }

    /// The recipe's loss; where that is the criterion inside the exported model, the one it is, if the loop shows one that has a name.
    pub fn loss_in_force(watched: Option<&Self>, of_recipe: Loss) -> Loss {
        let inside = watched.filter(|_| of_recipe == Loss::Exported).and_then(|seen| seen.criterion.as_ref());
        match inside.map_or("", |criterion| criterion.class.rsplit('.').next().unwrap_or_default()) {
            "CrossEntropyLoss" | "cross_entropy" => Loss::CrossEntropy,
            "NLLLoss" | "nll_loss" => Loss::Nll,
            "BCEWithLogitsLoss" | "binary_cross_entropy_with_logits" => Loss::BceWithLogits,
            "BCELoss" | "binary_cross_entropy" => Loss::Bce,
            "MSELoss" | "mse_loss" => Loss::Mse,
            _ => of_recipe,
        }
    }

    /// Where the model is called in the wrong mode: for training if that is done in evaluation mode, else for evaluation.
    pub fn mode_line(&self, in_training: Mode) -> Option<Location> {
        let modes = self.modes.as_ref()?;
        known(if in_training == Mode::Eval { modes.training_location.as_ref() } else { modes.evaluation_location.as_ref() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{line, sound_loop};

    #[test]
    fn the_record_reads_back_as_it_was_written() {
        let text = serde_json::to_string(&sound_loop()).unwrap();
        assert_eq!(serde_json::from_str::<TrainingLoop>(&text).unwrap(), sound_loop());
    }

    #[test]
    fn a_part_that_is_unknown_may_be_left_out() {
        let text = r#"{"watched": false, "batches": 0, "forwards": 0, "backwards": 0, "steps": 0, "uncleared": 0, "losses": ["nan", 0.5]}"#;
        let given: TrainingLoop = serde_json::from_str(text).unwrap();
        assert!(given.optimizer.is_none() && given.optimizer_line().is_none() && given.mode_line(Mode::Eval).is_none());
        assert!(given.losses[0].is_nan());
    }

    #[test]
    fn lines_are_those_of_files_that_are_known() {
        let mut seen = sound_loop();
        assert_eq!(
            [seen.loader_line(), seen.optimizer_line(), seen.loss_line(), seen.step_line()],
            [line(9), line(12), line(20), line(21)]
        );
        assert_eq!([seen.mode_line(Mode::Eval), seen.mode_line(Mode::Train), seen.between_line()], [line(18), line(30), None]);
        seen.step_location = Some(Location::module(""));
        assert_eq!(seen.step_line(), line(12), "a place without a file is none");
        seen.criterion.as_mut().unwrap().between = Some("softmax".to_owned());
        assert_eq!(seen.between_line(), line(19));
    }

    #[test]
    fn an_exported_criterion_is_the_one_that_the_loop_calls() {
        let mut seen = sound_loop();
        assert_eq!(TrainingLoop::loss_in_force(Some(&seen), Loss::Exported), Loss::CrossEntropy);
        assert_eq!(TrainingLoop::loss_in_force(Some(&seen), Loss::Bce), Loss::Bce, "what the recipe names, it knows");
        seen.criterion.as_mut().unwrap().class = "mine.FocalLoss".to_owned();
        assert_eq!(TrainingLoop::loss_in_force(Some(&seen), Loss::Exported), Loss::Exported);
        assert_eq!(TrainingLoop::loss_in_force(None, Loss::Exported), Loss::Exported);
    }
}
