//! Sigmoids and tanhs at the ends of their range.

use serde::{Deserialize, Serialize};

use super::layer_at;
use crate::check::{Check, Maybe};
use crate::evidence::{Activations, NodeActivation, NodeKind, Parameters, Training};
use crate::progress::learns;
use crate::stats::between;
use crate::words::percent;
use crate::{Finding, Judgement, Location, Remedy, Severity, describe};

describe! {
    /// Most sigmoid or tanh outputs sit at the ends of their range.
    ///
    /// ## What it looks for
    /// The share of values, in each hidden sigmoid or tanh layer, where the slope is below a hundredth of its largest (|z| > 5 for
    /// sigmoid, 3.7 for tanh): before training, and after.
    ///
    /// ## Why it matters
    /// The gradient is multiplied by that slope. Where most values are saturated the layers in front learn a hundred times
    /// slower, or not at all; two such layers in a row are as good as frozen.
    ///
    /// ## What to do
    /// It is a symptom: look for raw 0..255 inputs, weights drawn too large or a learning rate too high first. Use
    /// `nn.init.xavier_uniform_(w, gain=nn.init.calculate_gain("tanh"))`, batch norm before the activation, or ReLU.
    ///
    /// ## False alarms
    /// A sigmoid that is the model's output should saturate once it is right, and gates (squeeze-and-excitation) may: the last
    /// layer is not judged, and a training that learns makes it a note.
    ///
    /// ## Reference
    /// Saturated in more than half of the values: DeepDiagnosis (|z| > 5), Amazon SageMaker Debugger (rules TanhSaturation and
    /// SaturatedActivation). Glorot and Bengio 2010 show the effect on learning.
    SaturatedActivations, "model" / "saturated-activations"
}

/// Limits of [`SaturatedActivations`].
#[derive(Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Share of a layer's values that may be saturated. DeepDiagnosis and Amazon SageMaker Debugger.
    pub saturated_share: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { saturated_share: 0.5 }
    }
}

impl Check for SaturatedActivations {
    type Needs = (Activations, Maybe<Training>, Maybe<Parameters>);
    type Limits = Limits;

    fn judge((activations, training, parameters): (&Activations, Option<&Training>, Option<&Parameters>), limits: &Limits) -> Judgement {
        let bounded = |node: &&NodeActivation| matches!(node.kind, NodeKind::Sigmoid | NodeKind::Tanh);
        let worst = |nodes: &[NodeActivation]| {
            let output = nodes.iter().map(|node| node.depth).max().unwrap_or(0);
            let hidden = nodes.iter().filter(bounded).filter(|node| node.depth < output);
            hidden.max_by(|a, b| a.saturated_share.total_cmp(&b.saturated_share)).cloned()
        };
        let (before, after) = (worst(&activations.initial), worst(&activations.trained));
        let share = |node: &Option<NodeActivation>| node.as_ref().map_or(0.0, |node| node.saturated_share.0);
        if before.is_none() && after.is_none() {
            return Judgement::clear("no hidden sigmoid or tanh");
        }
        let measured = format!(
            "worst layer: {} of values saturated before training, {} after ({} samples)",
            percent(share(&before)),
            percent(share(&after)),
            activations.samples
        );
        let at_first = share(&before) > limits.saturated_share;
        let saturated = share(&before).max(share(&after));
        let Some(node) = (if at_first { before } else { after }).filter(|_| saturated > limits.saturated_share) else {
            return Judgement::clear(measured);
        };
        let layer = if at_first { layer_at(parameters, node.depth) } else { None };
        Finding {
            severity: if learns(training) { Severity::Note } else { Severity::Warning },
            strength: between(saturated, limits.saturated_share, 1.0),
            message: format!("most outputs of `{}` are saturated, so the gradient fades there", node.module),
            measured,
            fix: "scale the inputs, lower the learning rate, use `nn.init.xavier_uniform_`, or ReLU".to_owned(),
            remedy: layer.map(|parameters| Remedy::Reinitialize { parameters }),
            location: Some(Location::module(&node.module)),
        }
        .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{clears, node, suspects, tensor, training};

    fn net(before: f64, after: f64) -> Activations {
        let tanh = |share: f64, depth| NodeActivation { saturated_share: share.into(), ..node("tanh1", NodeKind::Tanh, depth) };
        let nodes = |share| vec![tanh(share, 0), node("fc", NodeKind::Layer, 1), tanh(1.0, 1)];
        Activations { samples: 100, initial: nodes(before), trained: nodes(after) }
    }

    #[test]
    fn a_saturated_hidden_layer_is_suspected() {
        let parameters = Parameters { from_weights: false, tensors: vec![tensor("fc1", 0)] };
        let finding = suspects::<SaturatedActivations>((&net(0.9, 0.9), None, Some(&parameters)));
        assert_eq!(finding.remedy, Some(Remedy::Reinitialize { parameters: vec!["fc1.weight".to_owned()] }));
        let learning = training(&[0.7, 0.4], [[160, 40], [30, 170]]);
        assert_eq!(suspects::<SaturatedActivations>((&net(0.0, 0.8), Some(&learning), None)).severity, Severity::Note);
    }

    #[test]
    fn the_output_may_saturate_and_hidden_layers_a_little() {
        clears::<SaturatedActivations>((&net(0.0, 0.3), None, None));
        clears::<SaturatedActivations>((&Activations { samples: 0, initial: vec![], trained: vec![] }, None, None));
    }
}
