//! The first batches, and samples that were found suspicious, to be looked at.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::real::Real;

/// Pictures as the network receives them. No check reads them: they are for the eyes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Pictures {
    /// Shape of one input, [C, H, W].
    pub shape: Vec<u64>,
    /// The input value that is drawn black: the least of all pictures here.
    pub black: Real,
    /// The input value that is drawn white: the largest.
    pub white: Real,
    /// Samples in a batch; fewer of each may be kept.
    pub batch_size: u64,
    /// The beginning of the first seed's first batches, in the order in which it trains on them.
    pub batches: Vec<Vec<Picture>>,
    /// Samples whose label is in doubt, each with the reason.
    pub suspects: Vec<Picture>,
}

/// One sample.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Picture {
    /// A PNG in base64, at most 48 pixels a side.
    pub png: String,
    /// Its label, a class index.
    pub label: i64,
    /// The file it comes from, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Why it is shown, where it is suspicious.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
}
