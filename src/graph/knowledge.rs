//! What a graph knows of itself: its layers, their depth, and what stands behind the last one.

use std::collections::HashSet;

use nanprobe_checks::evidence::NodeKind;

use super::{Arg, Graph, Node, Output, Value};

/// The operator's name without its overload, whether or not it works in place and through whichever of its forms.
fn operator(node: &Node) -> Option<&str> {
    Some(node.target.strip_prefix("aten.")?.split('.').next()?.trim_matches('_'))
}

/// Whether a node writes into the tensor that it reads first.
pub fn writes(node: &Node) -> bool {
    node.target.split('.').nth(1).is_some_and(|name| name.ends_with('_') && !name.ends_with("__"))
}

/// What a node computes, where that matters to a check; none for shape changes, pooling and the like.
pub fn kind(node: &Node) -> Option<NodeKind> {
    Some(match operator(node)? {
        "conv1d" | "conv2d" | "conv3d" | "linear" => NodeKind::Layer,
        "batch_norm" | "layer_norm" | "group_norm" | "instance_norm" => NodeKind::Norm,
        "relu" | "relu6" | "hardtanh" => NodeKind::Relu,
        "sigmoid" => NodeKind::Sigmoid,
        "tanh" => NodeKind::Tanh,
        "gelu" | "silu" | "hardswish" | "hardsigmoid" | "mish" | "elu" | "selu" | "celu" | "leaky_relu" | "prelu" | "softplus"
        | "softmax" | "log_softmax" => NodeKind::OtherActivation,
        _ => return None,
    })
}

/// The activation function that bounds or shapes a model's output, by the name a user gives it.
pub fn output_function(node: &Node) -> Option<&'static str> {
    match operator(node)? {
        "softmax" => Some("softmax"),
        "log_softmax" => Some("log-softmax"),
        "sigmoid" => Some("sigmoid"),
        "relu" => Some("relu"),
        "tanh" => Some("tanh"),
        _ => None,
    }
}

/// Positions of the nodes with weights of their own, in the order of the forward pass.
pub fn layers(graph: &Graph) -> Vec<usize> {
    (0..graph.nodes.len()).filter(|&index| kind(&graph.nodes[index]) == Some(NodeKind::Layer)).collect()
}

/// Per node, the position among [`layers`] of the latest layer it depends on; 0 before the first.
pub fn depths(graph: &Graph) -> Vec<u64> {
    let mut depths: Vec<u64> = Vec::with_capacity(graph.nodes.len());
    let mut layers = 0;
    for node in &graph.nodes {
        if kind(node) == Some(NodeKind::Layer) {
            depths.push(layers);
            layers += 1;
        } else {
            let before = node.reads().filter_map(|value| if let Value::Node(i) = value { Some(depths[i]) } else { None });
            depths.push(before.max().unwrap_or(0));
        }
    }
    depths
}

/// Per parameter, the depth of the first node that brings it together with the pictures. One that is looked up or reshaped before, such as a
/// table of attention biases, belongs to the layers around the attention, not to the first.
pub fn parameter_depths(graph: &Graph) -> Vec<u64> {
    let depths = depths(graph);
    let carry = carry_inputs(graph);
    let depth = |parameter: usize| {
        let mut derived = vec![Value::Parameter(parameter)];
        let mut first = None;
        for (index, node) in graph.nodes.iter().enumerate() {
            if node.reads().any(|value| derived.contains(&value)) {
                if carry[index] {
                    return depths[index];
                }
                first = first.or(Some(depths[index]));
                derived.push(Value::Node(index));
            }
        }
        first.unwrap_or(0)
    };
    (0..graph.parameters.len()).map(depth).collect()
}

/// Per node, whether it follows from one of the inputs that `starts` names, by nodes that `passes` lets through.
pub fn follows(graph: &Graph, starts: impl Fn(usize) -> bool, passes: impl Fn(&Node) -> bool) -> Vec<bool> {
    let mut follows: Vec<bool> = Vec::with_capacity(graph.nodes.len());
    for node in &graph.nodes {
        let from = |value| match value {
            Value::Input(i) => starts(i),
            Value::Node(i) => follows.get(i).copied().unwrap_or(false),
            Value::Parameter(_) | Value::Buffer(_) => false,
        };
        follows.push(passes(node) && node.reads().any(from));
    }
    follows
}

/// Per node, whether it depends on any input, be it by its sizes alone; parameters and constants do not.
pub fn depends_on_any(graph: &Graph) -> Vec<bool> {
    follows(graph, |_| true, |_| true)
}

