//! From what `torch.export` wrote to a graph with tensors.
//!
//! Names become positions, sub-graphs are laid in line, checks that torch inserted are left out. What a parameter is for, and how it
//! would be drawn anew, follows from the operator that reads it.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use nanprobe_checks::evidence::ParameterKind;
use tch::Tensor;
use thiserror::Error;

use super::{Arg, Buffer, Content, Fill, Graph, GraphError, Node, Output, Parameter, SourceLine, Value, edit};
use crate::archive::{DType, Stored};
use crate::pt2::{self, Argument, InputSpec, OutputSpec, Pt2Error, SymInt};

mod functional;
mod interface;
mod roles;
mod scope;
mod source;
mod values;

pub use interface::Answer;
use interface::{given, returned, settle};
use roles::roles;
use scope::{Bound, Scope, shortened};
use source::{module, place};
use values::{order, precision, values};

/// Nodes of a graph, sub-graphs included: the deepest classifiers of the survey have about 5,000.
const MOST_NODES: usize = 200_000;
/// ATen's number of float32.
const FLOAT32: i64 = 6;
/// Sub-graphs within sub-graphs.
const DEEPEST: usize = 16;
/// The export schema, that of torch 2.6, since which operators that write in place are exported as such.
const IN_PLACE: u64 = 8;

/// Why an exported model cannot be used.
#[derive(Debug, Error)]
pub enum ExportedError {
    /// It cannot be read.
    #[error(transparent)]
    File(#[from] Pt2Error),
    /// Its graph has something that cannot be.
    #[error("exported model {path}: {problem}")]
    Graph {
        /// The file.
        path: String,
        /// What is wrong.
        problem: String,
    },
    /// libtorch refused.
    #[error(transparent)]
    Tensor(#[from] GraphError),
}

/// A model of the user's with its values.
pub struct Exported {
    /// What it computes.
    pub graph: Graph,
    /// First values of the parameters, in the graph's order, float32.
    pub parameters: Vec<Tensor>,
    /// Values of the buffers, in the graph's order.
    pub buffers: Vec<Tensor>,
    /// Names of the parameters that asked for no gradient.
    pub frozen: Vec<String>,
    /// The inputs of a sample, without the targets that the graph's own criterion takes.
    pub inputs: Vec<InputSizes>,
    /// Width of the output, if it is known.
    pub outputs: Option<i64>,
    /// What may be the class scores, the one that is taken first.
    pub answers: Vec<Answer>,
    /// Names of the parameters that only lead to outputs that are not taken.
    pub ignored: Vec<String>,
    /// Class and first source line of each module, by its dotted path.
    pub modules: BTreeMap<String, Module>,
    /// The torch that wrote it.
    pub torch: String,
}

/// An input that a model takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputSizes {
    /// Its name in the user's `forward`.
    pub name: String,
    /// Its sizes; none where one is dynamic.
    pub sizes: Vec<Option<i64>>,
    /// Whether it takes floats, such as pictures; else whole numbers, such as token ids.
    pub float: bool,
}

/// A module of the user's.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Module {
    /// Its class, such as `torch.nn.modules.conv.Conv2d`.
    pub class: String,
    /// The line of the user's code that called it first.
    pub source: Option<SourceLine>,
}

impl Exported {
    /// Reads a file.
    pub fn read(path: &Path) -> Result<Self, ExportedError> {
        let file = pt2::read(path)?;
        let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let wrong = |problem| ExportedError::Graph { path: path.display().to_string(), problem };
        let mut reader = Reader::new(&name);
        reader.functional = file.program.schema_version.major < IN_PLACE;
        reader.single = precision(&file);
        let scope = reader.inputs(&file).map_err(wrong)?;
        let graph = &file.program.graph_module.graph;
        let scope = reader.nodes(graph, scope, false, 0).map_err(wrong)?;
        if reader.functional { reader.written(&file, &scope) } else { writes_in_place(&file) }.map_err(wrong)?;
        let mut given = given(&file);
        let returned = returned(&file, &scope).map_err(wrong)?;
        let answers = settle(&mut reader.graph, &given, &returned).map_err(wrong)?;
        if let Some(own) = &reader.graph.criterion {
            given.remove(own.target);
        }
        roles(&mut reader.graph);
        let (parameters, buffers) = values(&reader)?;
        let Reader { graph, frozen, modules, .. } = reader;
        let inputs = given.into_iter().map(|input| input.sizes).collect();
        let outputs = answers.first().and_then(|answer| answer.width);
        let torch = file.program.torch_version;
        Ok(Self { graph, parameters, buffers, frozen, inputs, outputs, answers, ignored: vec![], modules, torch })
    }

