//! A graph with tensors: the one interpreter, for training and evaluation.

use nanprobe_checks::recipe;
use tch::{Device, Kind, Tensor, no_grad};

use super::knowledge::{depends_on, results};
use super::operators::{Kernel, compile};
use super::{Buffer, Content, Fill, Graph, GraphError, Output, TargetForm, Value};

/// What batch norm and dropout do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Batch statistics are used and kept, values are dropped.
    Train,
    /// Kept statistics are used, nothing is dropped.
    Evaluate,
    /// Batch statistics are used and kept in the place of what was kept before; nothing is dropped.
    Calibrate,
}

impl From<recipe::Mode> for Mode {
    fn from(mode: recipe::Mode) -> Self {
        match mode {
            recipe::Mode::Train => Self::Train,
            recipe::Mode::Eval => Self::Evaluate,
        }
    }
}

/// Sees a node's output, by the node's position, right after it is computed.
pub type Observer<'a> = &'a mut dyn FnMut(usize, &Tensor) -> Result<(), GraphError>;

/// What a node has given.
#[derive(Debug)]
pub enum Slot {
    /// Nothing yet, or nothing any more.
    Empty,
    /// A tensor.
    Tensor(Tensor),
    /// An integer.
    Int(i64),
    /// A float.
    Float(f64),
    /// A truth value.
    Bool(bool),
    /// Several tensors.
    Tensors(Vec<Tensor>),
}

impl From<Tensor> for Slot {
    fn from(tensor: Tensor) -> Self {
        Self::Tensor(tensor)
    }
}

/// What nodes read while a network runs.
pub struct Values<'a> {
    inputs: &'a [Tensor],
    network: &'a Network,
    nodes: Vec<Slot>,
}

impl Values<'_> {
    /// The tensor of a value.
    pub fn get(&self, value: Value) -> &Tensor {
        match value {
            // `Network::run` has checked that all inputs that are read are there.
            Value::Input(i) => &self.inputs[i],
            Value::Parameter(i) => &self.network.parameters[i],
            Value::Buffer(i) => &self.network.buffers[i],
            // `Network::new` has checked that a node reads earlier nodes only, and tensors where it takes tensors;
            // `last_readers` frees a value after its last reader.
            Value::Node(i) => match &self.nodes[i] {
                Slot::Tensor(tensor) => tensor,
                other => unreachable!("a tensor lives until its last reader, and this is {other:?}"),
            },
        }
    }

    /// The shape of a value, in words, where it is a tensor.
    fn shape(&self, value: Value) -> Option<String> {
        match value {
            Value::Node(i) if !matches!(self.nodes[i], Slot::Tensor(_)) => None,
            other => Some(format!("{:?}", self.get(other).size())),
        }
    }

    /// What a node has given.
    pub fn slot(&self, node: usize) -> &Slot {
        &self.nodes[node]
    }
}

/// A graph with tensors on a device, ready to run.
pub struct Network {
    graph: Graph,
    /// One a parameter of the graph; leaves that require gradients.
    parameters: Vec<Tensor>,
    buffers: Vec<Tensor>,
    kernels: Vec<Kernel>,
    /// Per node, the nodes whose values nobody reads after it.
    dying: Vec<Vec<usize>>,
    /// Per node, whether it is computed only where there are targets.
    for_loss: Vec<bool>,
}

impl Network {
    /// Compiles a graph and draws its parameters by the architecture's own initialisation from
    /// libtorch's generator, in the order in which they are listed.
    pub fn new(graph: Graph, device: Device) -> Result<Self, GraphError> {
        check_order(&graph)?;
        let kernels = compile(&graph, device)?;
        let dying = last_readers(&graph);
        let parameters = graph.parameters.iter().map(|p| draw(&p.shape, p.fill, device)).collect::<Result<_, _>>()?;
        let buffers = graph.buffers.iter().map(|b| first_values(b, device)).collect::<Result<_, _>>()?;
        let for_loss = graph.criterion.as_ref().map_or_else(|| vec![false; graph.nodes.len()], |own| depends_on(&graph, own.target));
        Ok(Self { graph, parameters, buffers, kernels, dying, for_loss })
    }

    /// What it computes.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The parameters, as the graph lists them.
    pub fn parameters(&self) -> &[Tensor] {
        &self.parameters
    }

