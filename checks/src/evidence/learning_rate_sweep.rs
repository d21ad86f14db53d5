//! The loss while the learning rate grows.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::real::Real;

/// Learning-rate range test (Smith 2017) with the user's model, data and optimizer. Groups keep
/// their proportion: the rate is that of parameters which no group names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LearningRateSweep {
    /// One curve a seed.
    pub curves: Vec<SweepCurve>,
    /// A rate to use, where the loss fell at any rate.
    pub suggestion: Option<Suggestion>,
    /// The recipe's rate.
    pub current: Real,
}

/// One seed's curve.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SweepCurve {
    /// Seed.
    pub seed: u64,
    /// Learning rate at each step.
    pub lr: Vec<Real>,
    /// Loss at each step.
    pub loss: Vec<Real>,
    /// Loss after exponential smoothing with bias correction.
    pub smoothed: Vec<Real>,
}

/// A learning rate with a range over seeds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Suggestion {
    /// Geometric mean over the seeds of the point a half of the way down the longest fall (fastai's valley), or a tenth of the rate with the least loss where that is less.
    pub valley: Real,
    /// Smallest valley of any seed, at most the start of the steep part.
    pub low: Real,
    /// Largest valley of any seed, at least a third of the rate with the least loss.
    pub high: Real,
    /// The rate from which the loss grows past its start, where it does.
    pub diverges: Option<Real>,
}
