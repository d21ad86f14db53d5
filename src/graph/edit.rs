//! Edits of a graph: what describes a user's model, and what remedies do to it.

use nanprobe_checks::recipe::{OutputActivation, matches};

use super::knowledge::{BATCH_NORM, BATCH_NORM_MOMENTUM, leads_to, results, trailing_activations};
use super::{Arg, Graph, Node, Value};

/// Forgets the nodes and parameters that lead to one of `ends`, and neither to the output nor to the loss. Tells the names of the parameters,
/// and answers for each one whether it stays.
pub fn forget(graph: &mut Graph, ends: &[Value], mut forgotten: impl FnMut(String)) -> Vec<bool> {
    let mut needed = leads_to(graph, &results(graph));
    // What writes into a value that the output needs is needed, whoever reads it.
    let writes = |node: &Node| node.target.split('.').nth(1).is_some_and(|name| name.ends_with('_'));
    let written = |node: &Node| matches!(node.reads().next(), Some(Value::Node(i)) if needed[i]);
    let writers: Vec<Value> =
        (0..graph.nodes.len()).filter(|&i| writes(&graph.nodes[i]) && written(&graph.nodes[i])).map(Value::Node).collect();
    needed = leads_to(graph, &[results(graph), writers].concat());
    let only = leads_to(graph, ends).into_iter().zip(needed).map(|(leads, needed)| leads && !needed).collect::<Vec<_>>();
    let reads = |index: usize, wanted: bool| {
        let readers = graph.nodes.iter().zip(&only).filter(|(_, only)| **only == wanted);
        readers.into_iter().any(|(node, _)| node.reads().any(|value| value == Value::Parameter(index)))
    };
    let kept: Vec<bool> = (0..graph.parameters.len()).map(|index| reads(index, false) || !reads(index, true)).collect();
    let new = |kept: &[bool]| {
        let before = kept.iter().scan(0, |count, kept| {
            *count += usize::from(*kept);
            Some(*count - usize::from(*kept))
        });
        before.collect::<Vec<usize>>()
    };
    let (nodes, parameters) = (new(&only.iter().map(|only| !only).collect::<Vec<_>>()), new(&kept));
    let mut moved = |value| match value {
        Value::Node(index) => Value::Node(nodes[index]),
        Value::Parameter(index) => Value::Parameter(parameters[index]),
        other => other,
    };
    let mut gone = only.iter();
    graph.nodes.retain(|_| !gone.next().copied().unwrap_or(false));
    graph.nodes.iter_mut().flat_map(|node| &mut node.args).for_each(|arg| arg.map_values(&mut moved));
    graph.output = moved(graph.output);
    if let Some(criterion) = &mut graph.criterion {
        criterion.loss = moved(criterion.loss);
    }
    let mut stays = kept.iter();
    graph.parameters.retain(|parameter| {
        let stays = stays.next().copied().unwrap_or(true);
        if !stays {
            forgotten(parameter.name.clone());
        }
        stays
    });
    kept
}

/// Puts an activation behind the output, and before the criterion where the graph has one.
pub fn append_activation(graph: &mut Graph, activation: OutputActivation) {
    let (target, dim) = match activation {
        OutputActivation::Softmax => ("aten.softmax.int", Some(1)),
        OutputActivation::LogSoftmax => ("aten.log_softmax.int", Some(1)),
        OutputActivation::Sigmoid => ("aten.sigmoid.default", None),
        OutputActivation::Relu => ("aten.relu.default", None),
        OutputActivation::Tanh => ("aten.tanh.default", None),
    };
    let mut args = vec![Arg::Value(graph.output)];
    args.extend(dim.map(Arg::Int));
    let name = format!("output.{activation}");
    let node = Node::new(name.clone(), target, args, name);
    if let Value::Node(index) = graph.output {
        insert_behind(graph, index, node);
    } else {
        graph.nodes.push(node);
        graph.output = Value::Node(graph.nodes.len() - 1);
    }
}

/// Makes the output what the last layer computes, without the activations behind it.
pub fn drop_trailing_activations(graph: &mut Graph) {
    for index in trailing_activations(graph) {
        // It is not cut out: one that works in place would change the logits still.
        graph.nodes[index].pass();
    }
}