    /// Settles which output is meant where there are several: the only one as wide as there are classes, unless one has the name of
    /// logits. What leads to the others alone is forgotten with its parameters, for nothing of it is trained.
    pub fn answer_with(&mut self, width: i64) {
        if self.answers.len() < 2 || self.graph.criterion.is_some() {
            return;
        }
        let fitting: Vec<usize> = (0..self.answers.len()).filter(|&i| self.answers[i].width == Some(width)).collect();
        if let ([chosen], false) = (&fitting[..], self.answers[0].is_named_logits()) {
            self.answers.swap(0, *chosen);
        }
        let ends: Vec<Value> = self.answers.drain(1..).map(|answer| answer.value).collect();
        (self.graph.output, self.outputs) = (self.answers[0].value, self.answers[0].width);
        let kept = edit::forget(&mut self.graph, &ends, |name| self.ignored.push(name));
        self.answers[0].value = self.graph.output;
        let mut kept = kept.into_iter();
        self.parameters.retain(|_| kept.next().unwrap_or(true));
    }

    /// The same, sharing tensors that nobody writes to.
    #[must_use]
    pub fn shallow_clone(&self) -> Self {
        let shared = |tensors: &[Tensor]| tensors.iter().map(Tensor::shallow_clone).collect();
        Self {
            graph: self.graph.clone(),
            parameters: shared(&self.parameters),
            buffers: shared(&self.buffers),
            frozen: self.frozen.clone(),
            inputs: self.inputs.clone(),
            answers: self.answers.clone(),
            ignored: self.ignored.clone(),
            modules: self.modules.clone(),
            torch: self.torch.clone(),
            ..*self
        }
    }
}

/// A program that was decomposed gives its buffers' new values beside its output instead of writing them in place.
fn writes_in_place(file: &pt2::Exported) -> Result<(), String> {
    let mutated = file.program.graph_module.signature.output_specs.iter().find_map(|spec| match spec {
        OutputSpec::BufferMutation { buffer_name, .. } => Some(buffer_name),
        _ => None,
    });
    match mutated {
        None => Ok(()),
        Some(buffer) => Err(format!("it was decomposed: the new value of `{buffer}` is an output; save it without `run_decompositions`")),
    }
}

/// Builds the graph.
struct Reader<'a> {
    graph: Graph,
    stored: Vec<&'a Stored>,
    stored_buffers: Vec<&'a Stored>,
    frozen: Vec<String>,
    modules: BTreeMap<String, Module>,
    /// Nodes of each module so far, for their names.
    calls: HashMap<String, usize>,
    /// Whether the file is of a torch that exported functions in the place of operators that write in place.
    functional: bool,
    /// The type of the model's parameters, in whose place it is computed in float32.
    single: Option<DType>,
}

impl<'a> Reader<'a> {
    fn new(name: &str) -> Self {
        let (modules, calls) = (BTreeMap::new(), HashMap::new());
        Self {
            graph: Graph::empty(name),
            stored: vec![],
            stored_buffers: vec![],
            frozen: vec![],
            modules,
            calls,
            functional: false,
            single: None,
        }
    }

