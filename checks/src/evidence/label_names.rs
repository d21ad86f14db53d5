//! The labels against class names that occur in file names.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Files whose own name contains, as a whole word, the name of exactly one class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LabelNames {
    /// Whether the labels come from elsewhere than the file names (else agreement is no evidence).
    pub independent: bool,
    /// Files looked at.
    pub files: u64,
    /// Of them those that name exactly one class.
    pub naming: u64,
    /// Of these those whose label is another class.
    pub disagreeing: u64,
    /// The first of them (at most 20).
    pub examples: Vec<NameDisagreement>,
}

/// A file that names one class and is labelled another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NameDisagreement {
    /// The file.
    pub path: String,
    /// The class in its name.
    pub named: String,
    /// The class of its label.
    pub labelled: String,
}
