//! How far samples differ on their way through the model, and the operator that leaves no difference.

use nanprobe_checks::Real;
use nanprobe_checks::evidence::{Collapse, NodeKind, SampleDifferences};
use tch::{Kind, Tensor, no_grad};

use super::{Lab, ProbeError};
use crate::graph::knowledge::{carry_inputs, depends_on_any, kind, writes};
use crate::graph::{Graph, GraphError, Mode, Network, Output, Value};
use crate::model::scalar;

/// Samples that are compared. A prime, so that no other dimension is taken for that of the batch.
const SAMPLES: usize = 23;
/// Deviation across samples, relative to the values, below which they look alike: rounding leaves 1e-7. Of the survey's 61 classifiers, untrained
/// and in evaluation mode, 53 have 4e-3 or more; the others begin with a head of zeros, or with branches and weights of 1e-5 of their usual size.
const ALIKE: f64 = 1e-5;

/// What is known before training, and where to look again after it.
pub struct Differences {
    evidence: SampleDifferences,
    /// The node that leaves no difference.
    node: Option<usize>,
}

impl Differences {
    /// Looks at the untrained network. Only where its outputs are alike is every node looked at.
    pub fn measure(lab: &Lab, network: &Network) -> Result<Self, ProbeError> {
        let inputs = inputs(lab)?;
        let samples = inputs.first().map_or(0, |input| input.size()[0]);
        let given = inputs.iter().map(|input| difference(input, samples)).collect::<Result<Vec<_>, _>>()?;
        let output = difference(&no_grad(|| network.forward(&inputs, Mode::Evaluate, None))?, samples)?;
        let alike = output.is_some_and(|output| output <= ALIKE);
        let found = if alike { last(network, &inputs, &given)? } else { None };
        let (node, collapse) = found.unzip();
        let evidence = SampleDifferences {
            samples: samples as u64,
            inputs: largest(given).unwrap_or(0.0).into(),
            outputs: output.unwrap_or(0.0).into(),
            collapse,
        };
        Ok(Self { evidence, node })
    }

    /// Looks at the trained network, at the node that left no difference before.
    pub fn complete(mut self, lab: &Lab, network: &Network) -> Result<SampleDifferences, ProbeError> {
        if let (Some(node), Some(collapse)) = (self.node, &mut self.evidence.collapse) {
            let all = differences(network, &inputs(lab)?, |index| index == node)?;
            collapse.trained = all[node].unwrap_or(f64::NAN).into();
        }
        Ok(self.evidence)
    }
}

fn inputs(lab: &Lab) -> Result<Vec<Tensor>, GraphError> {
    Ok(lab.held_out.batch(&lab.spread(SAMPLES), lab.recipe().normalize)?.0)
}

fn largest(all: impl IntoIterator<Item = Option<f64>>) -> Option<f64> {
    all.into_iter().flatten().reduce(f64::max)
}

/// Deviation across samples over the size of the values, as root mean squares; none where no dimension is that of the batch. That is the first of
/// as many places as there are samples, else the first of a multiple of them: heads and windows are laid beside their sample.
fn difference(values: &Tensor, samples: i64) -> Result<Option<f64>, GraphError> {
    let size = values.size();
    let dimension = size.iter().position(|n| *n == samples).or_else(|| size.iter().position(|n| *n > 0 && n % samples == 0));
    let Some(dimension) = dimension.filter(|_| samples > 1 && values.numel() > 0) else { return Ok(None) };
    let rows = values.f_to_kind(Kind::Double)?.f_transpose(0, dimension as i64)?.f_reshape([samples, -1])?;
    let square_mean = |t: &Tensor| scalar(&t.f_square()?.f_mean(Kind::Double)?);
    let deviation = square_mean(&rows.f_sub(&rows.f_mean_dim([0i64].as_slice(), true, Kind::Double)?)?)?;
    Ok(Some(if deviation == 0.0 { 0.0 } else { (deviation / square_mean(&rows)?).sqrt() }))
}

/// The difference of each node that is `wanted` and carries the inputs' values.
fn differences(network: &Network, inputs: &[Tensor], wanted: impl Fn(usize) -> bool) -> Result<Vec<Option<f64>>, GraphError> {
    let carries = carry_inputs(network.graph());
    let samples = inputs.first().map_or(0, |input| input.size()[0]);
    let mut all = vec![None; carries.len()];
    let mut look = |index: usize, output: &Tensor| {
        if carries[index] && wanted(index) {
            all[index] = difference(output, samples)?;
        }
        Ok(())
    };
    let _outputs = no_grad(|| network.forward(inputs, Mode::Evaluate, Some(&mut look)))?;
    Ok(all)
}

