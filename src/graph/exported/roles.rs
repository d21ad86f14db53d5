//! What parameters are for, as the operators that read them say.

use std::collections::HashMap;

use nanprobe_checks::evidence::ParameterKind;

use crate::graph::{Arg, Fill, Graph, Value};

/// What each parameter is for, by the first node that reads it; and torch.nn's own way to draw it.
pub(super) fn roles(graph: &mut Graph) {
    let mut fan_in: HashMap<usize, f64> = HashMap::new();
    let nodes = std::mem::take(&mut graph.nodes);
    for node in &nodes {
        let operator = node.target.trim_start_matches("aten.").split('.').next().unwrap_or_default();
        let layer = matches!(operator, "conv1d" | "conv2d" | "conv3d" | "linear" | "conv_transpose2d" | "convolution");
        let norm = operator.contains("batch_norm")
            || operator.contains("layer_norm")
            || operator.contains("group_norm")
            || operator.contains("instance_norm");
        let embedding = operator == "embedding";
        let named = |name: &str| {
            let position = node.keywords.iter().position(|keyword| keyword == name)?;
            if let Some(Arg::Value(Value::Parameter(index))) = node.args.get(position) { Some(*index) } else { None }
        };
        let (weight, bias) = (named("weight"), named("bias"));
        for (index, is_weight) in weight.map(|w| (w, true)).into_iter().chain(bias.map(|b| (b, false))) {
            let parameter = &mut graph.parameters[index];
            if parameter.kind != ParameterKind::Other {
                continue;
            }
            let inputs = |shape: &[i64]| shape.get(1..).map_or(1, |rest| rest.iter().product::<i64>()).max(1) as f64;
            (parameter.kind, parameter.fill) = match (layer, norm, is_weight) {
                (true, _, true) => {
                    fan_in.insert(index, inputs(&parameter.shape));
                    (ParameterKind::Weight, Fill::Uniform(1.0 / inputs(&parameter.shape).sqrt()))
                }
                (true, _, false) => {
                    let inputs = weight.and_then(|weight| fan_in.get(&weight)).copied().unwrap_or(1.0);
                    (ParameterKind::Bias, Fill::Uniform(1.0 / inputs.sqrt()))
                }
                (_, true, true) => (ParameterKind::NormWeight, Fill::Constant(1.0)),
                (_, true, false) => (ParameterKind::NormBias, Fill::Constant(0.0)),
                _ if embedding => (ParameterKind::Other, Fill::Normal(1.0)),
                _ => continue,
            };
        }
    }
    graph.nodes = nodes;
}
