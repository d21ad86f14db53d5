//! The first values and what they compute, against those of a file.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::real::Real;

/// The model's first values against the values in a reference file, such as pretrained weights, tensor by tensor and layer by layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Reference {
    /// The file.
    pub path: String,
    /// Weights that both have in the same shape, in the order of the forward pass.
    pub tensors: Vec<ReferenceTensor>,
    /// What each layer and activation gives for the same inputs, in the order of the forward pass.
    pub activations: Vec<ReferenceActivation>,
}

/// One weight in the model and in the file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReferenceTensor {
    /// Full name, such as `layer1.0.conv1.weight`.
    pub name: String,
    /// Number of values.
    pub count: u64,
    /// Standard deviation of the model's values.
    pub std: Real,
    /// And of the file's.
    pub reference_std: Real,
    /// Correlation of the two, -1..1; 0 where either is constant.
    pub correlation: Real,
}

/// What a node gives with the model's values and with the file's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReferenceActivation {
    /// The node.
    pub node: String,
    /// Standard deviation over samples and units with the model's values.
    pub std: Real,
    /// And with the file's.
    pub reference_std: Real,
}