/// The last node that reads something in which samples differ and gives something in which they do not, of those that lead to the output by
/// nothing but what is alike.
fn last(network: &Network, inputs: &[Tensor], given: &[Option<f64>]) -> Result<Option<(usize, Collapse)>, GraphError> {
    let graph = network.graph();
    let (carries, mut all) = (carry_inputs(graph), differences(network, inputs, |_| true)?);
    // The loss has no inputs of its own here: the targets are left out.
    let place = |input: usize| input - usize::from(graph.criterion.as_ref().is_some_and(|own| own.target < input));
    let mut of = vec![None; graph.nodes.len()];
    for (index, node) in graph.nodes.iter().enumerate().filter(|(index, _)| carries[*index]) {
        of[index] = largest(node.reads().map(|value| match value {
            Value::Input(input) => given.get(place(input)).copied().flatten(),
            Value::Node(read) => all[read],
            Value::Parameter(_) | Value::Buffer(_) => None,
        }));
        // Lists of tensors, and what has no place for samples, differ as what they are made of.
        all[index] = all[index].or(of[index]);
        if let (true, Some(Value::Node(into))) = (writes(node), node.reads().next()) {
            all[into] = all[index];
        }
    }
    let alike = |difference: Option<f64>| difference.is_some_and(|difference| difference <= ALIKE);
    let mut waiting = if let Value::Node(output) = graph.output { vec![output] } else { vec![] };
    let (mut seen, mut found) = (vec![false; graph.nodes.len()], None);
    while let Some(index) = waiting.pop() {
        if std::mem::replace(&mut seen[index], true) || !alike(all[index]) {
            continue;
        }
        if of[index].is_some_and(|of| of > ALIKE) {
            found = found.max(Some(index));
        } else {
            waiting.extend(graph.nodes[index].reads().filter_map(|value| if let Value::Node(read) = value { Some(read) } else { None }));
        }
    }
    let Some(index) = found else { return Ok(None) };
    let node = &graph.nodes[index];
    let real = |difference: Option<f64>| Real(difference.unwrap_or(f64::NAN));
    let collapse = Collapse {
        operator: node.target.clone(),
        kind: kind(node),
        by_parameters: by_parameters(network, index)?,
        location: node.location(),
        reads: real(of[index]),
        gives: real(all[index]),
        trained: real(None),
    };
    Ok(Some((index, collapse)))
}

/// Whether the values of parameters may explain what a node gives. A norm with a weight scales what it reads; what takes a list of tensors apart
/// reads what made the list.
fn by_parameters(network: &Network, index: usize) -> Result<bool, GraphError> {
    let graph = network.graph();
    let own = parameters(graph, index);
    if !own.is_empty() && kind(&graph.nodes[index]) != Some(NodeKind::Norm) {
        return Ok(true);
    }
    let made = graph.nodes[index].reads().filter_map(|value| match value {
        Value::Node(read) if graph.nodes[read].output != Output::Tensor => Some(read),
        _ => None,
    });
    let read: Vec<usize> = made.flat_map(|read| parameters(graph, read)).chain(own).collect();
    let zero = |index: &usize| Ok(scalar(&network.parameters()[*index].f_abs()?.f_max()?)? == 0.0);
    let zeros = read.iter().map(zero).collect::<Result<Vec<bool>, GraphError>>()?;
    Ok(!zeros.is_empty() && zeros.into_iter().all(|zero| zero))
}

/// The parameters that a node reads, be it by nodes that read nothing else.
fn parameters(graph: &Graph, index: usize) -> Vec<usize> {
    let depends = depends_on_any(graph);
    let (mut waiting, mut found): (Vec<Value>, Vec<usize>) = (graph.nodes[index].reads().collect(), vec![]);
    while let Some(value) = waiting.pop() {
        match value {
            Value::Parameter(parameter) if !found.contains(&parameter) => found.push(parameter),
            Value::Node(read) if !depends[read] => waiting.extend(graph.nodes[read].reads()),
            _ => {}
        }
    }
    found
}
