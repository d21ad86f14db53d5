//! The labels of the first training batches.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::real::Real;

/// Label histograms of batches in the order in which the recipe's loader gives them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BatchLabels {
    /// Samples per batch.
    pub batch_size: u64,
    /// Whether the recipe shuffles.
    pub shuffled: bool,
    /// Batches in one epoch of the whole listing.
    pub batches: u64,
    /// Label histograms of the first batches (at most 64), one count a class.
    pub histograms: Vec<Vec<u32>>,
    /// Mean over all batches of the largest class's share in the batch, 0..1.
    pub dominance: Real,
    /// The same for the same labels in random order: what shuffling would give.
    pub shuffled_dominance: Real,
    /// Share of all batches that hold one class only, 0..1.
    pub single_class_share: Real,
    /// The same for the same labels in random order.
    pub shuffled_single_class_share: Real,
}
