//! Whether a few samples can be learned by heart (CS231n; Karpathy 2019).

use nanprobe_checks::evidence::Memorise;
use nanprobe_checks::recipe::{Loss, Recipe};
use tch::{Tensor, no_grad};

use super::lab::BY_HEART;
use super::{Lab, ProbeError};
use crate::graph::knowledge::{output_function, trailing_activations};
use crate::graph::{GraphError, Mode};
use crate::model::scalar;
use crate::sampler::Sampler;
use crate::samples::spread;
use crate::train::{criterion, predictions, train};

pub fn measure(lab: &Lab) -> Result<Memorise, ProbeError> {
    let recipe = Recipe { shuffle: false, batch_size: BY_HEART, ..lab.recipe().clone() };
    let network = lab.model(0)?.network;
    let count = BY_HEART.min(lab.train.len());
    let few = lab.train.chosen(&spread(count, lab.train.len()))?;

    let steps = lab.plan.sweep_steps;
    let curve = train(&network, &few, &recipe, &mut Sampler::new(&few, BY_HEART, false, 0), steps, &mut ())?;
    let everything: Vec<i64> = (0..count as i64).collect();
    let (inputs, targets) = few.batch(&everything, recipe.normalize)?;
    let outputs = no_grad(|| network.forward(&inputs, Mode::Train, None))?;
    let right =
        predictions(recipe.loss, &outputs)?.f_eq_tensor(&targets).and_then(|r| r.f_to_kind(tch::Kind::Float)?.f_mean(tch::Kind::Float));
    Ok(Memorise {
        samples: count as u64,
        steps: curve.loss.len() as u64,
        loss: curve.loss,
        floor: floor(&network, recipe.loss, &outputs, &targets)?.into(),
        accuracy: scalar(&right.map_err(GraphError::from)?)?.into(),
    })
}

/// The least loss that the outputs can reach: where softmax, sigmoid or tanh bounds them, cross-entropy
/// of the extreme outputs; else 0.
fn floor(network: &crate::graph::Network, loss: Loss, outputs: &Tensor, targets: &Tensor) -> Result<f64, GraphError> {
    if loss != Loss::CrossEntropy {
        return Ok(0.0);
    }
    let graph = network.graph();
    let function = trailing_activations(graph).last().and_then(|&index| output_function(&graph.nodes[index]));
    let low = match function {
        Some("softmax" | "sigmoid") => 0.0,
        Some("tanh") => -1.0,
        _ => return Ok(0.0),
    };
    let width = outputs.size()[1];
    let best = targets.f_one_hot(width)?.f_to_kind(tch::Kind::Float)?.f_mul_scalar(1.0 - low)?.f_add_scalar(low)?;
    scalar(&criterion(loss, &best, targets)?)
}
