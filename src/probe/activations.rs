//! The outputs of inner nodes.

use nanprobe_checks::evidence::{NodeActivation, NodeKind};
use tch::{Kind, Tensor, no_grad};

use super::{Lab, ProbeError};
use crate::graph::knowledge::{depends_on_any, depths, kind};
use crate::graph::{GraphError, Mode, Network};
use crate::model::{real, scalar};

/// Held-out samples that are looked at: a unit that none of them wakes is dead.
pub const SAMPLES: usize = 128;
/// A unit whose largest output is below this is dead; float32 noise of a sum of thousands is far above.
const DEAD: f64 = 1e-12;

/// Statistics of every layer's and activation's output over held-out samples. In training mode, so
/// that batch norm uses these samples' statistics and not those of before training; its kept
/// statistics change.
pub fn measure(lab: &Lab, network: &Network) -> Result<Vec<NodeActivation>, ProbeError> {
    let (inputs, _) = lab.held_out.batch(&lab.spread(SAMPLES), lab.recipe().normalize)?;
    let graph = network.graph();
    let depths = depths(graph);
    let depends = depends_on_any(graph);
    let batch = inputs.first().map_or(0, |input| input.size()[0]);
    let mut activations = Vec::new();
    let _outputs = no_grad(|| {
        network.forward(
            &inputs,
            Mode::Train,
            Some(&mut |index, output| {
                let node = &graph.nodes[index];
                // Numbers, and functions of parameters alone, have no units.
                let units = depends[index] && (output.dim() > 1 || output.size() == [batch]);
                if let Some(kind) = kind(node).filter(|_| units) {
                    let statistics = statistics(output, kind)?;
                    activations.push(NodeActivation {
                        node: node.name.clone(),
                        module: node.module.clone(),
                        kind,
                        depth: depths[index],
                        ..statistics
                    });
                }
                Ok(())
            }),
        )
    })?;
    Ok(activations)
}

/// Statistics of an output, [N, units, ...].
fn statistics(output: &Tensor, kind: NodeKind) -> Result<NodeActivation, GraphError> {
    let share = |mask: &Tensor| scalar(&mask.f_to_kind(Kind::Float)?.f_mean(Kind::Double)?);
    // [N, units, positions]
    let values = match output.dim() {
        1 => output.f_view([-1, 1, 1])?,
        2 => output.f_unsqueeze(-1)?,
        _ => output.f_flatten(2, -1)?,
    };
    let size = values.f_abs()?.f_amax([0i64, 2], false)?;
    let saturated = match kind {
        NodeKind::Sigmoid => share(&values.f_sub_scalar(0.5)?.f_abs()?.f_gt(0.5 - 0.0067)?)?,
        NodeKind::Tanh => share(&values.f_abs()?.f_gt(1.0 - 0.0013)?)?,
        _ => 0.0,
    };
    Ok(NodeActivation {
        node: String::new(),
        module: String::new(),
        kind,
        depth: 0,
        units: values.size()[1] as u64,
        mean: real(&values.f_mean(Kind::Float)?)?,
        std: real(&values.f_std(false)?)?,
        zero_share: share(&values.f_eq(0.0)?)?.into(),
        dead_share: share(&size.f_le(DEAD)?)?.into(),
        saturated_share: saturated.into(),
        between_samples: real(&values.f_std_dim([0i64].as_slice(), false, false)?.f_mean(Kind::Float)?)?,
    })
}
