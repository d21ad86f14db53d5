//! What is lost between a model as it trains and as it is evaluated.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Score;
use crate::real::Real;

/// The trained model scored once more, with batch-norm statistics taken anew from training samples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Calibration {
    /// Batch norms that keep statistics.
    pub batch_norms: u64,
    /// Dropouts of a probability above 0.
    pub dropouts: u64,
    /// Momentum of the batch norms, the weight of a new batch, smallest and largest; none without batch norms.
    pub momentum: Option<[Real; 2]>,
    /// On the held-out samples, in evaluation mode, with the statistics that training kept: the first run's score.
    pub kept: Score,
    /// The same with statistics of a batch of training samples.
    pub calibrated: Score,
}
