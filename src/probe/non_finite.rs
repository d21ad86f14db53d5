//! Where the first NaN or infinity arises: the stopped step once more, every node observed.

use nanprobe_checks::Location;
use nanprobe_checks::evidence::{FirstNonFinite, NonFinite, Phase};
use tch::{Tensor, no_grad};

use super::{Lab, ProbeError};
use crate::graph::{GraphError, Mode, Network, Node};
use crate::model::scalar;
use crate::train::{Curve, loss_of};

/// The evidence of a training that ended with `curve` and left `network` as it was before the update.
pub fn measure(lab: &Lab, network: &Network, curve: &Curve) -> Result<NonFinite, ProbeError> {
    let steps = curve.loss.len() as u64;
    let first = match &curve.stopped {
        Some(indices) => locate(lab, network, indices, steps.saturating_sub(1))?,
        None => None,
    };
    Ok(NonFinite { steps, first })
}

fn finite(tensor: &Tensor) -> Result<bool, GraphError> {
    Ok(scalar(&tensor.f_isfinite()?.f_all()?)? > 0.0)
}

fn locate(lab: &Lab, network: &Network, indices: &[i64], step: u64) -> Result<Option<FirstNonFinite>, ProbeError> {
    let recipe = lab.recipe();
    let graph = network.graph();
    let mut largest = 0f64;
    for parameter in network.parameters() {
        let size = scalar(&parameter.f_abs().and_then(|p| p.f_max()).map_err(GraphError::from)?)?;
        largest = if size.is_nan() { f64::NAN } else { largest.max(size) };
    }
    let found = |phase, node: &str, operator: &str, location: Location| {
        let (node, operator) = (node.to_owned(), operator.to_owned());
        Ok(Some(FirstNonFinite { step, phase, node, operator, location, largest_parameter: largest.into() }))
    };
    let (inputs, labels) = lab.train.batch(indices, recipe.normalize)?;
    for input in &inputs {
        if !finite(input)? {
            return found(Phase::Input, "input", "", Location::module(""));
        }
    }
    for (parameter, values) in graph.parameters.iter().zip(network.parameters()) {
        if !finite(values)? {
            return found(Phase::Parameter, &parameter.name, "", Location::module(parameter.module()));
        }
    }
    let mut kept: Vec<(&Node, Tensor)> = Vec::with_capacity(graph.nodes.len());
    let (_, loss) = loss_of(
        network,
        recipe,
        &inputs,
        &labels,
        Mode::Train,
        Some(&mut |index, output| {
            kept.push((&graph.nodes[index], output.shallow_clone()));
            Ok(())
        }),
    )?;
    for (node, output) in &kept {
        if !no_grad(|| finite(output))? {
            return found(Phase::Forward, &node.name, &node.target, node.location());
        }
    }
    if !finite(&loss)? {
        return found(Phase::Loss, "loss", recipe.loss.name(), Location::module(""));
    }
    // The backward pass runs from the loss to the input: the first non-finite gradient is the latest node's.
    for (node, output) in kept.iter().rev().filter(|(_, output)| output.requires_grad()) {
        let gradient = Tensor::f_run_backward(&[&loss], &[output], true, false).map_err(GraphError::from)?;
        if !gradient.iter().all(|g| !g.defined() || finite(g).unwrap_or(false)) {
            return found(Phase::Backward, &node.name, &node.target, node.location());
        }
    }
    for (parameter, values) in graph.parameters.iter().zip(network.parameters()) {
        let gradient = values.grad();
        if gradient.defined() && !finite(&gradient)? {
            return found(Phase::Backward, &parameter.name, "", Location::module(parameter.module()));
        }
    }
    Ok(None)
}