    /// Parameters, buffers and constants, in the order of the graph's inputs. One that is tied to an earlier one is that one.
    fn inputs(&mut self, file: &'a pt2::Exported) -> Result<Scope, String> {
        let mut scope = Scope::default();
        self.graph.inputs = 0;
        let mut tied: HashMap<(*const Vec<u8>, i64), usize> = HashMap::new();
        for spec in &file.program.graph_module.signature.input_specs {
            match spec {
                InputSpec::UserInput { arg: Argument::AsTensor(tensor) } => {
                    scope.bind(&tensor.name, Value::Input(self.graph.inputs), Output::Tensor);
                    self.graph.inputs += 1;
                }
                InputSpec::UserInput { .. } => {}
                InputSpec::Parameter { arg, parameter_name } => {
                    let stored = file.weights.get(parameter_name).ok_or_else(|| format!("parameter `{parameter_name}` has no values"))?;
                    let place = (std::rc::Rc::as_ptr(&stored.bytes), stored.offset);
                    // One that is tied to an earlier one is that one, perhaps transposed.
                    if let Some(&index) = tied.get(&place) {
                        let other = &self.graph.parameters[index].name;
                        let order = order(self.stored[index], stored).ok_or_else(|| {
                            format!("parameter `{parameter_name}` has the values of `{other}` in another shape, which is not read")
                        })?;
                        let mut value = Value::Parameter(index);
                        if !order.is_sorted() {
                            let args = vec![Arg::Value(value), Arg::Ints(order)];
                            let module = parameter_name.rsplit_once('.').map_or("", |(module, _)| module).to_owned();
                            value = self.push(Node::new(parameter_name.clone(), "aten.permute.default", args, module));
                        }
                        scope.bind(&arg.name, value, Output::Tensor);
                        continue;
                    }
                    let index = self.graph.parameters.len();
                    tied.insert(place, index);
                    self.graph.parameters.push(Parameter {
                        name: parameter_name.clone(),
                        shape: stored.sizes.clone(),
                        kind: ParameterKind::Other,
                        fill: Fill::Stored,
                    });
                    self.stored.push(stored);
                    if !stored.requires_grad {
                        self.frozen.push(parameter_name.clone());
                    }
                    scope.bind(&arg.name, Value::Parameter(index), Output::Tensor);
                }
                InputSpec::Buffer { arg, buffer_name: name } | InputSpec::TensorConstant { arg, tensor_constant_name: name } => {
                    let stored = file.weights.get(name).or_else(|| file.constants.get(name));
                    let stored = stored.ok_or_else(|| format!("`{name}` has no values"))?;
                    self.graph.buffers.push(Buffer { name: name.clone(), shape: stored.sizes.clone(), content: Content::Constant(0.0) });
                    self.stored_buffers.push(stored);
                    scope.bind(&arg.name, Value::Buffer(self.graph.buffers.len() - 1), Output::Tensor);
                }
                InputSpec::Other(value) => return Err(format!("an input of a kind that is not read: {}", shortened(&value.to_string()))),
            }
        }
        Ok(scope)
    }

    /// The nodes of a graph; `detached` where its results pass no gradient.
    fn nodes(&mut self, graph: &pt2::Graph, mut scope: Scope, detached: bool, depth: usize) -> Result<Scope, String> {
        if depth > DEEPEST {
            return Err("sub-graphs within sub-graphs without end".to_owned());
        }
        for node in &graph.nodes {
            if self.graph.nodes.len() >= MOST_NODES {
                return Err(format!("it has more than the {MOST_NODES} nodes that are read"));
            }
            self.node(node, &mut scope, detached, depth).map_err(|problem| {
                let place = place(&node.metadata).map_or_else(String::new, |line| format!(" at {}:{}", line.file, line.line));
                format!("`{}`{place}: {problem}", node.target)
            })?;
        }
        Ok(scope)
    }

    fn node(&mut self, node: &pt2::Node, scope: &mut Scope, detached: bool, depth: usize) -> Result<(), String> {
        let target = node.target.trim_start_matches("torch.ops.").to_owned();
        if target.starts_with("aten._assert") || target.starts_with("aten.sym_constrain") {
            return Ok(());
        }
        if self.functional && functional::is_batch_norm(&target) {
            return self.batch_norm(node, scope, detached, depth);
        }
        if target.starts_with("higher_order.") {
            return self.sub_graph(&target, node, scope, detached, depth);
        }
        let (args, keywords): (Vec<Arg>, Vec<String>) = node
            .inputs
            .iter()
            .map(|input| Ok((self.in_single(&input.arg, scope.arg(&input.arg)?), input.name.clone())))
            .filter(|pair: &Result<_, String>| !matches!(pair, Ok((Arg::None, name)) if name == "layout" || name == "pin_memory"))
            .collect::<Result<Vec<_>, _>>()?
            .into_iter()
            .unzip();
        let (module, class) = module(&node.metadata);
        let source = place(&node.metadata);
        let of_module = self.modules.entry(module.clone()).or_default();
        if of_module.class.is_empty() {
            *of_module = Module { class, source: source.clone() };
        }
        let name = self.name(&module, &target);
        // Python's arithmetic has positions, not names.
        let keywords = if target.starts_with("aten.") { keywords } else { vec![] };
        let output = match &node.outputs[..] {
            [] | [Argument::AsNone(_) | Argument::AsTensor(_)] => Output::Tensor,
            [Argument::AsTensors(_)] => Output::Tensors,
            [Argument::AsSymInt(_) | Argument::AsInt(_)] => Output::Int,
            [Argument::AsSymFloat(_) | Argument::AsFloat(_)] => Output::Float,
            [Argument::AsSymBool(_) | Argument::AsBool(_)] => Output::Bool,
            several => Output::Tuple(several.len()),
        };
        let made = Node { keywords, output, source, ..Node::new(name, &target, args, module) };
        let mut value = self.push(made.clone());
        if detached && output == Output::Tensor {
            value = self.push(Node { keywords: vec![], ..detach(&made, value) });
        }
        match &node.outputs[..] {
            [Argument::AsTensors(names)] => self.take_apart(&made, value, names.iter().map(|t| t.name.as_str()), detached, scope),
            [one] => {
                if let Some(name) = named(one) {
                    scope.bind(name, value, output);
                }
            }
            several => {
                let names = several.iter().map(|output| named(output).unwrap_or(""));
                self.take_apart(&made, value, names, detached, scope);
            }
        }
        Ok(())
    }

