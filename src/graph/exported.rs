//! From what `torch.export` wrote to a graph with tensors.
//!
//! Names become positions, sub-graphs are laid in line, checks that torch inserted are left out. What a parameter is for, and how it
//! would be drawn anew, follows from the operator that reads it.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use nanprobe_checks::evidence::ParameterKind;
use tch::{Device, Kind, Tensor};
use thiserror::Error;

use super::{Arg, Buffer, Fill, Graph, GraphError, Node, Output, Parameter, SourceLine, Value};
use crate::pt2::{self, Argument, DType, InputSpec, OutputSpec, Pt2Error, Stored, SymInt};

/// Nodes of a graph, sub-graphs included: the deepest classifiers of the survey have about 5,000.
const MOST_NODES: usize = 200_000;
/// Sub-graphs within sub-graphs.
const DEEPEST: usize = 16;

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
    /// Sizes of the input; none where a size is dynamic.
    pub input: Vec<Option<i64>>,
    /// Width of the output, if it is known.
    pub outputs: Option<i64>,
    /// Class and first source line of each module, by its dotted path.
    pub modules: BTreeMap<String, Module>,
    /// The torch that wrote it.
    pub torch: String,
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
        let scope = reader.inputs(&file).map_err(wrong)?;
        let graph = &file.program.graph_module.graph;
        let scope = reader.nodes(graph, scope, false, 0).map_err(wrong)?;
        let input = user_input(&file).map_err(wrong)?;
        let output = user_output(&file).map_err(wrong)?;
        reader.graph.output = scope.tensor(output).map_err(wrong)?;
        let sizes = |name: &str| graph.tensor_values.get(name).map(|meta| meta.sizes.iter().map(known).collect::<Vec<_>>());
        let (input, outputs) = (sizes(input).unwrap_or_default(), sizes(output).and_then(|sizes| sizes.get(1).copied().flatten()));
        roles(&mut reader.graph);
        let (parameters, buffers) = reader.values()?;
        let Reader { graph, frozen, modules, .. } = reader;
        Ok(Self { graph, parameters, buffers, frozen, input, outputs, modules, torch: file.program.torch_version })
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
            input: self.input.clone(),
            modules: self.modules.clone(),
            torch: self.torch.clone(),
            ..*self
        }
    }
}

/// A size, where it is a constant.
fn known(size: &serde_json::Value) -> Option<i64> {
    size.get("as_int").and_then(serde_json::Value::as_i64)
}

/// The one tensor that the caller gives.
fn user_input(file: &pt2::Exported) -> Result<&str, String> {
    let given = file.program.graph_module.signature.input_specs.iter().filter_map(|spec| match spec {
        InputSpec::UserInput { arg: Argument::AsTensor(tensor) } => Some(tensor.name.as_str()),
        _ => None,
    });
    match given.collect::<Vec<_>>()[..] {
        [one] => Ok(one),
        [] => Err("it takes no tensor".to_owned()),
        ref several => Err(format!("it takes {} tensors ({}), and one of pictures is given", several.len(), several.join(", "))),
    }
}

/// The tensor that is returned; the first of several, which are logits and auxiliary ones.
fn user_output(file: &pt2::Exported) -> Result<&str, String> {
    let returned = file.program.graph_module.signature.output_specs.iter().find_map(|spec| match spec {
        OutputSpec::UserOutput { arg: Argument::AsTensor(tensor) } => Some(tensor.name.as_str()),
        _ => None,
    });
    returned.ok_or_else(|| "it returns no tensor".to_owned())
}

/// What names stand for.
#[derive(Clone, Default)]
struct Scope {
    names: HashMap<String, Bound>,
}

/// What one name stands for.
#[derive(Clone, Debug)]
enum Bound {
    Value(Value, Output),
    Constant(Arg),
}

impl Scope {
    fn bind(&mut self, name: &str, value: Value, output: Output) {
        self.names.insert(name.to_owned(), Bound::Value(value, output));
    }

    fn get(&self, name: &str) -> Result<&Bound, String> {
        self.names.get(name).ok_or_else(|| format!("`{name}` is read before it is computed"))
    }

    fn tensor(&self, name: &str) -> Result<Value, String> {
        match self.get(name)? {
            Bound::Value(value, Output::Tensor) => Ok(*value),
            other => Err(format!("`{name}` is no tensor but {other:?}")),
        }
    }

