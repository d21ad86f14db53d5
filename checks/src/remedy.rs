//! What can be done about a fault: an edit of the job that the engine can try.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::recipe::{Loss, Normalize, OptimizerRecipe};

/// An edit of the job. The list is exhaustive: what is not here cannot be tried by an experiment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "edit", rename_all = "kebab-case")]
pub enum Remedy {
    /// Shuffle the training samples every epoch.
    Shuffle,
    /// Draw training samples so that every class comes equally often.
    BalanceClasses,
    /// Leave some training samples out.
    DropSamples {
        /// Their positions within the probe subset.
        samples: Vec<u64>,
    },
    /// Prepare the inputs another way.
    Normalize {
        /// The preparation to use.
        to: Normalize,
    },
    /// Replace the optimizer with its rates.
    Optimizer {
        /// The optimizer to use.
        to: OptimizerRecipe,
    },
    /// Train every parameter.
    Unfreeze,
    /// Let the gradient pass where the model detaches it.
    Reattach,
    /// Give the loss what the last layer computes, without the activation behind it.
    DropOutputActivation,
    /// Use another criterion.
    Loss {
        /// The criterion to use.
        to: Loss,
    },
    /// Train in training mode and evaluate in evaluation mode.
    SetModes,
    /// Call `loss.backward()` on a loss that is not detached, so that the gradient reaches the parameters.
    Backward,
    /// Call `optimizer.step()`.
    Step,
    /// Clear the gradients before each step's backward passes.
    ClearGradients,
    /// Leave the gradients as long as they are.
    Unclip,
    /// Leave the learning rate as it starts.
    KeepLearningRate,
    /// Give the optimizer these parameters too.
    TrainAlso {
        /// Their full names.
        parameters: Vec<String>,
    },
    /// Give the held-out inputs the training inputs' mean and deviation before they are scored.
    PrepareHeldOutAlike,
    /// Take batch norm's statistics anew from training samples before evaluating.
    CalibrateBatchNorm,
    /// Start from the values in a file, safetensors or a state dict.
    LoadWeights {
        /// The file.
        path: PathBuf,
    },
    /// Give these parameters the architecture's own initialisation.
    Reinitialize {
        /// Names of the parameters; empty means all.
        parameters: Vec<String>,
    },
}
