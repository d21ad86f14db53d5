//! The operators: what a node of the graph does, resolved once when a network is made.
//!
//! One file a family, each a function from an operator's name to its [`Kernel`]. The arguments are
//! read while compiling, so that running a node costs one indirect call.

use tch::{Device, TchError, Tensor};

use super::network::{Slot, Values};
use super::{Arg, Graph, GraphError, Mode, Node, Output, Value};

mod layers;
mod pointwise;
mod random;
mod script;
mod shape;
mod symbolic;

pub use symbolic::GETITEM;

/// A compiled node.
pub type Kernel = Box<dyn Fn(&Values, Mode) -> Result<Slot, TchError>>;

/// A kernel that gives a tensor.
fn kernel(f: impl Fn(&Values, Mode) -> Result<Tensor, TchError> + 'static) -> Kernel {
    Box::new(move |values, mode| f(values, mode).map(Slot::Tensor))
}

/// The kernels of a graph's nodes.
///
/// Operators that depend on the mode or that are hot have a kernel of their own, with their arguments in the order of
/// the schema. All others are called by name, through [`script`]: libtorch knows its own operators.
pub fn compile(graph: &Graph, device: Device) -> Result<Vec<Kernel>, GraphError> {
    let mut script = script::Script::new(graph, device);
    let mut kernels: Vec<Option<Kernel>> = Vec::with_capacity(graph.nodes.len());
    for (index, node) in graph.nodes.iter().enumerate() {
        let own = own(graph, node)?;
        if own.is_none() {
            script.add(index)?;
        }
        kernels.push(own);
    }
    let mut scripted = script.finish()?;
    let missing = |node: &Node| GraphError::UnknownOperator { target: node.target.clone(), place: node.location().in_words() };
    (kernels.into_iter().enumerate())
        .map(|(index, kernel)| kernel.or_else(|| scripted.remove(&index)).ok_or_else(|| missing(&graph.nodes[index])))
        .collect()
}

