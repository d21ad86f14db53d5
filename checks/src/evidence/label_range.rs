//! The labels against the model's outputs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which labels the model has no output for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LabelRange {
    /// Width of the model's output.
    pub outputs: u64,
    /// Number of classes in the data.
    pub classes: u64,
    /// Smallest label.
    pub min: i64,
    /// Largest label.
    pub max: i64,
    /// Samples whose label is not in 0..outputs (for a single output: not in 0..2).
    pub out_of_range: u64,
    /// Samples looked at.
    pub samples: u64,
}
