//! Whether a few samples can be learned by heart.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::real::Real;

/// Training on the same few samples again and again with the user's model, loss and optimizer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Memorise {
    /// Number of samples, as many of each class as possible.
    pub samples: u64,
    /// Steps made, all samples in each.
    pub steps: u64,
    /// Loss at each step.
    pub loss: Vec<Real>,
    /// The least loss these outputs can reach: above 0 where an activation bounds them.
    pub floor: Real,
    /// Accuracy on them after the last step, training mode, 0..1.
    pub accuracy: Real,
}

impl Memorise {
    /// What is left of the reducible loss, 0..1 and above; NaN where the loss is not finite.
    pub fn remaining(&self) -> f64 {
        let (Some(first), Some(last)) = (self.loss.first(), self.loss.last()) else { return f64::NAN };
        (last.0 - self.floor.0) / (first.0 - self.floor.0).max(1e-9)
    }
}
