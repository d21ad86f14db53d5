//! The criterion inside a graph: where a model was exported together with its loss, it trains with that.

use nanprobe_checks::recipe::Loss;

use super::{Arg, GETITEM, Graph, Node, Value};

/// A loss that a graph computes itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Criterion {
    /// Which criterion it is; [`Loss::Exported`] for one that is not known.
    pub kind: Loss,
    /// The loss, a scalar.
    pub loss: Value,
    /// Position of the input that takes the targets.
    pub target: usize,
    /// What the targets look like.
    pub form: TargetForm,
    /// Whether the loss is the plain mean over the batch, so that an uninformed model's loss is known.
    pub mean: bool,
    /// Whether it is trained with; else another criterion takes the outputs.
    pub used: bool,
}

/// The shape and type in which a criterion takes the class of each sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetForm {
    /// Class indices, int64 [N].
    Indices,
    /// Class indices as floats, [N].
    Floats,
    /// The same in a column, [N, 1].
    Column,
    /// One-hot rows of this width, float [N, C].
    OneHot(i64),
}

/// Criteria of ATen, what they are to a user, and the place of `reduction` among their arguments.
const KNOWN: [(&str, Loss, usize); 6] = [
    ("aten.cross_entropy_loss.", Loss::CrossEntropy, 3),
    ("aten.nll_loss", Loss::Nll, 3),
    ("aten.binary_cross_entropy_with_logits.", Loss::BceWithLogits, 4),
    ("aten.binary_cross_entropy.", Loss::Bce, 3),
    ("aten.mse_loss.", Loss::Mse, 2),
    ("aten.l1_loss.", Loss::Exported, 2),
];

/// ATen's number of `reduction="mean"`, the default.
const MEAN: i64 = 1;

/// Operators that change at most the size of a loss.
const SCALING: [&str; 7] = ["aten.alias.", "aten.clone.", "aten.to.", "aten._to_copy.", "aten.mul.", "aten.div.", "aten.mean."];

/// The criterion that computes a loss: its kind, what it reads first, and whether it is a plain mean.
pub fn recognise(graph: &Graph, loss: Value) -> Option<(Loss, Value, bool)> {
    let mut value = loss;
    let mut plain = true;
    while let Value::Node(index) = value {
        let node = &graph.nodes[index];
        if let Some((_, kind, reduction)) = KNOWN.iter().find(|(target, ..)| node.target.starts_with(target)) {
            let first = before_broadcast(graph, node.reads().next()?);
            return Some((*kind, first, plain && reduces_by_mean(node, *reduction)));
        }
        if !SCALING.iter().any(|target| node.target.starts_with(target)) {
            return None;
        }
        plain &= !(node.target.starts_with("aten.mul") || node.target.starts_with("aten.div"));
        value = node.reads().next()?;
    }
    None
}

/// What was broadcast against the targets, as it was before.
fn before_broadcast(graph: &Graph, value: Value) -> Value {
    let Value::Node(index) = value else { return value };
    let node = &graph.nodes[index];
    if node.target.starts_with("aten.expand.") {
        return node.reads().next().unwrap_or(value);
    }
    let (Some(Value::Node(several)), Some(Arg::Int(position))) = (node.reads().next(), node.args.get(1)) else { return value };
    let several = &graph.nodes[several];
    let broadcast = node.target == GETITEM && several.target.starts_with("aten.broadcast_tensors.");
    let before = usize::try_from(*position).ok().filter(|_| broadcast).and_then(|position| several.reads().nth(position));
    before.unwrap_or(value)
}

fn reduces_by_mean(node: &Node, position: usize) -> bool {
    let reduction = node.place(position, "reduction").and_then(|place| node.args.get(place));
    matches!(reduction, None | Some(Arg::None | Arg::Int(MEAN)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Builder;
    use crate::graph::knowledge::depends_on;

    fn graph_of(target: &str, args: Vec<Arg>, keywords: &[&str]) -> Graph {
        let mut b = Builder::new("with-loss");
        let logits = b.linear("fc", Value::Input(0), 4, 2, None);
        let mut graph = b.finish(logits);
        let args = [vec![Arg::Value(logits), Arg::Value(Value::Input(1))], args].concat();
        let mut node = Node::new("loss".to_owned(), target, args, String::new());
        node.keywords = keywords.iter().map(|&k| k.to_owned()).collect();
        graph.nodes.push(node);
        graph
    }

    #[test]
    fn a_known_criterion_is_named_with_what_it_takes_as_logits() {
        let graph = graph_of("aten.cross_entropy_loss.default", vec![], &[]);
        assert_eq!(recognise(&graph, Value::Node(1)), Some((Loss::CrossEntropy, Value::Node(0), true)));
        let summed = graph_of("aten.mse_loss.default", vec![Arg::Int(2)], &["self", "target", "reduction"]);
        assert_eq!(recognise(&summed, Value::Node(1)), Some((Loss::Mse, Value::Node(0), false)));
        assert_eq!(recognise(&graph_of("aten.sub.Tensor", vec![], &[]), Value::Node(1)), None);
    }

    #[test]
    fn only_what_follows_an_input_depends_on_it() {
        let graph = graph_of("aten.cross_entropy_loss.default", vec![], &[]);
        assert_eq!((depends_on(&graph, 0), depends_on(&graph, 1)), (vec![true, true], vec![false, true]));
    }
}
