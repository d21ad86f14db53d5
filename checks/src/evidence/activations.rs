//! The outputs of inner nodes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::real::Real;

/// Statistics of every layer's and every activation function's output over the probe samples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Activations {
    /// Samples measured.
    pub samples: u64,
    /// Before training, in the order of the forward pass.
    pub initial: Vec<NodeActivation>,
    /// After training by the user's recipe.
    pub trained: Vec<NodeActivation>,
}

/// What a node computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NodeKind {
    /// A linear or convolution layer.
    Layer,
    /// A normalisation layer.
    Norm,
    /// `relu` and its clipped relatives.
    Relu,
    /// `sigmoid`.
    Sigmoid,
    /// `tanh`.
    Tanh,
    /// Another activation function.
    OtherActivation,
}

/// Statistics of one node's output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NodeActivation {
    /// The node's name in the graph.
    pub node: String,
    /// The module it belongs to, such as `layer1.0.conv1`.
    pub module: String,
    /// What it computes.
    pub kind: NodeKind,
    /// Layers with weights up to and including the one that feeds it, minus 1: 0 for the first layer and its activation.
    pub depth: u64,
    /// Units: channels of a [N, C, H, W] output, features of a [N, F] one.
    pub units: u64,
    /// Mean.
    pub mean: Real,
    /// Standard deviation.
    pub std: Real,
    /// Share of values that are exactly zero, 0..1.
    pub zero_share: Real,
    /// Share of units that are zero (at most 1e-12 in size) for every sample and position, 0..1.
    pub dead_share: Real,
    /// For sigmoid and tanh: share of values within 0.0067 (sigmoid) or 0.0013 (tanh) of an end of the
    /// range, where the slope is below 1/100 of its largest: |z| > 5 and |z| > 3.7. Else 0.
    pub saturated_share: Real,
    /// Mean over units and positions of the standard deviation across samples: 0 where the input does not matter.
    pub between_samples: Real,
}
