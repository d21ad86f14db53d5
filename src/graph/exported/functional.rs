//! Batch norm as torch 2.5 exported it: a function that also gives its statistics' new values, which are outputs of the whole graph.
//!
//! Later versions export `aten.batch_norm`, which writes its statistics in place. The one is turned into the other: since nodes run in
//! order, who reads a new value reads the buffer after it was written.

use super::Reader;
use super::scope::{Bound, Scope};
use crate::graph::Value;
use crate::pt2::{self, Argument, NamedArgument, OutputSpec};

/// The operators, of which the first output is batch norm's.
const BATCH_NORMS: [&str; 3] = [
    "aten._native_batch_norm_legit_functional.default",
    "aten._native_batch_norm_legit_no_training.default",
    "aten._native_batch_norm_legit.no_stats",
];
/// Arguments of `aten.batch_norm`, of which the last, for cuDNN, has no meaning here.
const ARGUMENTS: [&str; 8] = ["input", "weight", "bias", "running_mean", "running_var", "training", "momentum", "eps"];

/// Whether a node is one of them.
pub(super) fn is_batch_norm(target: &str) -> bool {
    BATCH_NORMS.contains(&target)
}

impl Reader<'_> {
    /// Reads a functional batch norm as one that writes in place.
    pub(super) fn batch_norm(&mut self, node: &pt2::Node, scope: &mut Scope, detached: bool, depth: usize) -> Result<(), String> {
        let given = |name: &str| node.inputs.iter().find(|input| input.name == name).map(|input| input.arg.clone());
        // Whether it trains is decided as it runs.
        let argument = |name: &str| given(name).unwrap_or(Argument::AsNone(serde_json::Value::Bool(true)));
        let inputs = ARGUMENTS.map(|name| NamedArgument { name: name.to_owned(), arg: argument(name) }).to_vec();
        let output = node.outputs.first().cloned().ok_or("it gives nothing")?;
        let in_place =
            pt2::Node { target: "aten.batch_norm.default".to_owned(), inputs, outputs: vec![output], metadata: node.metadata.clone() };
        self.node(&in_place, scope, detached, depth)?;
        for (statistic, new) in ["running_mean", "running_var"].into_iter().zip(node.outputs.iter().skip(3)) {
            if let (Some(Argument::AsTensor(buffer)), Argument::AsTensor(new)) = (given(statistic), new) {
                let bound = scope.get(&buffer.name)?.clone();
                scope.names.insert(new.name.clone(), bound);
            }
        }
        Ok(())
    }

    /// That every buffer whose new value is an output is written in place; counters are not missed, since nothing depends on them.
    pub(super) fn written(&self, file: &pt2::Exported, scope: &Scope) -> Result<(), String> {
        for spec in &file.program.graph_module.signature.output_specs {
            let OutputSpec::BufferMutation { arg, buffer_name } = spec else { continue };
            let same = |index: usize| self.graph.buffers.get(index).is_some_and(|buffer| buffer.name == *buffer_name);
            let in_place = matches!(scope.get(&arg.name)?, Bound::Value(Value::Buffer(index), _) if same(*index));
            if !in_place && !buffer_name.ends_with("num_batches_tracked") {
                return Err(format!("the new value of `{buffer_name}` is an output; export it again with torch 2.6 or later"));
            }
        }
        Ok(())
    }
}
