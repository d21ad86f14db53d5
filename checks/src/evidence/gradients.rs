//! The gradient of each parameter before training.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::evidence::ParameterKind;
use crate::real::Real;
use crate::verdict::Location;

/// Gradients of the user's loss over the first batches in training mode, before any step, all
/// parameters differentiated whether or not the recipe trains them; and the first updates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Gradients {
    /// Samples the gradients are averaged over.
    pub samples: u64,
    /// Norm of all gradients together at the start.
    pub total_norm: Real,
    /// One entry a parameter tensor, in the order of the forward pass.
    pub parameters: Vec<ParameterGradient>,
    /// Where the model detaches a tensor from what computed it, in the order of the forward pass.
    #[serde(default)]
    pub detached: Vec<Location>,
    /// Names of the parameters that the output does not depend on.
    #[serde(default)]
    pub unused: Vec<String>,
}

/// The gradient of one parameter tensor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ParameterGradient {
    /// Full name, such as `layer1.0.conv1.weight`.
    pub name: String,
    /// What it is for.
    pub kind: ParameterKind,
    /// Position of its layer among the layers with weights, from 0 at the input.
    pub depth: u64,
    /// Number of values.
    pub count: u64,
    /// Whether the recipe trains it.
    pub trainable: bool,
    /// The learning rate the recipe gives it.
    pub lr: Real,
    /// Whether the loss depends on it at all: a gradient arrived.
    pub reached: bool,
    /// Euclidean norm.
    pub norm: Real,
    /// Mean absolute value.
    pub mean_abs: Real,
    /// Norm of the parameter itself.
    pub weight_norm: Real,
    /// Mean over the first steps of |update| / |parameter|; none where it is not trained or is zero.
    pub update_ratio: Option<Real>,
}