    /// A number that is known or computed.
    fn number(&self, size: &SymInt) -> Result<Arg, String> {
        Ok(match size {
            SymInt::AsInt(n) => Arg::Int(*n),
            SymInt::AsFloat(x) => Arg::Float(*x),
            SymInt::AsBool(b) => Arg::Bool(*b),
            SymInt::AsName(name) => match self.get(name)? {
                Bound::Value(value, Output::Int | Output::Float | Output::Bool) => Arg::Value(*value),
                Bound::Constant(arg) => arg.clone(),
                Bound::Value(..) => return Err(format!("`{name}` is no number")),
            },
        })
    }

    fn arg(&self, argument: &Argument) -> Result<Arg, String> {
        let tensors = |names: &[pt2::TensorName]| names.iter().map(|t| self.tensor(&t.name).map(Arg::Value)).collect::<Result<_, _>>();
        let optional = |tensor: &pt2::OptionalTensor| match tensor {
            pt2::OptionalTensor::AsTensor(tensor) => self.tensor(&tensor.name).map(Arg::Value),
            pt2::OptionalTensor::AsNone(_) => Ok(Arg::None),
        };
        let numbers = |sizes: &[SymInt]| {
            let numbers: Vec<Arg> = sizes.iter().map(|size| self.number(size)).collect::<Result<_, String>>()?;
            let ints: Option<Vec<i64>> = numbers.iter().map(|arg| if let Arg::Int(n) = arg { Some(*n) } else { None }).collect();
            Ok::<_, String>(ints.map_or(Arg::List(numbers), Arg::Ints))
        };
        Ok(match argument {
            Argument::AsNone(_) => Arg::None,
            Argument::AsTensor(tensor) => Arg::Value(self.tensor(&tensor.name)?),
            Argument::AsTensors(names) => Arg::List(tensors(names)?),
            Argument::AsOptionalTensor(tensor) => optional(tensor)?,
            Argument::AsOptionalTensors(all) => Arg::List(all.iter().map(optional).collect::<Result<_, _>>()?),
            Argument::AsInt(n) => Arg::Int(*n),
            Argument::AsInts(ints) => Arg::Ints(ints.clone()),
            Argument::AsFloat(x) => Arg::Float(x.0),
            Argument::AsFloats(floats) => Arg::Floats(floats.iter().map(|x| x.0).collect()),
            Argument::AsBool(b) => Arg::Bool(*b),
            Argument::AsBools(bools) => Arg::List(bools.iter().copied().map(Arg::Bool).collect()),
            Argument::AsString(text) => Arg::Text(text.clone()),
            Argument::AsSymInt(size) | Argument::AsSymBool(size) | Argument::AsSymFloat(size) => self.number(size)?,
            Argument::AsSymInts(sizes) | Argument::AsSymFloats(sizes) => numbers(sizes)?,
            Argument::AsScalarType(number) => Arg::Int(scalar_type(*number)?),
            Argument::AsMemoryFormat(number) => Arg::Int(memory_format(*number)?),
            Argument::AsLayout(_) => Arg::None,
            Argument::AsDevice(_) => Arg::Device,
            Argument::AsGraph(_) => return Err("a sub-graph where a value is expected".to_owned()),
            Argument::Other(value) => return Err(format!("an argument of a kind that is not read: {}", shortened(&value.to_string()))),
        })
    }
}

fn shortened(text: &str) -> String {
    if text.chars().count() > 60 { text.chars().take(60).chain("...".chars()).collect() } else { text.to_owned() }
}

/// ATen's number of a dtype, by the export schema's.
fn scalar_type(number: u64) -> Result<i64, String> {
    Ok(match DType::of(number).ok_or_else(|| format!("dtype code {number} is not read"))? {
        DType::UInt8 => 0,
        DType::Int8 => 1,
        DType::Int16 => 2,
        DType::Int32 => 3,
        DType::Int64 => 4,
        DType::Float16 => 5,
        DType::Float32 => 6,
        DType::Float64 => 7,
        DType::Bool => 11,
        DType::BFloat16 => 15,
    })
}

/// ATen's number of a memory format, by the export schema's.
fn memory_format(number: u64) -> Result<i64, String> {
    match number {
        1 => Ok(0), // contiguous
        2 => Ok(2), // channels last
        3 => Ok(3), // channels last 3d
        4 => Ok(1), // preserve
        _ => Err(format!("memory format code {number} is not read")),
    }
}

