//! The model's output.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::real::Real;
use crate::verdict::Location;

/// The values that reach the loss, over held-out samples, and what computes them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Logits {
    /// Samples measured.
    pub samples: u64,
    /// Width of the output.
    pub outputs: u64,
    /// Activations that stand between the last layer with weights and the output, in order.
    pub trailing: Vec<TrailingActivation>,
    /// Before training.
    pub initial: OutputValues,
    /// After training by the user's recipe.
    pub trained: OutputValues,
}

impl Logits {
    /// Where the last activation before the output stands.
    pub fn last_place(&self) -> Option<Location> {
        self.trailing.last().map(|activation| activation.location.clone())
    }

    /// What the values alone give away of the function that made them. Sigmoid and tanh leave no mark that logits cannot. `sum` is how far
    /// a row's sum (of exponentials) may be from 1 to count as (log-)probabilities, `zeros` the share of exact zeros that shows a ReLU.
    pub fn signature(&self, sum: f64, zeros: f64) -> Option<&'static str> {
        let both = |sign: &dyn Fn(&OutputValues) -> bool| sign(&self.initial) && sign(&self.trained);
        let log_softmax = both(&|v| v.max.0 <= 0.0 && v.exp_sum_off_one.0 < sum);
        let softmax = both(&|v| v.min.0 >= 0.0 && v.row_sum_off_one.0 < sum);
        let relu = both(&|v| v.min.0 == 0.0 && v.zero_share.0 > zeros) && self.initial.max.0 > 0.0;
        [(log_softmax, "log-softmax"), (softmax, "softmax"), (relu, "relu")].into_iter().find_map(|(seen, name)| seen.then_some(name))
    }
}

/// An activation behind the last layer with weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TrailingActivation {
    /// What it computes: `softmax`, `log-softmax`, `sigmoid`, `relu`, `tanh`.
    pub function: String,
    /// Where it stands.
    pub location: Location,
}

/// Statistics of the output values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OutputValues {
    /// Smallest value.
    pub min: Real,
    /// Largest value.
    pub max: Real,
    /// Mean over samples of the sum over outputs.
    pub row_sum: Real,
    /// Largest distance of a sample's sum over outputs from 1.
    pub row_sum_off_one: Real,
    /// Largest distance of a sample's sum of exponentials from 1 (0 for log-probabilities).
    pub exp_sum_off_one: Real,
    /// Share of values that are exactly zero, 0..1.
    pub zero_share: Real,
    /// Mean over outputs of the standard deviation across samples: 0 where the input does not matter.
    pub between_samples: Real,
}