/// Detaches the outputs of the modules that a pattern matches: no gradient passes them. Answers how many.
pub fn detach(graph: &mut Graph, pattern: &str) -> usize {
    let leaves_module = |graph: &Graph, index: usize| {
        let node = &graph.nodes[index];
        matches(pattern, &node.module)
            && (graph.output == Value::Node(index)
                || graph.nodes.iter().any(|reader| !matches(pattern, &reader.module) && reader.reads().any(|v| v == Value::Node(index))))
    };
    let mut count = 0;
    let mut index = 0;
    while index < graph.nodes.len() {
        if graph.nodes[index].target != "aten.detach.default" && leaves_module(graph, index) {
            insert_detach(graph, index);
            count += 1;
        }
        index += 1;
    }
    count
}

/// Lets the gradient pass wherever the model detaches it.
pub fn reattach(graph: &mut Graph) {
    graph.nodes.iter_mut().filter(|node| node.target.starts_with("aten.detach")).for_each(Node::pass);
}

/// Sets every dropout's probability.
pub fn set_dropout(graph: &mut Graph, p: f64) {
    for node in graph.nodes.iter_mut().filter(|node| node.target.starts_with("aten.dropout")) {
        let x = node.reads().next();
        node.args = x.map(Arg::Value).into_iter().chain([Arg::Float(p)]).collect();
        node.keywords.clear();
    }
}

/// Sets the probability by which every stochastic depth drops a branch.
pub fn set_stochastic_depth(graph: &mut Graph, p: f64) {
    let kept = |node: &mut Node, name: &str| {
        if let Some(arg) = node.place(1, name).and_then(|place| node.args.get_mut(place)) {
            *arg = Arg::Float(1.0 - p);
        }
    };
    let draws = |node: &Node| node.target == "aten.bernoulli_.float";
    let drawn: Vec<Value> = (0..graph.nodes.len()).filter(|&i| draws(&graph.nodes[i])).map(Value::Node).collect();
    for node in &mut graph.nodes {
        if draws(node) {
            kept(node, "p");
        } else if node.target.starts_with("aten.div_") && node.reads().any(|value| drawn.contains(&value)) {
            // What is kept is divided by the probability of that.
            kept(node, "other");
        }
    }
}

/// Sets every batch norm's momentum, the weight of a new batch.
pub fn set_batch_norm_momentum(graph: &mut Graph, momentum: f64) {
    for node in graph.nodes.iter_mut().filter(|node| node.target == BATCH_NORM) {
        let place = node.place(BATCH_NORM_MOMENTUM, "momentum");
        if let Some(arg) = place.and_then(|place| node.args.get_mut(place)) {
            *arg = Arg::Float(momentum);
        }
    }
}

/// Puts a detach right behind a node; all readers then read the detached value.
fn insert_detach(graph: &mut Graph, index: usize) {
    let module = graph.nodes[index].module.clone();
    let node = Node::new(format!("{module}.detach"), "aten.detach.default", vec![Arg::Value(Value::Node(index))], module);
    insert_behind(graph, index, node);
}

/// Puts a node that reads another right behind it; all readers of that one then read the new one.
fn insert_behind(graph: &mut Graph, index: usize, node: Node) {
    let at = index + 1;
    let mut moved = |value| match value {
        Value::Node(read) if read >= at => Value::Node(read + 1),
        other => other,
    };
    graph.nodes.iter_mut().flat_map(|node| &mut node.args).for_each(|arg| arg.map_values(&mut moved));
    graph.output = moved(graph.output);
    if let Some(criterion) = &mut graph.criterion {
        criterion.loss = moved(criterion.loss);
    }
    graph.nodes.insert(at, node);
    replace(graph, Value::Node(index), Value::Node(at), at);
}

