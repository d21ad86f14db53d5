//! A first layer that lets nothing through.

use serde::{Deserialize, Serialize};

use super::layer_at;
use crate::check::{Check, Maybe};
use crate::evidence::{Activations, InputStatistics, NodeActivation, NodeKind, Parameters};
use crate::stats::between;
use crate::words::{number, percent};
use crate::{Finding, Judgement, Location, Remedy, Severity, describe};

describe! {
    /// The first layer's output does not depend on the input.
    ///
    /// ## What it looks for
    /// Before training: first-layer units that are zero for every sample and position, and a first layer whose output stays the
    /// same from sample to sample although the inputs differ.
    ///
    /// ## Why it matters
    /// What the first layer drops, no later layer sees. A ReLU that is off for every input passes no gradient either, so its
    /// unit cannot recover: the network behind it learns the class frequencies and stops at chance.
    ///
    /// ## What to do
    /// Initialise the layer again with zero bias: `nn.init.zeros_(conv1.bias)`, `nn.init.kaiming_normal_(conv1.weight)`. Look at
    /// a bias constant (`nn.init.constant_(conv1.bias, -30)`), at a threshold in front of it, and at the sign and scale of the inputs.
    ///
    /// ## False alarms
    /// Some dead units among many are harmless, and frequent after a large step; those are judged by dead-relu. Inputs that
    /// are the same for every sample are judged by constant-inputs.
    ///
    /// ## Reference
    /// More than 90% of units dead: torch-audit. Lu et al. 2020, "Dying ReLU and Initialization", on networks born dead.
    DeadFirstLayer, "model" / "dead-first-layer"
}

/// Limits of [`DeadFirstLayer`].
#[derive(Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Share of the first layer's units that may be dead before training. torch-audit.
    pub dead_share: f64,
    /// Deviation of the output across samples, relative to that of the inputs, below which nothing passes.
    /// Ours: a millionth drowns in the rounding of a float32 sum.
    pub response: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { dead_share: 0.9, response: 1e-6 }
    }
}

impl Check for DeadFirstLayer {
    type Needs = (Activations, Maybe<InputStatistics>, Maybe<Parameters>);
    type Limits = Limits;

    fn judge(
        (activations, inputs, parameters): (&Activations, Option<&InputStatistics>, Option<&Parameters>),
        limits: &Limits,
    ) -> Judgement {
        let scale = inputs.map_or(1.0, |inputs| inputs.between_samples.0);
        if scale == 0.0 {
            return Judgement::clear("inputs do not differ, so the first layer cannot be judged");
        }
        let response = |node: &NodeActivation| node.between_samples.0 / scale;
        let dead = |node: &NodeActivation| if node.kind == NodeKind::Relu { node.dead_share.0 } else { 0.0 };
        let silent = |node: &NodeActivation| response(node) < limits.response && node.kind != NodeKind::Norm;
        let first = || activations.initial.iter().filter(|node| node.depth == 0);
        let Some(worst) = first().find(|node| dead(node) > limits.dead_share || silent(node)) else {
            let (dead, least) = (first().map(dead).fold(0.0, f64::max), first().map(response).fold(f64::INFINITY, f64::min));
            return Judgement::clear(format!("{} of first-layer units dead; response {} of the input's", percent(dead), number(least)));
        };
        let names = layer_at(parameters, 0);
        Finding {
            severity: Severity::Error,
            strength: if silent(worst) { 1.0 } else { between(dead(worst), limits.dead_share, 1.0) },
            message: format!("`{}` hardly lets any input through, so the layers behind it see a constant", worst.module),
            measured: format!(
                "{} of {} units dead at first; deviation across {} samples {}",
                percent(dead(worst)),
                worst.units,
                activations.samples,
                number(worst.between_samples.0)
            ),
            fix: "initialise the first layer again, with zero bias: `nn.init.zeros_(layer.bias)`".to_owned(),
            remedy: names.map(|parameters| Remedy::Reinitialize { parameters }),
            location: Some(Location::module(&worst.module)),
        }
        .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{clears, node, suspects, tensor};

    fn net(first: NodeActivation) -> Activations {
        let initial = vec![node("conv1", NodeKind::Layer, 0), first, node("relu2", NodeKind::Relu, 1)];
        Activations { samples: 100, trained: initial.clone(), initial }
    }

    #[test]
    fn a_first_layer_that_is_off_is_suspected_and_can_be_renewed() {
        let off = NodeActivation { dead_share: 1.0.into(), between_samples: 0.0.into(), ..node("relu1", NodeKind::Relu, 0) };
        let parameters = Parameters { from_weights: false, tensors: vec![tensor("conv1", 0), tensor("conv2", 1)] };
        let finding = suspects::<DeadFirstLayer>((&net(off), None, Some(&parameters)));
        assert_eq!(finding.remedy, Some(Remedy::Reinitialize { parameters: vec!["conv1.weight".to_owned()] }));
    }

    #[test]
    fn a_saturated_sigmoid_is_silent_too() {
        suspects::<DeadFirstLayer>((&net(NodeActivation { between_samples: 1e-13.into(), ..node("s", NodeKind::Sigmoid, 0) }), None, None));
    }

    #[test]
    fn live_units_and_dead_ones_further_on_are_clear() {
        clears::<DeadFirstLayer>((&net(node("relu1", NodeKind::Relu, 0)), None, None));
        let deeper = NodeActivation { dead_share: 1.0.into(), between_samples: 0.0.into(), ..node("relu2", NodeKind::Relu, 1) };
        clears::<DeadFirstLayer>((&net(deeper), None, None));
    }
}
