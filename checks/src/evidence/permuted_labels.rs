//! The given labels against the same labels permuted.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::evidence::Score;

/// A contest between the given labels and permuted ones, by a small reference learner with a sound
/// recipe of its own: it tells labels without information from a broken pipeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PermutedLabels {
    /// The learner, in words.
    pub learner: String,
    /// Steps of each training.
    pub steps: u64,
    /// One entry a seed.
    pub contests: Vec<LabelContest>,
}

/// One seed's two trainings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LabelContest {
    /// Held-out score after training on the given labels.
    pub given: Score,
    /// Held-out score, against the given labels, after training on permuted ones.
    pub permuted: Score,
}