/// Makes every reader of `old`, except the node at `except`, read `new`.
fn replace(graph: &mut Graph, old: Value, new: Value, except: usize) {
    for (index, node) in graph.nodes.iter_mut().enumerate() {
        if index == except {
            continue;
        }
        node.args.iter_mut().for_each(|arg| arg.map_values(&mut |value| if value == old { new } else { value }));
    }
    if graph.output == old {
        graph.output = new;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nanprobe_checks::recipe::Loss;

    use crate::graph::{Builder, Criterion, PASS, TargetForm};

    fn two_layers() -> Graph {
        let mut b = Builder::new("two");
        let x = b.linear("body", Value::Input(0), 4, 3, None);
        let x = b.relu("relu", x);
        let x = b.linear("head", x, 3, 2, None);
        b.finish(x)
    }

    #[test]
    fn an_output_that_is_not_taken_is_forgotten_with_what_leads_to_it_alone() {
        let mut b = Builder::new("two outputs");
        let body = b.linear("body", Value::Input(0), 4, 3, None);
        let auxiliary = b.linear("auxiliary", body, 3, 5, None);
        let spare = b.relu("spare", body);
        let head = b.linear("head", body, 3, 2, None);
        let mut graph = b.finish(head);
        let mut forgotten = Vec::new();
        assert_eq!(forget(&mut graph, &[auxiliary], |name| forgotten.push(name)), [true, true, false, false, true, true]);
        assert_eq!(forgotten, ["auxiliary.weight", "auxiliary.bias"]);
        let names: Vec<&str> = graph.parameters.iter().map(|p| p.name.as_str()).collect();
        assert_eq!(names, ["body.weight", "body.bias", "head.weight", "head.bias"]);
        assert!(matches!(spare, Value::Node(_)) && graph.nodes.len() == 3, "a branch to nowhere stays");
        assert_eq!(graph.nodes[2].args[1..], [Arg::Value(Value::Parameter(2)), Arg::Value(Value::Parameter(3))]);
        assert_eq!((graph.output, graph.nodes[2].reads().next()), (Value::Node(2), Some(Value::Node(0))));
    }

    #[test]
    fn what_writes_into_a_value_of_the_output_stays() {
        let mut b = Builder::new("in place");
        let body = b.linear("body", Value::Input(0), 4, 3, None);
        let head = b.linear("head", body, 3, 2, None);
        let mut graph = b.finish(head);
        let writer = Node::new("auxiliary".to_owned(), "aten.relu_.default", vec![Arg::Value(body)], "auxiliary".to_owned());
        graph.nodes.insert(1, writer);
        graph.nodes[2].args[0] = Arg::Value(body);
        graph.output = Value::Node(2);
        forget(&mut graph, &[Value::Node(1)], |_| {});
        assert_eq!(graph.nodes.len(), 3);
    }

    #[test]
    fn a_dropped_activation_leaves_the_graph_as_it_was() {
        for activation in [OutputActivation::Softmax, OutputActivation::Relu] {
            let mut graph = two_layers();
            append_activation(&mut graph, activation);
            assert_ne!(graph.output, two_layers().output);
            drop_trailing_activations(&mut graph);
            let last = graph.nodes.last().unwrap();
            assert_eq!((last.target.as_str(), last.reads().next()), (PASS, Some(two_layers().output)));
        }
    }

    #[test]
    fn an_activation_stands_before_the_graphs_own_criterion() {
        let mut graph = two_layers();
        let args = vec![Arg::Value(graph.output), Arg::Value(Value::Input(1))];
        graph.nodes.push(Node::new("loss".to_owned(), "aten.cross_entropy_loss.default", args, String::new()));
        let criterion =
            Criterion { kind: Loss::CrossEntropy, loss: Value::Node(3), target: 1, form: TargetForm::Indices, mean: true, used: true };
        graph.criterion = Some(criterion);
        append_activation(&mut graph, OutputActivation::Softmax);
        assert_eq!(graph.nodes[3].target, "aten.softmax.int");
        assert_eq!(graph.output, Value::Node(3));
        let loss = graph.criterion.as_ref().map(|criterion| criterion.loss);
        assert_eq!((loss, graph.nodes[4].reads().next()), (Some(Value::Node(4)), Some(Value::Node(3))));
    }

    #[test]
    fn a_detach_stands_between_the_module_and_its_readers() {
        let mut graph = two_layers();
        assert_eq!(detach(&mut graph, "body"), 1);
        assert_eq!(graph.nodes[1].target, "aten.detach.default");
        assert_eq!(graph.nodes[1].args, [Arg::Value(Value::Node(0))]);
        assert_eq!(graph.nodes[2].args, [Arg::Value(Value::Node(1))]);
        assert_eq!(graph.output, Value::Node(3));
        assert_eq!(detach(&mut graph, "nowhere"), 0);
    }

    #[test]
    fn the_output_itself_can_be_detached() {
        let mut graph = two_layers();
        assert_eq!(detach(&mut graph, "*"), 1);
        assert_eq!(graph.nodes.last().map(|node| node.target.as_str()), Some("aten.detach.default"));
        assert_eq!(graph.output, Value::Node(graph.nodes.len() - 1));
    }
}