    /// The buffers, as the graph lists them.
    pub fn buffers(&self) -> &[Tensor] {
        &self.buffers
    }

    /// Gives a parameter other values of the same shape.
    pub fn set_parameter(&mut self, index: usize, values: &Tensor) -> Result<(), GraphError> {
        no_grad(|| self.parameters[index].f_copy_(values))?;
        Ok(())
    }

    /// Gives all buffers other values, of whatever type.
    pub fn set_buffers(&mut self, values: &[Tensor]) -> Result<(), GraphError> {
        for (buffer, values) in self.buffers.iter_mut().zip(values) {
            *buffer = values.f_detach_copy()?.f_to(buffer.device())?;
        }
        Ok(())
    }

    /// Gives a buffer other values of the same shape.
    pub fn set_buffer(&mut self, index: usize, values: &Tensor) -> Result<(), GraphError> {
        no_grad(|| self.buffers[index].f_copy_(values))?;
        Ok(())
    }

    /// Runs the graph on its inputs, pictures [N, C, H, W] for instance, and shows every node's output to `observer`.
    /// A value is freed after its last reader unless the observer keeps it. What only a loss needs is not computed.
    pub fn forward(&self, inputs: &[Tensor], mode: Mode, observer: Option<Observer>) -> Result<Tensor, GraphError> {
        Ok(self.run(inputs, None, mode, observer)?.0)
    }

    /// The same, and the loss by the graph's own criterion where it has one; `labels` are class indices, int64 [N].
    pub fn forward_with_loss(
        &self,
        inputs: &[Tensor],
        labels: &Tensor,
        mode: Mode,
        observer: Option<Observer>,
    ) -> Result<(Tensor, Option<Tensor>), GraphError> {
        let used = self.graph.criterion.as_ref().filter(|own| own.used);
        let targets = used.map(|own| targets(own.form, labels)).transpose()?;
        self.run(inputs, targets, mode, observer)
    }

    fn run(
        &self,
        inputs: &[Tensor],
        targets: Option<Tensor>,
        mode: Mode,
        mut observer: Option<Observer>,
    ) -> Result<(Tensor, Option<Tensor>), GraphError> {
        let with_loss = targets.is_some();
        let mut given: Vec<Tensor> = inputs.iter().map(Tensor::shallow_clone).collect();
        if let Some(own) = &self.graph.criterion {
            // Without targets nothing reads what stands in their place.
            given.insert(own.target.min(given.len()), targets.unwrap_or_default());
        }
        if given.len() != self.graph.inputs {
            return Err(GraphError::Inputs { given: inputs.len(), taken: self.graph.inputs - usize::from(self.graph.criterion.is_some()) });
        }
        let mut values = Values { inputs: &given, network: self, nodes: self.graph.nodes.iter().map(|_| Slot::Empty).collect() };
        for (index, kernel) in self.kernels.iter().enumerate() {
            if self.for_loss[index] && !with_loss {
                continue;
            }
            let output = kernel(&values, mode).map_err(|source| {
                let node = &self.graph.nodes[index];
                let shapes = node.reads().filter_map(|value| values.shape(value)).collect::<Vec<_>>().join(", ");
                GraphError::Torch { node: node.name.clone(), target: node.target.clone(), shapes, source: source.into() }
            })?;
            if let (Some(observe), Slot::Tensor(output)) = (observer.as_mut(), &output) {
                observe(index, output)?;
            }
            self.check_slot(index, &output)?;
            values.nodes[index] = output;
            for &dead in &self.dying[index] {
                values.nodes[dead] = Slot::Empty;
            }
        }
        let loss = self.graph.criterion.as_ref().filter(|_| with_loss).map(|own| values.get(own.loss).shallow_clone());
        Ok((values.get(self.graph.output).shallow_clone(), loss))
    }
}

