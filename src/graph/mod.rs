//! Every model is a graph: named parameters and buffers, and a list of nodes, each one ATen
//! operator with its arguments and the module it came from.
//!
//! [`Graph`] is plain data: built-in architectures build it, edits change it, [`knowledge`] reads
//! it. [`Network`] is a graph with tensors, compiled once, that runs forward in either mode and
//! shows every node's output to an observer.

use nanprobe_checks::Location;
use nanprobe_checks::evidence::ParameterKind;
use thiserror::Error;

mod build;
mod criterion;
pub mod edit;
mod exported;
pub mod knowledge;
mod network;
mod operators;
pub mod weights;

pub use build::{Activation, Builder, Conv, xavier_uniform};
pub use criterion::{Criterion, TargetForm};
pub use exported::{Answer, Exported, ExportedError, Module};
pub use network::{Mode, Network, Observer};
pub use operators::GETITEM;

/// What can go wrong with a graph.
#[derive(Debug, Error)]
pub enum GraphError {
    /// An operator that no table knows.
    #[error("operator `{target}`{place} is not known to this version of nanprobe")]
    UnknownOperator {
        /// The operator.
        target: String,
        /// Where it stands, in words.
        place: String,
    },
    /// A text that is not passed on to libtorch.
    #[error("operator `{target}`{place}: `{text}` is not known to this version of nanprobe")]
    Text {
        /// The operator.
        target: String,
        /// Where it stands, in words.
        place: String,
        /// What is given.
        text: String,
    },
    /// An argument of another kind than the operator takes.
    #[error("operator `{target}`{place}: argument {index} is not {expected}")]
    Argument {
        /// The operator.
        target: String,
        /// Where it stands, in words.
        place: String,
        /// Position of the argument.
        index: usize,
        /// What the operator takes.
        expected: &'static str,
    },
    /// A node that gives something else than its reader takes.
    #[error("`{node}` ({target}) gave {found}, not {expected}")]
    Slot {
        /// The node.
        node: String,
        /// The operator.
        target: String,
        /// What came.
        found: &'static str,
        /// What was to come.
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
    /// A loss that only an exported graph has.
    #[error("the model computes no loss of its own; name one with `--loss`")]
    NoCriterion,
    /// Other inputs than the model takes.
    #[error("the model takes {taken} inputs, and the data has {given}")]
    Inputs {
        /// Inputs of a sample.
        given: usize,
        /// Inputs of the model.
        taken: usize,
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
        let text = error.to_string();
        let first = text.lines().next().unwrap_or_default();
        // What is called by name fails within TorchScript, which quotes the call and gives the reason below.
        let reason =
            text.lines().find_map(|line| line.strip_prefix("RuntimeError: ")).filter(|_| first.contains("TorchScript interpreter"));
        Self(reason.unwrap_or(first).trim().to_owned())
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
    /// One of the model's inputs, by position; pictures are [N, C, H, W].
    Input(usize),
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
    /// Several floats.
    Floats(Vec<f64>),
    /// A truth value.
    Bool(bool),
    /// A text, such as the name of a rounding mode.
    Text(String),
    /// Where the network lives.
    Device,
    /// Several arguments, some of which may be values: sizes with a batch size in them, tensors to join.
    List(Vec<Arg>),
}

impl Arg {
    /// The values it holds, at any depth.
    pub fn values(&self) -> Vec<Value> {
        match self {
            Self::Value(value) => vec![*value],
            Self::List(args) => args.iter().flat_map(Self::values).collect(),
            _ => vec![],
        }
    }

    /// Replaces the values it holds.
    pub fn map_values(&mut self, f: &mut impl FnMut(Value) -> Value) {
        match self {
            Self::Value(value) => *value = f(*value),
            Self::List(args) => args.iter_mut().for_each(|arg| arg.map_values(f)),
            _ => {}
        }
    }
}

/// What a node gives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Output {
    /// A tensor.
    #[default]
    Tensor,
    /// A size or another integer.
    Int,
    /// A float.
    Float,
    /// A truth value.
    Bool,
    /// A list of tensors, which `getitem` nodes take apart.
    Tensors,
    /// A tuple of that many tensors, likewise.
    Tuple(usize),
}

/// A line of the user's source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceLine {
    /// The file, as the user's Python knew it.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
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
    /// The module it stands in, such as `layer1.0.conv1`; empty for the model itself.
    pub module: String,
    /// The arguments' names, where they are not in the order of the operator's schema.
    pub keywords: Vec<String>,
    /// What it gives.
    pub output: Output,
    /// The line of the user's source that made it, where that is known.
    pub source: Option<SourceLine>,
}

impl Node {
    /// A call that gives a tensor.
    pub fn new(name: String, target: &str, args: Vec<Arg>, module: String) -> Self {
        Self { name, target: target.to_owned(), args, module, keywords: vec![], output: Output::Tensor, source: None }
    }

    /// The values it reads.
    pub fn reads(&self) -> impl Iterator<Item = Value> + '_ {
        self.args.iter().flat_map(Arg::values)
    }

    /// Where an argument stands: at its position in the schema, or under its name.
    pub fn place(&self, position: usize, name: &str) -> Option<usize> {
        if self.keywords.is_empty() { Some(position) } else { self.keywords.iter().position(|keyword| keyword == name) }
    }

    /// Where it stands in the model and, as far as that is known, in the user's source.
    pub fn location(&self) -> Location {
        let source = self.source.as_ref();
        Location { module: self.module.clone(), file: source.map(|s| s.file.clone()), line: source.map(|s| s.line) }
    }

    /// Makes it give on what it reads first, whatever it did before.
    pub fn pass(&mut self) {
        let first = self.reads().next();
        self.args = first.map(Arg::Value).into_iter().collect();
        self.keywords.clear();
        PASS.clone_into(&mut self.target);
    }
}

/// The operator that gives on what it reads.
pub const PASS: &str = "aten.alias.default";

/// How a parameter's first values are drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fill {
    /// All the same.
    Constant(f64),
    /// N(0, std^2).
    Normal(f64),
    /// U(-bound, bound).
    Uniform(f64),
    /// As the file has them: how the user's code draws them is not known.
    Stored,
}

impl Fill {
    /// Standard deviation of the values, where it is known.
    pub fn std(self) -> Option<f64> {
        match self {
            Self::Constant(_) => Some(0.0),
            Self::Normal(std) => Some(std),
            Self::Uniform(bound) => Some(bound / 3f64.sqrt()),
            Self::Stored => None,
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
    /// What it holds at first.
    pub content: Content,
}

/// First values of a buffer.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// That number everywhere, as a float.
    Constant(f64),
    /// These integers, such as positions in a table.
    Integers(Vec<i64>),
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
    /// Number of inputs, that of the targets included.
    pub inputs: usize,
    /// The loss, where the graph computes one.
    pub criterion: Option<Criterion>,
}

impl Graph {
    /// A graph of one input without nodes.
    pub fn empty(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            parameters: vec![],
            buffers: vec![],
            nodes: vec![],
            output: Value::Input(0),
            inputs: 1,
            criterion: None,
        }
    }
}