/// Per node, whether it depends on an input, be it by its sizes alone.
pub fn depends_on(graph: &Graph, input: usize) -> Vec<bool> {
    follows(graph, |i| i == input, |_| true)
}

/// Operators that take no more than the sizes of what they read.
const SIZED: [&str; 11] = [
    "zeros_like",
    "ones_like",
    "full_like",
    "empty_like",
    "rand_like",
    "randn_like",
    "new_zeros",
    "new_ones",
    "new_full",
    "new_empty",
    "sym_size",
];

/// Whether a node's values depend on those that it reads: sizes say nothing of them.
fn carries(node: &Node) -> bool {
    !matches!(node.output, Output::Int | Output::Bool) && !operator(node).is_some_and(|operator| SIZED.contains(&operator))
}

/// Per node, whether it depends on the values of any input.
pub fn carry_inputs(graph: &Graph) -> Vec<bool> {
    follows(graph, |_| true, carries)
}

/// Positions of the inputs on whose values none of `ends` depends, as far as the graph tells.
pub fn unused_inputs(graph: &Graph, ends: &[Value]) -> Vec<usize> {
    let used = |input: usize| {
        let reached = follows(graph, |other| other == input, carries);
        let from = |value: &Value| match value {
            Value::Node(index) => reached.get(*index).copied().unwrap_or(false),
            other => *other == Value::Input(input),
        };
        // What is written into a tensor in place reaches all that shares its memory, which the graph does not say.
        let written = |node: &Node| {
            let into = node.reads().next();
            writes(node) && !into.as_ref().is_some_and(from) && node.reads().any(|value| from(&value))
        };
        ends.iter().any(from) || graph.nodes.iter().any(written)
    };
    (0..graph.inputs).filter(|&input| !used(input)).collect()
}

/// The output, and the loss where the graph computes one.
pub fn results(graph: &Graph) -> Vec<Value> {
    [Some(graph.output), graph.criterion.as_ref().map(|own| own.loss)].into_iter().flatten().collect()
}

/// Per node, whether one of the values depends on it, be it by sizes alone: the rest is a dead branch.
pub fn leads_to(graph: &Graph, ends: &[Value]) -> Vec<bool> {
    let mut leads = vec![false; graph.nodes.len()];
    let mark = |leads: &mut Vec<bool>, value: Value| {
        if let Value::Node(index) = value {
            leads[index] = true;
        }
    };
    for value in ends {
        mark(&mut leads, *value);
    }
    for index in (0..graph.nodes.len()).rev() {
        if leads[index] {
            graph.nodes[index].reads().for_each(|value| mark(&mut leads, value));
        }
    }
    leads
}

/// Names of the parameters that neither the output nor the loss depends on: they never get a gradient.
pub fn unused_parameters(graph: &Graph) -> Vec<String> {
    let leads = leads_to(graph, &results(graph));
    let read: HashSet<usize> = (graph.nodes.iter().zip(leads).filter(|(_, leads)| *leads))
        .flat_map(|(node, _)| node.reads())
        .filter_map(|value| if let Value::Parameter(index) = value { Some(index) } else { None })
        .collect();
    let unread = (0..graph.parameters.len()).filter(|index| !read.contains(index));
    unread.map(|index| graph.parameters[index].name.clone()).collect()
}

/// Operators that leave each value as it is, drop it, or average values, which keeps what bounds them.
const PASSING: [&str; 17] = [
    "flatten",
    "dropout",
    "detach",
    "alias",
    "view",
    "reshape",
    "squeeze",
    "unsqueeze",
    "contiguous",
    "clone",
    "to",
    "expand",
    "permute",
    "transpose",
    "avg_pool2d",
    "adaptive_avg_pool2d",
    "mean",
];

/// Positions of the activation functions between the last layer and the output, in order.
pub fn trailing_activations(graph: &Graph) -> Vec<usize> {
    let mut found = Vec::new();
    let mut value = graph.output;
    while let Value::Node(index) = value {
        let node = &graph.nodes[index];
        if output_function(node).is_some() {
            found.push(index);
        } else if !operator(node).is_some_and(|operator| PASSING.contains(&operator)) {
            break;
        }
        match node.reads().next() {
            Some(before) => value = before,
            None => break,
        }
    }
    found.reverse();
    found
}

/// The operator of batch norm.
pub const BATCH_NORM: &str = "aten.batch_norm.default";
/// The place of the momentum among its arguments.
pub const BATCH_NORM_MOMENTUM: usize = 6;

