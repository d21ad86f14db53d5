//! How many samples each class has.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Counts per class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ClassCounts {
    /// One entry a class; the position is the label.
    pub classes: Vec<ClassCount>,
}

/// Counts of one class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ClassCount {
    /// The class's name.
    pub name: String,
    /// Samples in the whole training listing.
    pub listed: u64,
    /// Training samples in the probe subset.
    pub train: u64,
    /// Held-out samples in the probe subset.
    pub held_out: u64,
}

impl ClassCounts {
    /// Samples listed in all.
    pub fn total(&self) -> u64 {
        self.classes.iter().map(|class| class.listed).sum()
    }

    /// Share of the largest class in the listing: what always answering it scores. 0 without samples.
    pub fn majority_rate(&self) -> f64 {
        let largest = self.classes.iter().map(|class| class.listed).max().unwrap_or(0);
        largest as f64 / self.total().max(1) as f64
    }
}
