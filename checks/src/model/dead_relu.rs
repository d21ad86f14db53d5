//! ReLU units that are off for every input.

use serde::{Deserialize, Serialize};

use super::layer_at;
use crate::check::{Check, Maybe};
use crate::evidence::{Activations, NodeActivation, NodeKind, Parameters, Training};
use crate::progress::learns;
use crate::stats::between;
use crate::words::percent;
use crate::{Finding, Judgement, Location, Remedy, Severity, describe};

describe! {
    /// Most units of a ReLU layer are zero for every input.
    ///
    /// ## What it looks for
    /// The share of units, in each ReLU layer, that are zero for every sample and position: before training, and after.
    ///
    /// ## Why it matters
    /// A unit that is never on has no gradient and does not come back. A layer with most units dead is a narrow one; a layer
    /// with all units dead cuts the network in two, and the loss stays at ln(classes).
    ///
    /// ## What to do
    /// It is a symptom: look for a learning rate too high, raw 0..255 inputs or a bad initialisation first. `nn.LeakyReLU`, batch
    /// norm before the ReLU, or a warm-up keep units alive once the cause is gone.
    ///
    /// ## False alarms
    /// Healthy networks end with up to half of a layer's units dead after a lively start (Fashion-MNIST, SGD at 0.05): 70% is left
    /// alone, and 95% where the training learns. A first layer that starts dead is judged by dead-first-layer.
    ///
    /// ## Reference
    /// 70% of the gradients zero: AutoTrainer (Zhang et al. 2021); 50% of the units: Amazon SageMaker Debugger, rule DeadRelu; 95%
    /// of the values zero: guardtower. Lu et al. 2020, "Dying ReLU and Initialization".
    DeadRelu, "model" / "dead-relu"
}

/// Limits of [`DeadRelu`].
#[derive(Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Share of a layer's units that may be dead. AutoTrainer's share of zero gradients; SageMaker's 0.5 is reached by sound runs.
    pub dead_share: f64,
    /// Share that may be dead in a training that learns. guardtower.
    pub dead_share_if_learning: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { dead_share: 0.7, dead_share_if_learning: 0.95 }
    }
}

/// The ReLU with the largest share of dead units; a first layer that was born dead is another check's.
fn worst<'a>(activations: &'a Activations, nodes: &'a [NodeActivation]) -> Option<&'a NodeActivation> {
    let born_dead = |node: &NodeActivation| activations.initial.iter().any(|first| first.node == node.node && first.dead_share.0 >= 1.0);
    let relus = nodes.iter().filter(|node| node.kind == NodeKind::Relu && !(node.depth == 0 && born_dead(node)));
    relus.max_by(|a, b| a.dead_share.total_cmp(&b.dead_share))
}

impl Check for DeadRelu {
    type Needs = (Activations, Maybe<Training>, Maybe<Parameters>);
    type Limits = Limits;

    fn judge((activations, training, parameters): (&Activations, Option<&Training>, Option<&Parameters>), limits: &Limits) -> Judgement {
        let share = |node: Option<&NodeActivation>| node.map_or(0.0, |node| node.dead_share.0);
        let (before, after) = (worst(activations, &activations.initial), worst(activations, &activations.trained));
        let measured = format!(
            "worst layer: {} of units dead before training, {} after ({} samples)",
            percent(share(before)),
            percent(share(after)),
            activations.samples
        );
        let limit = if learns(training) { limits.dead_share_if_learning } else { limits.dead_share };
        let born_dead = share(before) > limit;
        let Some(node) = (if born_dead { before } else { after }).filter(|node| node.dead_share.0 > limit) else {
            return Judgement::clear(measured);
        };
        let dead = share(before).max(share(after));
        let layer = if born_dead { layer_at(parameters, node.depth) } else { None };
        Finding {
            severity: if learns(training) { Severity::Note } else { Severity::Warning },
            strength: between(dead, limit, 1.0),
            message: format!(
                "most units of `{}` {} zero for every input, and pass no gradient",
                node.module,
                if born_dead { "start" } else { "end" }
            ),
            measured,
            fix: if born_dead {
                "initialise the layer in front of it again, with zero bias: `nn.init.zeros_(layer.bias)`"
            } else {
                "lower the learning rate, scale the inputs, or use `nn.LeakyReLU` / batch norm"
            }
            .to_owned(),
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
        let relu = |name, share: f64, depth| NodeActivation { dead_share: share.into(), ..node(name, NodeKind::Relu, depth) };
        let nodes = |share| vec![relu("relu1", 1.0, 0), relu("relu2", share, 1)]; // dead-first-layer says the first
        Activations { samples: 100, initial: nodes(before), trained: nodes(after) }
    }

    #[test]
    fn layers_that_die_or_are_born_dead_are_suspected() {
        let finding = suspects::<DeadRelu>((&net(0.03, 1.0), None, None));
        assert_eq!((finding.severity, finding.remedy), (Severity::Warning, None));
        let parameters = Parameters { from_weights: false, tensors: vec![tensor("conv2", 1)] };
        let finding = suspects::<DeadRelu>((&net(0.8, 0.8), None, Some(&parameters)));
        assert_eq!(finding.remedy, Some(Remedy::Reinitialize { parameters: vec!["conv2.weight".to_owned()] }));
    }

    #[test]
    fn some_dead_units_are_clear_and_more_where_it_learns() {
        clears::<DeadRelu>((&net(0.03, 0.47), None, None));
        clears::<DeadRelu>((&net(0.03, 0.9), Some(&training(&[0.7, 0.4], [[160, 40], [30, 170]])), None));
    }
}
