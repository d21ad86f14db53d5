//! Looks into an exported model without training it.

use std::collections::BTreeMap;
use std::path::Path;

use tch::Device;

use crate::design::sizes;
use crate::graph::knowledge::{output_function, results, trailing_activations, unused_inputs, unused_parameters};
use crate::graph::{Exported, ExportedError, Network, Value};
use crate::report::terminal::ModelContents;

/// What is in a file.
pub fn inspect(path: &Path) -> Result<ModelContents, ExportedError> {
    let exported = Exported::read(path)?;
    let graph = &exported.graph;
    let size = |index: usize| graph.parameters[index].shape.iter().product::<i64>() as u64;
    let mut operators: BTreeMap<&str, usize> = BTreeMap::new();
    let mut owned: BTreeMap<&str, u64> = BTreeMap::new();
    let mut order: Vec<&str> = Vec::new();
    let mut seen = vec![false; graph.parameters.len()];
    for node in &graph.nodes {
        *operators.entry(&node.target).or_default() += 1;
        for value in node.reads() {
            if let Value::Parameter(index) = value
                && !std::mem::replace(&mut seen[index], true)
            {
                let module = graph.parameters[index].module();
                order.push(module);
                *owned.entry(module).or_default() += size(index);
            }
        }
    }
    order.dedup();
    let layer = |module: &str| {
        let known = exported.modules.get(module).cloned().unwrap_or_default();
        let source = known.source.map_or_else(String::new, |source| format!("{}:{}", source.file, source.line));
        (module.to_owned(), known.class, owned.get(module).copied().unwrap_or(0), source)
    };
    // Any of the outputs may be the class scores.
    let ends: Vec<Value> = exported.answers.iter().map(|answer| answer.value).chain(results(graph)).collect();
    let target = graph.criterion.as_ref().map(|own| own.target);
    let taken: Vec<usize> = (0..graph.inputs).filter(|input| Some(*input) != target).collect();
    let unused = unused_inputs(graph, &ends);
    let unread = taken.iter().zip(&exported.inputs).filter(|(place, _)| unused.contains(place)).map(|(_, input)| input.name.clone());
    let inputs: Vec<String> = exported.inputs.iter().map(|input| sizes(&input.sizes)).collect();
    let frozen = (0..graph.parameters.len()).filter(|&index| exported.frozen.contains(&graph.parameters[index].name)).map(size).sum();
    Ok(ModelContents {
        name: path.display().to_string(),
        torch: exported.torch.clone(),
        shapes: [inputs.join(" and "), sizes(&[None, exported.outputs])],
        criterion: graph.criterion.as_ref().map(|own| own.kind.to_string()),
        parameters: [(0..graph.parameters.len()).map(size).sum(), frozen],
        others: exported.answers.iter().skip(1).map(|answer| (answer.key.clone(), sizes(&[None, answer.width]))).collect(),
        trailing: trailing_activations(graph).into_iter().filter_map(|i| output_function(&graph.nodes[i])).map(str::to_owned).collect(),
        unread: unread.collect(),
        unused: unused_parameters(graph),
        layers: order.into_iter().map(layer).collect(),
        operators: operators.into_iter().map(|(name, calls)| (name.to_owned(), calls)).collect(),
        problem: Network::new(graph.clone(), Device::Cpu).err().map(|error| error.to_string()),
    })
}
