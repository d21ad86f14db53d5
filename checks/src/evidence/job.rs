//! What is trained on what.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::recipe::Recipe;

/// The job under diagnosis and the conditions of measuring.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Job {
    /// The user's recipe, with the image size the probes used.
    pub recipe: Recipe,
    /// The data.
    pub source: SourceSummary,
    /// The model as built.
    pub model: ModelSummary,
    /// How it was measured.
    pub run: Run,
}

/// Where the samples come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SourceSummary {
    /// The path as given.
    pub path: String,
    /// What it was recognised as, such as `image folder`.
    pub kind: String,
    /// How a sample's label is found, in words.
    pub rule: String,
    /// Class names; the position is the label.
    pub classes: Vec<String>,
    /// Samples listed.
    pub listed: u64,
    /// Training samples in the probe subset.
    pub train: u64,
    /// Held-out samples in the probe subset.
    pub held_out: u64,
    /// Where the held-out samples come from, in words.
    pub held_out_from: String,
}

/// The model as built.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ModelSummary {
    /// Its name.
    pub name: String,
    /// Number of scalar parameters.
    pub parameters: u64,
    /// Of them those the recipe trains.
    pub trainable: u64,
    /// Width of the output.
    pub outputs: u64,
    /// Shape of a sample's first input, [C, H, W] for pictures.
    pub input: Vec<u64>,
    /// What was taken from the weights file and what was not, in words.
    pub weights: Option<String>,
    /// Where its modules stand in the user's source, where that is known.
    #[serde(default)]
    pub modules: Vec<ModuleSource>,
}

/// A module in the user's source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ModuleSource {
    /// Its dotted path, such as `layer2.0.conv1`; empty for the model itself.
    pub module: String,
    /// Its class.
    pub class: String,
    /// The file of the line that calls it first.
    pub file: Option<String>,
    /// That line, from 1.
    pub line: Option<u32>,
}

/// The conditions of measuring.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Run {
    /// The seed all randomness follows from.
    pub seed: u64,
    /// `cpu` or `cuda:N`.
    pub device: String,
    /// Threads used inside operators.
    pub threads: u64,
    /// Versions of what computed, by name.
    pub versions: Vec<(String, String)>,
    /// Seconds allowed.
    pub budget: f64,
    /// What was lowered or skipped to keep the budget, in words.
    pub lowered: Vec<String>,
}