fn kind(dtype: DType) -> Kind {
    match dtype {
        DType::UInt8 => Kind::Uint8,
        DType::Int8 => Kind::Int8,
        DType::Int16 => Kind::Int16,
        DType::Int32 => Kind::Int,
        DType::Int64 => Kind::Int64,
        DType::Float16 => Kind::Half,
        DType::Float32 => Kind::Float,
        DType::Float64 => Kind::Double,
        DType::Bool => Kind::Bool,
        DType::BFloat16 => Kind::BFloat16,
    }
}

/// Builds the graph.
struct Reader<'a> {
    graph: Graph,
    stored: Vec<&'a Stored>,
    stored_buffers: Vec<&'a Stored>,
    frozen: Vec<String>,
    modules: BTreeMap<String, Module>,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn new(name: &str) -> Self {
        let graph = Graph { name: name.to_owned(), parameters: vec![], buffers: vec![], nodes: vec![], output: Value::Input };
        Self { graph, stored: vec![], stored_buffers: vec![], frozen: vec![], modules: BTreeMap::new(), depth: 0 }
    }

    /// Parameters, buffers and constants, in the order of the graph's inputs. One that is tied to an earlier one is that one.
    fn inputs(&mut self, file: &'a pt2::Exported) -> Result<Scope, String> {
        let mut scope = Scope::default();
        let mut tied: HashMap<(*const Vec<u8>, i64, &[i64]), usize> = HashMap::new();
        for spec in &file.program.graph_module.signature.input_specs {
            match spec {
                InputSpec::UserInput { arg: Argument::AsTensor(tensor) } => scope.bind(&tensor.name, Value::Input, Output::Tensor),
                InputSpec::UserInput { .. } => {}
                InputSpec::Parameter { arg, parameter_name } => {
                    let stored = file.weights.get(parameter_name).ok_or_else(|| format!("parameter `{parameter_name}` has no values"))?;
                    let index = *tied.entry((std::rc::Rc::as_ptr(&stored.bytes), stored.offset, &stored.sizes)).or_insert_with(|| {
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
                        self.graph.parameters.len() - 1
                    });
                    scope.bind(&arg.name, Value::Parameter(index), Output::Tensor);
                }
                InputSpec::Buffer { arg, buffer_name: name } | InputSpec::TensorConstant { arg, tensor_constant_name: name } => {
                    let stored = file.weights.get(name).or_else(|| file.constants.get(name));
                    let stored = stored.ok_or_else(|| format!("`{name}` has no values"))?;
                    self.graph.buffers.push(Buffer { name: name.clone(), shape: stored.sizes.clone(), value: 0.0 });
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
        if target.starts_with("higher_order.") {
            return self.sub_graph(&target, node, scope, detached, depth);
        }
        let (args, keywords): (Vec<Arg>, Vec<String>) = node
            .inputs
            .iter()
            .map(|input| Ok((scope.arg(&input.arg)?, input.name.clone())))
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
        let count = self.graph.nodes.iter().filter(|other| other.module == module).count();
        let base = if module.is_empty() { target.split('.').nth(1).unwrap_or(&target) } else { &module };
        let name = if count == 0 && !module.is_empty() { base.to_owned() } else { format!("{base}_{count}") };
        // Python's arithmetic has positions, not names.
        let keywords = if target.starts_with("aten.") { keywords } else { vec![] };
        let output = match &node.outputs[..] {
            [] | [Argument::AsNone(_)] => Output::Tensor,
            [Argument::AsTensor(_)] => Output::Tensor,
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
        self.depth = self.depth.max(depth + 1);
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

    /// The tensors of parameters and buffers.
    fn values(&self) -> Result<(Vec<Tensor>, Vec<Tensor>), GraphError> {
        let tensor = |stored: &&Stored| -> Result<Tensor, GraphError> {
            Ok(Tensor::f_from_data_size(&stored.contiguous(), &stored.sizes, kind(stored.dtype))?.f_to_device(Device::Cpu)?)
        };
        let parameters = self.stored.iter().map(|stored| Ok(tensor(stored)?.f_to_kind(Kind::Float)?)).collect::<Result<_, GraphError>>()?;
        Ok((parameters, self.stored_buffers.iter().map(tensor).collect::<Result<_, _>>()?))
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

/// Path and class of the innermost module: the last of `nn_module_stack`'s entries `key,path,class;...`.
fn module(metadata: &HashMap<String, String>) -> (String, String) {
    let stack = metadata.get("nn_module_stack").map_or("", String::as_str);
    let last = stack.rsplit(';').next().unwrap_or_default();
    let mut parts = last.splitn(3, ',').skip(1);
    let (path, class) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    if class.starts_with('_') || path.starts_with('_') { (String::new(), String::new()) } else { (path.to_owned(), class.to_owned()) }
}

/// The last frame of a stack trace that is the user's own and not an installed package's.
fn place(metadata: &HashMap<String, String>) -> Option<SourceLine> {
    let frames = metadata.get("stack_trace")?.lines().filter_map(|line| {
        let (file, rest) = line.trim().strip_prefix("File \"")?.split_once("\", line ")?;
        let line = rest.split(',').next()?.parse().ok()?;
        Some(SourceLine { file: file.to_owned(), line })
    });
    let frames: Vec<SourceLine> = frames.filter(|frame| frame.file != "torch/fx/passes/runtime_assert.py").collect();
    let own = |frame: &&SourceLine| !["site-packages/", "dist-packages/"].iter().any(|installed| frame.file.contains(installed));
    // A model out of a package has no line of the user's: then its own, not torch's.
    let models = |frame: &&SourceLine| !frame.file.contains("/torch/");
    frames.iter().rev().find(own).or_else(|| frames.iter().rev().find(models)).or(frames.last()).cloned()
}

/// What each parameter is for, by the first node that reads it; and torch.nn's own way to draw it.
fn roles(graph: &mut Graph) {
    let mut fan_in: HashMap<usize, f64> = HashMap::new();
    let nodes = std::mem::take(&mut graph.nodes);
    for node in &nodes {
        let operator = node.target.trim_start_matches("aten.").split('.').next().unwrap_or_default();
        let layer = matches!(operator, "conv1d" | "conv2d" | "conv3d" | "linear" | "conv_transpose2d" | "convolution");
        let norm = operator.contains("batch_norm")
            || operator.contains("layer_norm")
            || operator.contains("group_norm")
            || operator.contains("instance_norm");
        let embedding = operator == "embedding";
        let named = |name: &str| {
            let position = node.keywords.iter().position(|keyword| keyword == name)?;
            if let Some(Arg::Value(Value::Parameter(index))) = node.args.get(position) { Some(*index) } else { None }
        };
        let (weight, bias) = (named("weight"), named("bias"));
        for (index, is_weight) in weight.map(|w| (w, true)).into_iter().chain(bias.map(|b| (b, false))) {
            let parameter = &mut graph.parameters[index];
            if parameter.kind != ParameterKind::Other {
                continue;
            }
            let inputs = |shape: &[i64]| shape.get(1..).map_or(1, |rest| rest.iter().product::<i64>()).max(1) as f64;
            (parameter.kind, parameter.fill) = match (layer, norm, is_weight) {
                (true, _, true) => {
                    fan_in.insert(index, inputs(&parameter.shape));
                    (ParameterKind::Weight, Fill::Uniform(1.0 / inputs(&parameter.shape).sqrt()))
                }
                (true, _, false) => {
                    let inputs = weight.and_then(|weight| fan_in.get(&weight)).copied().unwrap_or(1.0);
                    (ParameterKind::Bias, Fill::Uniform(1.0 / inputs.sqrt()))
                }
                (_, true, true) => (ParameterKind::NormWeight, Fill::Constant(1.0)),
                (_, true, false) => (ParameterKind::NormBias, Fill::Constant(0.0)),
                _ if embedding => (ParameterKind::Other, Fill::Normal(1.0)),
                _ => continue,
            };
        }
    }
    graph.nodes = nodes;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(key: &str, value: &str) -> HashMap<String, String> {
        HashMap::from([(key.to_owned(), value.to_owned())])
    }

    #[test]
    fn a_node_belongs_to_the_users_innermost_line() {
        let trace = "File \"train.py\", line 40, in forward\n    x = self.body(x)\n  File \"/home/me/model.py\", line 9, in forward\n    x=torch.relu(x)\n  File \"/venv/lib/python3.11/site-packages/torch/nn/modules/conv.py\", line 565, in forward\n    return f";
        assert_eq!(place(&metadata("stack_trace", trace)), Some(SourceLine { file: "/home/me/model.py".to_owned(), line: 9 }));
        assert_eq!(place(&metadata("stack_trace", "nothing like it")), None);
    }

    #[test]
    fn the_innermost_module_is_the_last_of_its_stack() {
        let stack = "L__self__,,__main__.Net;L__self__layer1_0_conv1,layer1.0.conv1,torch.nn.modules.conv.Conv2d";
        assert_eq!(module(&metadata("nn_module_stack", stack)), ("layer1.0.conv1".to_owned(), "torch.nn.modules.conv.Conv2d".to_owned()));
        assert_eq!(module(&HashMap::new()), (String::new(), String::new()));
    }
}
