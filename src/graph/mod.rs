//! Every model is a graph: named parameters and buffers, and a list of nodes, each one ATen
//! operator with its arguments and the module it came from.
//!
//! [`Graph`] is plain data: built-in architectures build it, edits change it, [`knowledge`] reads
//! it. [`Network`] is a graph with tensors, compiled once, that runs forward in either mode and
//! shows every node's output to an observer.

use nanprobe_checks::evidence::ParameterKind;
use thiserror::Error;

mod build;
pub mod edit;
pub mod knowledge;
mod network;
mod operators;
pub mod weights;

pub use build::{Builder, Conv};
pub use network::{Mode, Network, Observer};

/// What can go wrong with a graph.
#[derive(Debug, Error)]
pub enum GraphError {
    /// An operator that no table knows.
    #[error("operator `{target}` of module `{module}` is not known to this version of nanprobe")]
    UnknownOperator {
        /// The operator.
        target: String,
        /// The module it stands in.
        module: String,
    },
    /// An argument of another kind than the operator takes.
    #[error("operator `{target}` at `{node}`: argument {index} is not {expected}")]
    Argument {
        /// The operator.
        target: String,
        /// The node.
        node: String,
        /// Position of the argument.
        index: usize,
        /// What the operator takes.
        expected: &'static str,
    },
    /// A node that reads a value which does not exist at that point.
    #[error("`{node}` reads {value:?}, which is not computed before it")]
    Dangling {
        /// The node.
        node: String,
        /// What it reads.
        value: Value,
    },
    /// libtorch refused.
    #[error("`{node}` ({target}) failed on inputs of shape {shapes}: {source}")]
    Torch {
        /// The node.
        node: String,
        /// The operator.
        target: String,
        /// Shapes of the tensors it reads.
        shapes: String,
        /// libtorch's first line.
        source: Message,
    },
    /// libtorch refused something that is not a node.
    #[error(transparent)]
    Tensor(#[from] Message),
}

/// The first line of a libtorch error: the rest is a C++ stack trace.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{0}")]
pub struct Message(pub String);

impl From<tch::TchError> for Message {
    fn from(error: tch::TchError) -> Self {
        Self(error.to_string().lines().next().unwrap_or_default().trim().to_owned())
    }
}

impl From<tch::TchError> for GraphError {
    fn from(error: tch::TchError) -> Self {
        Self::Tensor(error.into())
    }
}

/// Something that a node reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Value {
    /// The model's input, [N, C, H, W].
    Input,
    /// A parameter, by position.
    Parameter(usize),
    /// A buffer, by position.
    Buffer(usize),
    /// The output of a node, by position.
    Node(usize),
}

/// An argument of an operator, in the order of ATen's schema.
#[derive(Clone, Debug, PartialEq)]
pub enum Arg {
    /// No value: an optional argument that is left out.
    None,
    /// A tensor.
    Value(Value),
    /// An integer.
    Int(i64),
    /// Several integers.
    Ints(Vec<i64>),
    /// A float.
    Float(f64),
}

/// One operator call.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Unique name, such as `layer1.0.relu_1`.
    pub name: String,
    /// The operator, such as `aten.conv2d.default`.
    pub target: String,
    /// Its arguments.
    pub args: Vec<Arg>,
    /// The module it stands in, such as `layer1.0.conv1`.
    pub module: String,
}

impl Node {
    /// The tensors it reads.
    pub fn reads(&self) -> impl Iterator<Item = Value> + '_ {
        self.args.iter().filter_map(|arg| if let Arg::Value(value) = arg { Some(*value) } else { None })
    }
}

/// How a parameter's first values are drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fill {
    /// All the same.
    Constant(f64),
    /// N(0, std^2).
    Normal(f64),
    /// U(-bound, bound).
    Uniform(f64),
}

impl Fill {
    /// Standard deviation of the values.
    pub fn std(self) -> f64 {
        match self {
            Self::Constant(_) => 0.0,
            Self::Normal(std) => std,
            Self::Uniform(bound) => bound / 3f64.sqrt(),
        }
    }
}

/// A trainable tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// Full name, such as `layer1.0.conv1.weight`.
    pub name: String,
    /// Shape.
    pub shape: Vec<i64>,
    /// What it is for.
    pub kind: ParameterKind,
    /// The architecture's own initialisation.
    pub fill: Fill,
}

impl Parameter {
    /// The module it belongs to.
    pub fn module(&self) -> &str {
        self.name.rsplit_once('.').map_or("", |(module, _)| module)
    }

    /// Inputs per unit, for the weight of a linear [out, in] or convolution [out, in/groups, kh, kw] layer.
    pub fn fan_in(&self) -> Option<i64> {
        (self.kind == ParameterKind::Weight).then(|| self.shape[1..].iter().product())
    }
}

/// A tensor that is kept but not trained.
#[derive(Clone, Debug, PartialEq)]
pub struct Buffer {
    /// Full name, such as `bn1.running_mean`.
    pub name: String,
    /// Shape.
    pub shape: Vec<i64>,
    /// First value of every element.
    pub value: f64,
}

/// A model.
#[derive(Clone, Debug, PartialEq)]
pub struct Graph {
    /// The architecture's name.
    pub name: String,
    /// Trainable tensors.
    pub parameters: Vec<Parameter>,
    /// Other tensors.
    pub buffers: Vec<Buffer>,
    /// Operator calls, each after those it reads.
    pub nodes: Vec<Node>,
    /// What the model returns, [N, outputs].
    pub output: Value,
}
