//! Samples that are the same picture.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Training samples of the probe subset whose pixels are identical, as decoded and resized.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct IdenticalSamples {
    /// Samples compared.
    pub samples: u64,
    /// Of them those that have a twin with the same label.
    pub repeated: u64,
    /// Positions within the subset of those that have a twin with another label; where one picture fills a quarter of the samples it is left
    /// out, because then the inputs are at fault.
    pub conflicting: Vec<u64>,
}
