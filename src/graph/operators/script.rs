//! Calls operators by name: libtorch knows its own operators, their overloads and their gradients.
//!
//! tch binds each operator to a function of its own, chosen when nanprobe is built. What a user's model calls is only known when it is read, so
//! each remaining node becomes a method of one TorchScript module, written here, held in memory and called node by node:
//!
//! ```text
//! def n17(self, x0: Tensor, x1: int) -> Tensor: return torch.reshape(x0, [x1, -1])
//! ```
//!
//! Nothing of the user's file gets into its text but names of operators of the `aten` namespace, checked letter by letter, and
//! numbers; the few operators that take a text take one of a known list.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{Cursor, Write as _};
use std::rc::Rc;

use tch::{CModule, Device, IValue, TchError};
use zip::write::{SimpleFileOptions, ZipWriter};

use super::{GraphError, Kernel, Slot, Values};
use crate::graph::{Arg, Graph, Message, Mode, Node, Output, Value};

/// Texts that an operator may be given: rounding modes of `div`, forms of `gelu`, paddings, orders of `meshgrid`, reductions, norms, sides of
/// `searchsorted`, interpolations of `quantile`.
const TEXTS: [&str; 28] = [
    "floor",
    "trunc",
    "none",
    "tanh",
    "same",
    "valid",
    "constant",
    "reflect",
    "replicate",
    "circular",
    "ij",
    "xy",
    "sum",
    "prod",
    "mean",
    "amax",
    "amin",
    "ortho",
    "forward",
    "backward",
    "fro",
    "nuc",
    "left",
    "right",
    "linear",
    "lower",
    "higher",
    "nearest",
];
/// The operators of this namespace read or write files, print, or leave the tensors: none is part of a model.
const FORBIDDEN: [&str; 6] = ["from_file", "save", "load", "warn", "print", "device"];
/// An object of class `__torch__.M` without state, pickled.
const OBJECT: &[u8] = b"\x80\x02c__torch__\nM\nq\x00)\x81}b.";
/// An empty tuple, pickled.
const CONSTANTS: &[u8] = b"\x80\x02).";
/// Version of the operators' schemas that libtorch 2.13 writes.
const VERSION: &[u8] = b"10\n";

/// What a method is given when it is called.
#[derive(Clone, Copy)]
enum Given {
    Value(Value),
    /// Whether values are dropped.
    Dropping,
    /// Whether the batch's statistics are used.
    BatchStatistics,
    /// A probability while it trains, nothing while it does not.
    WhileTraining(f64),
}

/// Methods in the making.
pub struct Script<'a> {
    graph: &'a Graph,
    device: Device,
    code: String,
    methods: Vec<(usize, Vec<Given>)>,
}

impl<'a> Script<'a> {
    /// None yet.
    pub fn new(graph: &'a Graph, device: Device) -> Self {
        let code = "class M(Module):\n  __parameters__ = []\n  __buffers__ = []\n  def forward(self: __torch__.M, x: Tensor) -> Tensor:\n    return x\n";
        Self { graph, device, code: code.to_owned(), methods: vec![] }
    }

    /// Adds the method of a node.
    pub fn add(&mut self, index: usize) -> Result<(), GraphError> {
        let node = &self.graph.nodes[index];
        let unknown = || GraphError::UnknownOperator { target: node.target.clone(), place: node.location().in_words() };
        let name = function(&node.target).ok_or_else(unknown)?;
        let mut call = Call { graph: self.graph, device: self.device, node, given: vec![], types: vec![] };
        let mut passed = Vec::with_capacity(node.args.len());
        for (position, arg) in node.args.iter().enumerate() {
            let keyword = node.keywords.get(position).map(String::as_str);
            let value = call.argument(keyword, arg)?;
            // A name for all but the first: an argument in between may be left out.
            passed.push(match keyword {
                Some(keyword) if position > 0 && !keyword.is_empty() => {
                    let plain = keyword.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
                    if !plain {
                        return Err(unknown());
                    }
                    format!("{keyword}={value}")
                }
                _ => value,
            });
        }
        let parameters: String = call.types.iter().enumerate().fold(String::new(), |mut text, (i, kind)| {
            let _ = write!(text, ", x{i}: {kind}");
            text
        });
        let gives = match node.output {
            Output::Tensor => "Tensor".to_owned(),
            Output::Int => "int".to_owned(),
            Output::Float => "float".to_owned(),
            Output::Bool => "bool".to_owned(),
            Output::Tensors => "List[Tensor]".to_owned(),
            Output::Tuple(n) => format!("Tuple[{}]", vec!["Tensor"; n].join(", ")),
        };
        let _ = write!(
            self.code,
            "  def n{index}(self: __torch__.M{parameters}) -> {gives}:\n    return torch.{name}({})\n",
            passed.join(", ")
        );
        let given = call.given;
        self.methods.push((index, given));
        Ok(())
    }

