//! What a report draws: the curves and statistics behind the verdicts.

use nanprobe_checks::Real;
use nanprobe_checks::evidence::{BatchLabels, ClassCount, LearningRateSweep, NodeKind, Pictures};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The data of every plot. What was not measured is empty or none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Figures {
    /// Training losses by step: the training as it is, with remedies, and controls.
    pub losses: Vec<LossCurve>,
    /// The loss while the learning rate grows, as swept for the training as it is.
    pub sweep: Option<LearningRateSweep>,
    /// The weights of each layer, in the order of the forward pass.
    pub weights: Vec<LayerWeight>,
    /// What layers and activation functions give, in the order of the forward pass.
    pub activations: Vec<LayerActivation>,
    /// Samples of each class.
    pub classes: Vec<ClassCount>,
    /// Labels of the first batches, in the loader's order.
    pub batches: Option<BatchLabels>,
    /// The first batches and suspicious samples as pictures.
    pub pictures: Option<Pictures>,
    /// Accuracies that tell look-alikes apart.
    pub controls: Vec<Control>,
}

/// The loss of one training, of the first seed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LossCurve {
    /// What was trained.
    pub of: CurveOf,
    /// The check whose remedy is in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<String>,
    /// Loss at each step, in the units of the training's criterion.
    pub loss: Vec<Real>,
}

/// What a curve is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CurveOf {
    /// The training as it is.
    Baseline,
    /// With one check's remedy.
    Remedy,
    /// With all the fixes.
    Fixed,
    /// A few samples learned by heart.
    Memorise,
    /// The user's own loop, as it was seen running.
    Loop,
}

/// The weight of one layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LayerWeight {
    /// Its full name, such as `layer1.0.conv1.weight`.
    pub name: String,
    /// Whether the recipe trains it.
    pub trainable: bool,
    /// Mean absolute gradient before training; none where none was measured.
    pub gradient: Option<Real>,
    /// Standard deviation of its first values.
    pub std: Option<Real>,
    /// Standard deviation of the architecture's own initialisation; 0 where that is constant.
    pub fresh_std: Option<Real>,
    /// Standard deviation in the reference file.
    pub reference_std: Option<Real>,
}

/// What one layer or activation function gives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LayerActivation {
    /// The node's name in the graph.
    pub node: String,
    /// What it computes.
    pub kind: NodeKind,
    /// Standard deviation before training.
    pub initial_std: Real,
    /// And after.
    pub trained_std: Option<Real>,
    /// Share of units that are zero for every sample, before training, 0..1.
    pub initial_dead: Real,
    /// And after.
    pub trained_dead: Option<Real>,
    /// Standard deviation with the values of the reference file.
    pub reference_std: Option<Real>,
}

/// A control: the same training on what carries information and on what carries none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Control {
    /// What it compares, in words.
    pub name: String,
    /// Held-out balanced accuracy on the real thing, 0..1.
    pub real: Real,
    /// And on what carries no information.
    pub blank: Real,
}
