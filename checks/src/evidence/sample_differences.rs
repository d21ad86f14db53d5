//! How far samples differ on their way through the model.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::NodeKind;
use crate::real::Real;
use crate::verdict::Location;

/// The model in evaluation mode on some held-out samples. A difference is the deviation across samples relative to the size of the values,
/// both as root mean squares: 0 where all samples look alike.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SampleDifferences {
    /// Samples compared.
    pub samples: u64,
    /// The largest difference of any input.
    pub inputs: Real,
    /// The difference of the outputs before training.
    pub outputs: Real,
    /// What leaves no difference, where the outputs have none before training and one operator is to blame.
    pub collapse: Option<Collapse>,
}

/// The last operator that reads something in which samples differ and gives something in which they do not: behind it all samples look alike.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Collapse {
    /// The operator.
    pub operator: String,
    /// What it computes, where it is a layer, a norm or an activation function.
    pub kind: Option<NodeKind>,
    /// Whether the values of parameters may explain it: it reads some, and is no norm; or all that it reads are zero.
    pub by_parameters: bool,
    /// Where it stands.
    pub location: Location,
    /// The largest difference of what it reads.
    pub reads: Real,
    /// The difference of what it gives before training.
    pub gives: Real,
    /// And after training by the user's recipe.
    pub trained: Real,
}
