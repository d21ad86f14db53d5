//! The loss before training.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::real::Real;
use crate::recipe::Loss;

/// The mean loss over several batches in training mode, before any step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct InitialLoss {
    /// The criterion.
    pub criterion: Loss,
    /// Samples measured.
    pub samples: u64,
    /// Mean loss; in nats for the likelihood losses.
    pub loss: Real,
    /// The loss of a model that answers every class alike, for this criterion: ln(outputs) for
    /// cross-entropy and nll, ln 2 for the binary ones, none for mse.
    pub uninformed: Option<Real>,
    /// The loss in evaluation mode.
    pub evaluation_loss: Real,
}