/// Momentum of each batch norm that keeps statistics.
pub fn batch_norm_momenta(graph: &Graph) -> Vec<f64> {
    let arg = |node: &Node, position, name| node.place(position, name).and_then(|place| node.args.get(place)).cloned();
    let keeps = |node: &&Node| node.target == BATCH_NORM && matches!(arg(node, 3, "running_mean"), Some(Arg::Value(_)));
    let momentum = |node: &Node| if let Some(Arg::Float(m)) = arg(node, BATCH_NORM_MOMENTUM, "momentum") { m } else { 0.1 };
    graph.nodes.iter().filter(keeps).map(momentum).collect()
}

/// Number of dropouts that drop anything.
pub fn dropouts(graph: &Graph) -> usize {
    let p = |node: &Node| node.place(1, "p").and_then(|place| node.args.get(place)).cloned();
    let drops = |node: &&Node| node.target.starts_with("aten.dropout") && !matches!(p(node), Some(Arg::Float(p)) if p <= 0.0);
    graph.nodes.iter().filter(drops).count()
}

/// The nodes that pass a tensor and no gradient.
pub fn detaches(graph: &Graph) -> impl Iterator<Item = &Node> {
    graph.nodes.iter().filter(|node| operator(node) == Some("detach"))
}

/// Whether a training pass draws random numbers: results then depend on what else draws from libtorch's generator.
pub fn draws_random_numbers(graph: &Graph) -> bool {
    let draws = ["dropout", "bernoulli", "rand", "rrelu", "multinomial"];
    // Attention and recurrent layers drop inside.
    let inner = |node: &Node| {
        let p = node.keywords.iter().zip(&node.args).find(|(keyword, _)| matches!(keyword.as_str(), "dropout_p" | "dropout"));
        p.is_some_and(|(_, p)| matches!(p, Arg::Float(p) if *p > 0.0))
    };
    graph.nodes.iter().any(|node| inner(node) || draws.iter().any(|drawing| node.target.contains(drawing)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Builder, Fill};

    #[test]
    fn what_the_output_does_not_depend_on_is_a_dead_branch_with_unused_parameters() {
        let mut b = Builder::new("branches");
        let x = b.linear("body", Value::Input(0), 4, 2, None);
        let _auxiliary = b.linear("auxiliary", x, 2, 3, None);
        let x = b.linear("head", x, 2, 2, None);
        let graph = b.finish(x);
        assert_eq!(leads_to(&graph, &results(&graph)), [true, false, true]);
        assert_eq!(unused_parameters(&graph), ["auxiliary.weight", "auxiliary.bias"]);
    }

    #[test]
    fn an_input_of_which_only_the_sizes_are_read_is_not_used() {
        let mut graph = Graph { inputs: 3, ..Graph::empty("inputs") };
        let node = |name: &str, target: &str, reads: &[Value]| {
            Node::new(name.to_owned(), target, reads.iter().copied().map(Arg::Value).collect(), String::new())
        };
        graph.nodes.push(node("zeros", "aten.zeros_like.default", &[Value::Input(1)]));
        graph.nodes.push(node("add", "aten.add.Tensor", &[Value::Input(0), Value::Node(0)]));
        let output = [Value::Node(1)];
        assert_eq!(unused_inputs(&graph, &output), [1, 2]);
        // What is written into the zeros may reach the output.
        graph.nodes.insert(1, node("copy", "aten.copy_.default", &[Value::Node(0), Value::Input(2)]));
        assert_eq!(unused_inputs(&graph, &[Value::Node(2)]), [1]);
    }

    #[test]
    fn a_table_that_is_looked_up_has_the_depth_of_what_it_is_added_to() {
        let mut b = Builder::new("tables");
        let table = b.own_parameter("early", "table", &[3, 2], Fill::Constant(0.0));
        let index = b.constant("late", vec![0, 2, 1]);
        let x = b.linear("body", Value::Input(0), 4, 2, None);
        let rows = b.rows("late", table, index);
        let x = b.linear("head", x, 2, 2, None);
        let x = b.add("late", x, rows);
        let graph = b.finish(x);
        let names: Vec<&str> = graph.parameters.iter().map(|p| p.name.as_str()).collect();
        assert_eq!(names, ["early.table", "body.weight", "body.bias", "head.weight", "head.bias"]);
        assert_eq!(parameter_depths(&graph), [1, 0, 0, 1, 1]);
    }
}
