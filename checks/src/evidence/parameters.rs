//! First values of the parameters.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::real::Real;

/// Statistics of every parameter tensor before training, in the order of the forward pass.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Parameters {
    /// Whether a weights file was loaded.
    pub from_weights: bool,
    /// One entry a tensor.
    pub tensors: Vec<ParameterStatistics>,
}

/// What a parameter is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ParameterKind {
    /// Weight of a linear or convolution layer.
    Weight,
    /// Bias of one.
    Bias,
    /// Scale of a normalisation layer.
    NormWeight,
    /// Shift of one.
    NormBias,
    /// Anything else.
    Other,
}

/// Statistics of one tensor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ParameterStatistics {
    /// Full name, such as `layer1.0.conv1.weight`.
    pub name: String,
    /// The module it belongs to, such as `layer1.0.conv1`.
    pub module: String,
    /// What it is for.
    pub kind: ParameterKind,
    /// Shape.
    pub shape: Vec<u64>,
    /// Position of its layer among the layers with weights, from 0 at the input.
    pub depth: u64,
    /// Whether it belongs to the last layer with weights, the one that computes the logits.
    pub last: bool,
    /// Whether the values came from a weights file.
    pub from_weights: bool,
    /// Mean.
    pub mean: Real,
    /// Standard deviation.
    pub std: Real,
    /// Smallest value.
    pub min: Real,
    /// Largest value.
    pub max: Real,
    /// Share of values that are exactly zero, 0..1.
    pub zero_share: Real,
    /// Share of the values that are not zero which are positive, 0..1.
    pub positive_share: Real,
    /// Inputs per unit (kernel area times input channels per group), for weights.
    pub fan_in: Option<u64>,
    /// Standard deviation of the architecture's own initialisation of this tensor; 0 where it is constant.
    pub reference_std: Option<Real>,
    /// For weights: how many different units (rows) there are among `shape[0]`.
    pub distinct_units: Option<u64>,
}

/// Relative difference of two deviations that is no accident: a hundred values of one distribution are within 7%, two times in three. Ours.
const UNLIKE: f64 = 0.25;

impl ParameterStatistics {
    /// Whether the values have another spread than the layer's own initialisation gives: a training left them, or the user drew them otherwise.
    pub fn unlike_fresh(&self) -> bool {
        let fresh = self.reference_std.map_or(0.0, |fresh| fresh.0);
        fresh > 0.0 && self.std.0 > 0.0 && (self.std.0 / fresh - 1.0).abs() > UNLIKE
    }
}