/// The node's own kernel, where there is one for its operator and arguments.
fn own(graph: &Graph, node: &Node) -> Result<Option<Kernel>, GraphError> {
    let Some(ordered) = ordered(node) else { return Ok(None) };
    let args = Args(&ordered);
    for family in [layers::compile, pointwise::compile, random::compile, shape::compile, symbolic::compile] {
        match family(args) {
            Ok(None) => {}
            Ok(kernel) => return Ok(kernel.filter(|_| reads_tensors(graph, node))),
            // Sizes that are only known as it runs, for instance.
            Err(_) if !node.keywords.is_empty() => return Ok(None),
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// Whether everything that a node of tensors reads is a tensor: a kernel relies on it.
fn reads_tensors(graph: &Graph, node: &Node) -> bool {
    let tensor = |value| !matches!(value, Value::Node(i) if graph.nodes.get(i).is_some_and(|read| read.output != Output::Tensor));
    node.output != Output::Tensor || node.target == GETITEM || node.reads().all(tensor)
}

/// Names of the arguments of the operators that have a kernel of their own, in the order of ATen's schema.
const SIGNATURES: &[(&str, &[&str])] = &[
    ("aten.conv2d.default", &["input", "weight", "bias", "stride", "padding", "dilation", "groups"]),
    ("aten.linear.default", &["input", "weight", "bias"]),
    (
        "aten.batch_norm.default",
        &["input", "weight", "bias", "running_mean", "running_var", "training", "momentum", "eps", "cudnn_enabled"],
    ),
    ("aten.layer_norm.default", &["input", "normalized_shape", "weight", "bias", "eps", "cudnn_enable"]),
    ("aten.max_pool2d.default", &["self", "kernel_size", "stride", "padding", "dilation", "ceil_mode"]),
    ("aten.adaptive_avg_pool2d.default", &["self", "output_size"]),
    ("aten.dropout.default", &["input", "p", "train"]),
    ("aten.dropout_.default", &["self", "p", "train"]),
    ("aten.bernoulli_.float", &["self", "p"]),
    ("aten.bernoulli.p", &["self", "p"]),
    ("aten.bernoulli.default", &["self"]),
    ("aten.relu.default", &["self"]),
    ("aten.relu_.default", &["self"]),
    ("aten.sigmoid.default", &["self"]),
    ("aten.tanh.default", &["self"]),
    ("aten.silu.default", &["self"]),
    ("aten.gelu.default", &["self", "approximate"]),
    ("aten.detach.default", &["self"]),
    ("aten.detach_.default", &["self"]),
    ("aten.alias.default", &["self"]),
    ("aten.add.Tensor", &["self", "other", "alpha"]),
    ("aten.add_.Tensor", &["self", "other", "alpha"]),
    ("aten.mul.Tensor", &["self", "other"]),
    ("aten.softmax.int", &["self", "dim", "dtype"]),
    ("aten.log_softmax.int", &["self", "dim", "dtype"]),
    ("aten.flatten.using_ints", &["self", "start_dim", "end_dim"]),
    ("aten.permute.default", &["self", "dims"]),
    ("aten.transpose.int", &["self", "dim0", "dim1"]),
    ("aten.sym_size.int", &["self", "dim"]),
];

/// The node with its arguments in the order of the schema; none where an operator has no kernel of its own.
fn ordered(node: &Node) -> Option<Node> {
    if node.keywords.is_empty() {
        return Some(node.clone());
    }
    let (_, names) = SIGNATURES.iter().find(|(target, _)| *target == node.target)?;
    let mut args = vec![Arg::None; names.len()];
    for (keyword, arg) in node.keywords.iter().zip(&node.args) {
        *args.get_mut(names.iter().position(|name| name == keyword)?)? = arg.clone();
    }
    Some(Node { args, keywords: vec![], ..node.clone() })
}

/// A node's arguments, read by position; one past the end is left out.
#[derive(Clone, Copy)]
struct Args<'a>(&'a Node);

impl Args<'_> {
    fn target(&self) -> &str {
        &self.0.target
    }

    fn get(&self, index: usize) -> &Arg {
        self.0.args.get(index).unwrap_or(&Arg::None)
    }

    fn error(self, index: usize, expected: &'static str) -> GraphError {
        let (target, place) = (self.0.target.clone(), self.0.location().in_words());
        GraphError::Argument { target, place, index, expected }
    }

    fn tensor(self, index: usize) -> Result<Value, GraphError> {
        self.tensor_or_none(index)?.ok_or_else(|| self.error(index, "a tensor"))
    }

    fn tensor_or_none(self, index: usize) -> Result<Option<Value>, GraphError> {
        match self.get(index) {
            Arg::Value(value) => Ok(Some(*value)),
            Arg::None => Ok(None),
            _ => Err(self.error(index, "a tensor or nothing")),
        }
    }

    fn int_or(self, index: usize, default: i64) -> Result<i64, GraphError> {
        match self.get(index) {
            Arg::Int(n) => Ok(*n),
            Arg::None => Ok(default),
            _ => Err(self.error(index, "an integer")),
        }
    }

    fn ints_or(self, index: usize, default: &[i64]) -> Result<Vec<i64>, GraphError> {
        match self.get(index) {
            Arg::Ints(ints) => Ok(ints.clone()),
            Arg::None => Ok(default.to_vec()),
            _ => Err(self.error(index, "a list of integers")),
        }
    }

    fn bool_or(self, index: usize, default: bool) -> Result<bool, GraphError> {
        match self.get(index) {
            Arg::Bool(b) => Ok(*b),
            Arg::None => Ok(default),
            _ => Err(self.error(index, "true or false")),
        }
    }

    /// That an argument is left out, or what it would be anyway.
    fn left_out(self, index: usize, usual: &Arg) -> Result<(), GraphError> {
        let given = self.get(index);
        if *given == Arg::None || given == usual { Ok(()) } else { Err(self.error(index, "its default")) }
    }

    fn float_or(self, index: usize, default: f64) -> Result<f64, GraphError> {
        match self.get(index) {
            Arg::Float(x) => Ok(*x),
            Arg::Int(n) => Ok(*n as f64),
            Arg::None => Ok(default),
            _ => Err(self.error(index, "a number")),
        }
    }
}