    /// The kernels, by node.
    pub fn finish(self) -> Result<HashMap<usize, Kernel>, GraphError> {
        if self.methods.is_empty() {
            return Ok(HashMap::new());
        }
        let archive = archive(&self.code).map_err(|error| GraphError::Tensor(Message(error.to_string())))?;
        let module = CModule::load_data(&mut Cursor::new(archive)).map_err(|error| self.refused(&error))?;
        let module = Rc::new(module);
        let kernel = |(index, given): (usize, Vec<Given>)| {
            let (module, name) = (Rc::clone(&module), format!("n{index}"));
            let call = move |values: &Values, mode: Mode| -> Result<Slot, TchError> {
                let arguments: Vec<IValue> = given.iter().map(|given| argument(*given, values, mode)).collect::<Result<_, _>>()?;
                slot(module.method_is(&name, &arguments)?)
            };
            (index, Box::new(call) as Kernel)
        };
        Ok(self.methods.into_iter().map(kernel).collect())
    }

    /// Which node's call libtorch did not take: its message quotes the line.
    fn refused(&self, error: &TchError) -> GraphError {
        let text = error.to_string();
        let quoted = |index: &usize| {
            let method = self.code.split_once(&format!("  def n{index}(")).map_or("", |(_, rest)| rest);
            let call = method.lines().nth(1).unwrap_or_default().trim();
            !call.is_empty()
                && text.contains(call)
                && text.split_once("<--- HERE").is_some_and(|(before, _)| before.trim_end_matches(['~', ' ', '\n']).ends_with(call))
        };
        let node = self.methods.iter().map(|(index, _)| *index).find(quoted).map(|index| &self.graph.nodes[index]);
        match node {
            Some(node) => GraphError::Torch {
                node: node.name.clone(),
                target: node.target.clone(),
                shapes: "any".to_owned(),
                source: Message(text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default().trim().to_owned()),
            },
            None => GraphError::Tensor(Message(text)),
        }
    }
}

/// The function's name behind a target such as `aten.roll.default`; none where it is no operator of a model.
fn function(target: &str) -> Option<&str> {
    let (name, _) = target.strip_prefix("aten.")?.split_once('.')?;
    let plain =
        name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    (plain && !FORBIDDEN.contains(&name)).then_some(name)
}

/// One call in the making.
struct Call<'a> {
    graph: &'a Graph,
    device: Device,
    node: &'a Node,
    given: Vec<Given>,
    types: Vec<&'static str>,
}

impl Call<'_> {
    fn argument(&mut self, keyword: Option<&str>, arg: &Arg) -> Result<String, GraphError> {
        match (keyword, arg) {
            (Some("train"), Arg::Bool(_)) => Ok(self.parameter(Given::Dropping, "bool")),
            // Without running statistics there are only the batch's.
            (Some("training" | "use_input_stats"), Arg::Bool(_)) if self.keeps_statistics() => {
                Ok(self.parameter(Given::BatchStatistics, "bool"))
            }
            (Some("dropout_p" | "dropout"), Arg::Float(p)) if *p > 0.0 => Ok(self.parameter(Given::WhileTraining(*p), "float")),
            _ => self.literal(arg),
        }
    }

    fn keeps_statistics(&self) -> bool {
        let mean = self.node.keywords.iter().position(|keyword| keyword == "running_mean");
        mean.is_none_or(|place| self.node.args[place] != Arg::None)
    }

    fn literal(&mut self, arg: &Arg) -> Result<String, GraphError> {
        let list = |items: Vec<String>| format!("[{}]", items.join(", "));
        Ok(match arg {
            Arg::None => "None".to_owned(),
            Arg::Value(value) => self.value(*value),
            Arg::Int(n) => n.to_string(),
            Arg::Ints(ints) => list(ints.iter().map(ToString::to_string).collect()),
            Arg::Float(x) => float(*x),
            Arg::Floats(floats) => list(floats.iter().copied().map(float).collect()),
            Arg::Bool(b) => (if *b { "True" } else { "False" }).to_owned(),
            Arg::Device => match self.device {
                Device::Cuda(index) => format!("torch.device(\"cuda:{index}\")"),
                _ => "torch.device(\"cpu\")".to_owned(),
            },
            Arg::Text(text) if TEXTS.contains(&text.as_str()) || (self.node.target.starts_with("aten.einsum") && equation(text)) => {
                format!("\"{text}\"")
            }
            Arg::Text(text) => {
                let plain = text.chars().take(40).filter(|c| !c.is_control()).collect();
                return Err(GraphError::Text { target: self.node.target.clone(), place: self.node.location().in_words(), text: plain });
            }
            Arg::List(items) => list(items.iter().map(|item| self.literal(item)).collect::<Result<_, _>>()?),
        })
    }

    fn value(&mut self, value: Value) -> String {
        let output = if let Value::Node(i) = value { self.graph.nodes[i].output } else { Output::Tensor };
        let kind = match output {
            Output::Tensor => "Tensor",
            Output::Int => "int",
            Output::Float => "float",
            Output::Bool => "bool",
            Output::Tensors | Output::Tuple(_) => "List[Tensor]",
        };
        self.parameter(Given::Value(value), kind)
    }

    fn parameter(&mut self, given: Given, kind: &'static str) -> String {
        self.given.push(given);
        self.types.push(kind);
        format!("x{}", self.given.len() - 1)
    }
}

