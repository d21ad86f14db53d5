//! Where the first NaN or infinity arises.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::verdict::Location;

/// The first value that is not finite in training by the user's recipe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NonFinite {
    /// Steps that were watched.
    pub steps: u64,
    /// The first, if any.
    pub first: Option<FirstNonFinite>,
}

/// Where in a step something became not finite first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// In the inputs themselves.
    Input,
    /// In a parameter, before any step.
    Parameter,
    /// In a node's output.
    Forward,
    /// In the loss, of finite outputs.
    Loss,
    /// In the gradient of a node's output.
    Backward,
}

/// The first node whose output or gradient is not finite.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FirstNonFinite {
    /// The step, from 0; 0 is before any update.
    pub step: u64,
    /// Forward or backward, or before.
    pub phase: Phase,
    /// The node's or parameter's name.
    pub node: String,
    /// The operator, such as `aten.log.default`; empty where it is none.
    pub operator: String,
    /// Where it stands.
    pub location: Location,
    /// Largest absolute value of any parameter at that step, to tell divergence from bad arithmetic.
    pub largest_parameter: crate::real::Real,
}
