//! Whether what the model answers for one sample depends on the others.

use nanprobe_checks::evidence::{BatchMixing, MixingNode};
use tch::{Tensor, no_grad};

use super::{Lab, ProbeError};
use crate::graph::knowledge::depends_on_any;
use crate::graph::{GraphError, Mode, Network, Output};
use crate::model::scalar;
use crate::samples::spread;

/// Samples in the batch: the first stays, the others are replaced.
const SAMPLES: usize = 4;
/// A change of the first sample's values, relative to the largest of them, that is more than rounding: kernels may add in another order for other
/// neighbours.
const CHANGE: f64 = 1e-3;

pub fn measure(lab: &Lab) -> Result<BatchMixing, ProbeError> {
    let network = lab.model(0)?.network;
    let count = lab.train.len().min(2 * SAMPLES - 1);
    let samples = count.div_ceil(2);
    let chosen = spread(count, lab.train.len());
    let (one, other): (Vec<i64>, Vec<i64>) = (chosen[..samples].to_vec(), [&chosen[..1], &chosen[count - (samples - 1)..]].concat());
    let traces = [one, other].map(|indices| {
        let (inputs, _) = lab.train.batch(&indices, lab.recipe().normalize)?;
        trace(&network, &inputs)
    });
    let [one, other] = traces;
    let (one, other) = (one?, other?);
    let mixed = match (&one.output, &other.output) {
        (a, b) if a.size() != b.size() => true,
        (a, b) => changed(&a.f_narrow(0, 0, 1).map_err(GraphError::from)?, &b.f_narrow(0, 0, 1).map_err(GraphError::from)?)?,
    };
    let first = if mixed { first(&network, &one, &other)? } else { None };
    Ok(BatchMixing { samples: samples as u64, mixed, first })
}

/// What every node gives for the first sample, where its output has a place for each sample.
struct Trace {
    rows: Vec<Option<Tensor>>,
    output: Tensor,
}

fn trace(network: &Network, inputs: &[Tensor]) -> Result<Trace, GraphError> {
    let batch = inputs.first().map_or(0, |input| input.size()[0]);
    let mut rows: Vec<Option<Tensor>> = network.graph().nodes.iter().map(|_| None).collect();
    let output = no_grad(|| {
        network.forward(
            inputs,
            Mode::Evaluate,
            Some(&mut |index, output| {
                if output.size().first() == Some(&batch) {
                    rows[index] = Some(output.f_narrow(0, 0, 1)?.f_detach_copy()?);
                }
                Ok(())
            }),
        )
    })?;
    Ok(Trace { rows, output })
}

fn changed(a: &Tensor, b: &Tensor) -> Result<bool, GraphError> {
    if a.numel() == 0 {
        return Ok(false);
    }
    let (a, b) = (a.f_to_kind(tch::Kind::Double)?, b.f_to_kind(tch::Kind::Double)?);
    let difference = scalar(&a.f_sub(&b)?.f_abs()?.f_max()?)?;
    Ok(difference > CHANGE * scalar(&a.f_abs()?.f_max()?)?.max(f64::MIN_POSITIVE))
}

/// The first node in which samples are mixed: the first that has no place for each sample any more, where one follows that has
/// and is changed; or that one itself.
fn first(network: &Network, one: &Trace, other: &Trace) -> Result<Option<MixingNode>, GraphError> {
    let graph = network.graph();
    // Constants and parameters have no place for samples.
    let depends = depends_on_any(graph);
    let mut left: Option<usize> = None;
    for (index, node) in graph.nodes.iter().enumerate() {
        if !depends[index] || node.output != Output::Tensor {
            continue;
        }
        let found = match (&one.rows[index], &other.rows[index]) {
            (Some(a), Some(b)) if changed(a, b)? => Some(left.unwrap_or(index)),
            (Some(_), Some(_)) => {
                left = None;
                None
            }
            _ => {
                left.get_or_insert(index);
                None
            }
        };
        if let Some(found) = found {
            let node = &graph.nodes[found];
            return Ok(Some(MixingNode { operator: node.target.clone(), location: node.location() }));
        }
    }
    Ok(None)
}