/// A float as TorchScript reads it.
fn float(x: f64) -> String {
    match x {
        _ if x.is_nan() => "float(\"nan\")".to_owned(),
        f64::INFINITY => "float(\"inf\")".to_owned(),
        f64::NEG_INFINITY => "float(\"-inf\")".to_owned(),
        _ => format!("{x:?}"),
    }
}

/// Whether a text is an equation of einsum.
fn equation(text: &str) -> bool {
    text.len() < 1000 && text.chars().all(|c| c.is_ascii_alphabetic() || matches!(c, ',' | '-' | '>' | '.' | ' '))
}

fn argument(given: Given, values: &Values, mode: Mode) -> Result<IValue, TchError> {
    Ok(match given {
        Given::Dropping => IValue::Bool(mode == Mode::Train),
        Given::BatchStatistics => IValue::Bool(mode != Mode::Evaluate),
        Given::WhileTraining(p) => IValue::Double(if mode == Mode::Train { p } else { 0.0 }),
        Given::Value(Value::Node(node)) => match values.slot(node) {
            Slot::Tensor(tensor) => IValue::Tensor(tensor.shallow_clone()),
            Slot::Int(n) => IValue::Int(*n),
            Slot::Float(x) => IValue::Double(*x),
            Slot::Bool(b) => IValue::Bool(*b),
            Slot::Tensors(tensors) => IValue::TensorList(tensors.iter().map(tch::Tensor::shallow_clone).collect()),
            Slot::Empty => return Err(TchError::Kind("a value that is not there any more".to_owned())),
        },
        Given::Value(value) => IValue::Tensor(values.get(value).shallow_clone()),
    })
}

fn slot(value: IValue) -> Result<Slot, TchError> {
    let several = |values: Vec<IValue>| {
        let tensor =
            |value| if let IValue::Tensor(tensor) = value { Ok(tensor) } else { Err(TchError::Kind(format!("{value:?}, not a tensor"))) };
        values.into_iter().map(tensor).collect::<Result<Vec<_>, _>>().map(Slot::Tensors)
    };
    match value {
        IValue::Tensor(tensor) => Ok(Slot::Tensor(tensor)),
        IValue::Int(n) => Ok(Slot::Int(n)),
        IValue::Double(x) => Ok(Slot::Float(x)),
        IValue::Bool(b) => Ok(Slot::Bool(b)),
        IValue::TensorList(tensors) => Ok(Slot::Tensors(tensors)),
        IValue::Tuple(values) | IValue::GenericList(values) => several(values),
        other => Err(TchError::Kind(format!("an operator gave {other:?}"))),
    }
}

/// A TorchScript file with that code.
fn archive(code: &str) -> zip::result::ZipResult<Vec<u8>> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, bytes) in
        [("m/data.pkl", OBJECT), ("m/code/__torch__.py", code.as_bytes()), ("m/constants.pkl", CONSTANTS), ("m/version", VERSION)]
    {
        zip.start_file(name, stored)?;
        zip.write_all(bytes)?;
    }
    Ok(zip.finish()?.into_inner())
}
