//! The pixels as the network receives them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::real::Real;

/// Statistics of the inputs after normalisation, over the probe subset's training samples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct InputStatistics {
    /// Samples measured.
    pub samples: u64,
    /// The normalisation in force, as the recipe names it.
    pub normalization: String,
    /// One entry a channel.
    pub channels: Vec<ChannelStatistics>,
    /// Mean over pixel positions of the standard deviation across samples: 0 where all inputs are the same.
    pub between_samples: Real,
    /// Share of samples whose pixels are all equal, 0..1.
    pub constant_share: Real,
    /// Share of samples that are, pixel for pixel, the most frequent sample, 0..1; 1/samples where all differ.
    pub most_common_share: Real,
    /// Share of input values that are not finite, 0..1.
    pub non_finite_share: Real,
}

/// Statistics of one channel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ChannelStatistics {
    /// Mean.
    pub mean: Real,
    /// Standard deviation.
    pub std: Real,
    /// Smallest value.
    pub min: Real,
    /// Largest value.
    pub max: Real,
}
