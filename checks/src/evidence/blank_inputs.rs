//! Real inputs against constant ones.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::real::Real;

/// The user's training on real inputs and on constant ones (each the mean input), same seed and steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BlankInputs {
    /// Steps of each training.
    pub steps: u64,
    /// Final training loss on real inputs.
    pub real_loss: Real,
    /// Final training loss on constant inputs: all that class frequencies and batch order give away.
    pub blank_loss: Real,
    /// Held-out balanced accuracy after training on real inputs, 0..1.
    pub real_accuracy: Real,
    /// The same on constant inputs.
    pub blank_accuracy: Real,
}
