//! The model's output.

use nanprobe_checks::evidence::{OutputValues, TrailingActivation};
use tch::{Kind, Tensor, no_grad};

use super::{Lab, ProbeError};
use crate::graph::knowledge::{output_function, trailing_activations};
use crate::graph::{Graph, Mode, Network};
use crate::model::{real, scalar};

/// Held-out samples that are looked at.
pub const SAMPLES: usize = 256;

/// The activations behind the last layer.
pub fn trailing(graph: &Graph) -> Vec<TrailingActivation> {
    trailing_activations(graph)
        .into_iter()
        .map(|index| &graph.nodes[index])
        .map(|node| TrailingActivation { function: output_function(node).unwrap_or_default().to_owned(), location: node.location() })
        .collect()
}

/// Statistics of the outputs over held-out samples, in evaluation mode.
pub fn values(lab: &Lab, network: &Network) -> Result<OutputValues, ProbeError> {
    let (inputs, _) = lab.held_out.batch(&lab.spread(SAMPLES), lab.recipe().normalize)?;
    let outputs = no_grad(|| network.forward(&inputs, Mode::Evaluate, None))?;
    statistics(&outputs)
}

fn statistics(outputs: &Tensor) -> Result<OutputValues, ProbeError> {
    let inner = || -> Result<OutputValues, crate::graph::GraphError> {
        let rows = outputs.f_sum_dim_intlist([1i64].as_slice(), false, Kind::Float)?;
        let exponentials = outputs.f_exp()?.f_sum_dim_intlist([1i64].as_slice(), false, Kind::Float)?;
        let off_one = |sums: &Tensor| real(&sums.f_sub_scalar(1.0)?.f_abs()?.f_max()?);
        Ok(OutputValues {
            min: real(&outputs.f_min()?)?,
            max: real(&outputs.f_max()?)?,
            row_sum: real(&rows.f_mean(Kind::Float)?)?,
            row_sum_off_one: off_one(&rows)?,
            exp_sum_off_one: off_one(&exponentials)?,
            zero_share: scalar(&outputs.f_eq(0.0)?.f_to_kind(Kind::Float)?.f_mean(Kind::Double)?)?.into(),
            between_samples: real(&outputs.f_std_dim([0i64].as_slice(), false, false)?.f_mean(Kind::Float)?)?,
        })
    };
    Ok(inner()?)
}