    /// The type of the parameters becomes float32, wherever the graph names it.
    fn in_single(&self, argument: &Argument, arg: Arg) -> Arg {
        match (argument, self.single) {
            (Argument::AsScalarType(code), Some(single)) if DType::of(*code) == Some(single) => Arg::Int(FLOAT32),
            _ => arg,
        }
    }

    /// A name for the next call of a module.
    fn name(&mut self, module: &str, target: &str) -> String {
        let base = if module.is_empty() { target.split('.').nth(1).unwrap_or(target) } else { module };
        let calls = self.calls.entry(base.to_owned()).or_default();
        *calls += 1;
        if *calls == 1 { base.to_owned() } else { format!("{base}_{}", *calls - 1) }
    }

    fn push(&mut self, node: Node) -> Value {
        self.graph.nodes.push(node);
        Value::Node(self.graph.nodes.len() - 1)
    }

    /// One node for each tensor of several.
    fn take_apart<'n>(&mut self, made: &Node, several: Value, names: impl Iterator<Item = &'n str>, detached: bool, scope: &mut Scope) {
        for (index, name) in names.enumerate().filter(|(_, name)| !name.is_empty()) {
            let part = Node {
                name: format!("{}.{index}", made.name),
                args: vec![Arg::Value(several), Arg::Int(index as i64)],
                target: super::GETITEM.to_owned(),
                keywords: vec![],
                output: Output::Tensor,
                ..made.clone()
            };
            let mut value = self.push(part.clone());
            if detached {
                value = self.push(detach(&part, value));
            }
            scope.bind(name, value, Output::Tensor);
        }
    }

    /// Lays a sub-graph in line: what `torch.no_grad()`, `set_grad_enabled` and autocast regions become.
    fn sub_graph(&mut self, target: &str, node: &pt2::Node, scope: &mut Scope, detached: bool, depth: usize) -> Result<(), String> {
        let known = ["higher_order.wrap_with_set_grad_enabled", "higher_order.wrap_with_autocast"];
        if !known.contains(&target) {
            return Err("branches and loops in the graph are not supported; make the model's `forward` take one way".to_owned());
        }
        let place = node.inputs.iter().position(|input| matches!(input.arg, Argument::AsGraph(_))).ok_or("it has no sub-graph")?;
        let Argument::AsGraph(inner) = &node.inputs[place].arg else { return Err("it has no sub-graph".to_owned()) };
        let without =
            target.ends_with("grad_enabled") && matches!(node.inputs.first().map(|input| &input.arg), Some(Argument::AsBool(false)));
        let mut inside = Scope::default();
        for (parameter, given) in inner.graph.inputs.iter().zip(&node.inputs[place + 1..]) {
            let name = named(parameter).ok_or("a sub-graph with an input that has no name")?;
            let bound = match named(&given.arg) {
                Some(outer) => scope.get(outer)?.clone(),
                None => Bound::Constant(scope.arg(&given.arg)?),
            };
            inside.names.insert(name.to_owned(), bound);
        }
        let inside = self.nodes(&inner.graph, inside, detached || without, depth + 1)?;
        let results: Vec<&str> = inner.graph.outputs.iter().filter_map(named).collect();
        let outer = node.outputs.iter().flat_map(|output| match output {
            Argument::AsTensors(names) => names.iter().map(|t| t.name.as_str()).collect(),
            other => named(other).into_iter().collect::<Vec<_>>(),
        });
        for (outer, result) in outer.zip(results) {
            let bound = inside.get(result)?.clone();
            scope.names.insert(outer.to_owned(), bound);
        }
        Ok(())
    }
}

fn detach(made: &Node, value: Value) -> Node {
    let node = Node::new(format!("{}.detach", made.name), "aten.detach.default", vec![Arg::Value(value)], made.module.clone());
    Node { source: made.source.clone(), ..node }
}

/// The name of a value that is passed or given.
fn named(argument: &Argument) -> Option<&str> {
    match argument {
        Argument::AsTensor(tensor) => Some(&tensor.name),
        Argument::AsSymInt(SymInt::AsName(name))
        | Argument::AsSymBool(SymInt::AsName(name))
        | Argument::AsSymFloat(SymInt::AsName(name)) => Some(name),
        _ => None,
    }
}