impl Network {
    /// A node gives what the graph says it gives: readers rely on it.
    fn check_slot(&self, index: usize, slot: &Slot) -> Result<(), GraphError> {
        let node = &self.graph.nodes[index];
        let fits = match (node.output, slot) {
            (Output::Tensor, Slot::Tensor(_))
            | (Output::Int, Slot::Int(_))
            | (Output::Float, Slot::Float(_))
            | (Output::Bool, Slot::Bool(_))
            | (Output::Tensors, Slot::Tensors(_)) => true,
            (Output::Tuple(n), Slot::Tensors(tensors)) => tensors.len() == n,
            _ => false,
        };
        let name = |output| match output {
            Output::Tensor => "a tensor",
            Output::Int => "an integer",
            Output::Float => "a float",
            Output::Bool => "a truth value",
            Output::Tensors | Output::Tuple(_) => "several tensors",
        };
        let found = match slot {
            Slot::Empty => "nothing",
            Slot::Tensor(_) => name(Output::Tensor),
            Slot::Int(_) => name(Output::Int),
            Slot::Float(_) => name(Output::Float),
            Slot::Bool(_) => name(Output::Bool),
            Slot::Tensors(_) => name(Output::Tensors),
        };
        if fits {
            return Ok(());
        }
        Err(GraphError::Slot { node: node.name.clone(), target: node.target.clone(), found, expected: name(node.output) })
    }
}

/// Class indices, int64 [N], in the form that a criterion takes.
fn targets(form: TargetForm, labels: &Tensor) -> Result<Tensor, GraphError> {
    Ok(match form {
        TargetForm::Indices => labels.shallow_clone(),
        TargetForm::Floats => labels.f_to_kind(Kind::Float)?,
        TargetForm::Column => labels.f_unsqueeze(1)?.f_to_kind(Kind::Float)?,
        TargetForm::OneHot(width) => labels.f_one_hot(width)?.f_to_kind(Kind::Float)?,
    })
}

/// A leaf tensor that requires gradients, with values drawn from libtorch's generator.
fn draw(shape: &[i64], fill: Fill, device: Device) -> Result<Tensor, GraphError> {
    // Drawn on the CPU so that every device starts from the same numbers.
    let mut tensor = Tensor::f_zeros(shape, (Kind::Float, Device::Cpu))?;
    let filled = match fill {
        Fill::Constant(value) => tensor.f_fill_(value)?,
        Fill::Normal(std) => tensor.f_normal_(0.0, std)?,
        Fill::Uniform(bound) => tensor.f_uniform_(-bound, bound)?,
        // Its values are set after.
        Fill::Stored => tensor,
    };
    Ok(filled.f_to(device)?.f_set_requires_grad(true)?)
}

/// What a buffer holds at first.
fn first_values(buffer: &Buffer, device: Device) -> Result<Tensor, GraphError> {
    Ok(match &buffer.content {
        Content::Constant(value) => Tensor::f_full(&buffer.shape, *value, (Kind::Float, device))?,
        Content::Integers(values) => Tensor::f_from_slice(values)?.f_view(&buffer.shape[..])?.f_to(device)?,
    })
}

fn check_order(graph: &Graph) -> Result<(), GraphError> {
    let exists = |value: Value, before: usize| match value {
        Value::Input(i) => i < graph.inputs,
        Value::Parameter(i) => i < graph.parameters.len(),
        Value::Buffer(i) => i < graph.buffers.len(),
        Value::Node(i) => i < before,
    };
    for (index, node) in graph.nodes.iter().enumerate() {
        if let Some(value) = node.reads().find(|value| !exists(*value, index)) {
            return Err(GraphError::Dangling { node: node.name.clone(), value });
        }
    }
    let is_tensor = |value: Value| !matches!(value, Value::Node(i) if graph.nodes.get(i).is_some_and(|node| node.output != Output::Tensor));
    for value in results(graph) {
        if !(exists(value, graph.nodes.len()) && is_tensor(value)) {
            return Err(GraphError::Dangling { node: "output".to_owned(), value });
        }
    }
    Ok(())
}

/// Per node, the nodes whose values nobody reads after it. Output and loss are read by the caller.
fn last_readers(graph: &Graph) -> Vec<Vec<usize>> {
    let mut last: Vec<usize> = (0..graph.nodes.len()).collect();
    for (index, node) in graph.nodes.iter().enumerate() {
        for value in node.reads() {
            if let Value::Node(read) = value {
                last[read] = index;
            }
        }
    }
    let returned = results(graph);
    let mut dying = vec![Vec::new(); graph.nodes.len()];
    for (node, &reader) in last.iter().enumerate() {
        if !returned.contains(&Value::Node(node)) {
            dying[reader].push(node);
        }
    }
    dying
}
