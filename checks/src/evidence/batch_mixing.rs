//! Whether what a model answers for one sample depends on the others.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::verdict::Location;

/// The untrained model in evaluation mode, on the same sample among others and among others again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BatchMixing {
    /// Samples in the batch.
    pub samples: u64,
    /// Whether the first sample's answer changed when only the others did.
    pub mixed: bool,
    /// The first node that mixes them, where one was found.
    pub first: Option<MixingNode>,
}

/// A node whose output for one sample depends on others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MixingNode {
    /// The operator.
    pub operator: String,
    /// Where it stands.
    pub location: Location,
}
