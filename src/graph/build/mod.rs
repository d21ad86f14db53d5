//! Emits graphs: the vocabulary that the architectures in `zoo` are written in.
//!
//! Here are graphs and layers; `pointwise` has activations and random depth, `shape` what moves values about,
//! `attention` what transformers add.

use nanprobe_checks::evidence::ParameterKind;

use super::{Arg, Buffer, Content, Fill, Graph, Node, Output, Parameter, Value};

mod attention;
mod pointwise;
mod shape;

pub use attention::xavier_uniform;
pub use pointwise::Activation;

/// A 2d convolution's settings, with torch.nn's defaults.
#[derive(Clone, Copy)]
pub struct Conv {
    /// Input channels.
    pub input: i64,
    /// Output channels.
    pub output: i64,
    /// Side of the kernel.
    pub kernel: i64,
    /// Stride.
    pub stride: i64,
    /// Zero padding on each side.
    pub padding: i64,
    /// Groups.
    pub groups: i64,
    /// Whether there is a bias.
    pub bias: bool,
    /// How the weight is drawn, if not as torch.nn does.
    pub weight: Option<Fill>,
    /// Whether the bias begins at zero, and is not drawn as torch.nn does.
    pub zero_bias: bool,
}

impl Conv {
    /// A convolution with torch.nn's default stride, padding, bias and initialisation.
    pub fn new(input: i64, output: i64, kernel: i64) -> Self {
        Self { input, output, kernel, stride: 1, padding: 0, groups: 1, bias: true, weight: None, zero_bias: false }
    }

    /// Sets the stride.
    #[must_use]
    pub fn stride(self, stride: i64) -> Self {
        Self { stride, ..self }
    }

    /// Sets the padding.
    #[must_use]
    pub fn padding(self, padding: i64) -> Self {
        Self { padding, ..self }
    }

    /// Sets the groups.
    #[must_use]
    pub fn groups(self, groups: i64) -> Self {
        Self { groups, ..self }
    }

    /// Leaves the bias out.
    #[must_use]
    pub fn no_bias(self) -> Self {
        Self { bias: false, ..self }
    }

    /// He et al. 2015 over the outputs: std = sqrt(2 / (output * kernel^2)), zero bias. torch computes the outputs' fan from the
    /// weight's shape, without regard to groups.
    #[must_use]
    pub fn fan_out(self) -> Self {
        let fan = (self.output * self.kernel * self.kernel) as f64;
        self.drawn(Fill::Normal((2.0 / fan).sqrt()))
    }

    /// That fill for the weight, zero for the bias.
    #[must_use]
    pub fn drawn(self, weight: Fill) -> Self {
        Self { weight: Some(weight), zero_bias: true, ..self }
    }

    /// Draws the bias as torch.nn does, whatever the weight.
    #[must_use]
    pub fn torch_bias(self) -> Self {
        Self { zero_bias: false, ..self }
    }

    /// He et al. 2015 over the inputs: std = sqrt(2 / fan_in), zero bias. Set the groups before.
    #[must_use]
    pub fn normal_fan_in(self) -> Self {
        self.drawn(Fill::Normal((2.0 / self.fan_in()).sqrt()))
    }

    /// The same variance from a uniform distribution. Set the groups before.
    #[must_use]
    pub fn uniform_fan_in(self) -> Self {
        self.drawn(Fill::Uniform((6.0 / self.fan_in()).sqrt()))
    }

    /// Inputs of one output. Set the groups before.
    pub fn fan_in(&self) -> f64 {
        (self.input / self.groups * self.kernel * self.kernel) as f64
    }
}

/// Builds a graph node by node, in the order of the forward pass.
pub struct Builder {
    graph: Graph,
}

impl Builder {
    /// An empty graph of that name.
    pub fn new(name: &str) -> Self {
        Self { graph: Graph::empty(name) }
    }

    /// The finished graph.
    pub fn finish(self, output: Value) -> Graph {
        self.finish_with(output, 1)
    }

    /// The finished graph of several inputs.
    pub fn finish_with(mut self, output: Value, inputs: usize) -> Graph {
        (self.graph.output, self.graph.inputs) = (output, inputs);
        self.graph
    }

    fn parameter(&mut self, module: &str, name: &str, shape: &[i64], kind: ParameterKind, fill: Fill) -> Arg {
        self.graph.parameters.push(Parameter { name: format!("{module}.{name}"), shape: shape.to_vec(), kind, fill });
        Arg::Value(Value::Parameter(self.graph.parameters.len() - 1))
    }

    /// A parameter that belongs to no layer or norm, such as a class token.
    pub fn own_parameter(&mut self, module: &str, name: &str, shape: &[i64], fill: Fill) -> Value {
        let name = if module.is_empty() { name.to_owned() } else { format!("{module}.{name}") };
        self.graph.parameters.push(Parameter { name, shape: shape.to_vec(), kind: ParameterKind::Other, fill });
        Value::Parameter(self.graph.parameters.len() - 1)
    }

    /// A buffer of integers.
    pub fn integers(&mut self, module: &str, name: &str, values: Vec<i64>) -> Value {
        let shape = vec![values.len() as i64];
        self.graph.buffers.push(Buffer { name: format!("{module}.{name}"), shape, content: Content::Integers(values) });
        Value::Buffer(self.graph.buffers.len() - 1)
    }

    fn buffer(&mut self, module: &str, name: &str, shape: &[i64], value: f64) -> Arg {
        self.graph.buffers.push(Buffer { name: format!("{module}.{name}"), shape: shape.to_vec(), content: Content::Constant(value) });
        Arg::Value(Value::Buffer(self.graph.buffers.len() - 1))
    }

    fn node(&mut self, module: &str, target: &str, args: Vec<Arg>) -> Value {
        self.call(module, &format!("aten.{target}"), args, Output::Tensor)
    }

    fn call(&mut self, module: &str, target: &str, args: Vec<Arg>, output: Output) -> Value {
        let count = self.graph.nodes.iter().filter(|node| node.module == module).count();
        let name = if count == 0 { module.to_owned() } else { format!("{module}_{count}") };
        self.graph.nodes.push(Node { output, ..Node::new(name, target, args, module.to_owned()) });
        Value::Node(self.graph.nodes.len() - 1)
    }

    /// `nn.Conv2d`.
    pub fn conv2d(&mut self, module: &str, x: Value, conv: Conv) -> Value {
        let bound = 1.0 / conv.fan_in().sqrt();
        let weight = conv.weight.unwrap_or(Fill::Uniform(bound));
        let bias = if conv.zero_bias { Fill::Constant(0.0) } else { Fill::Uniform(bound) };
        let shape = [conv.output, conv.input / conv.groups, conv.kernel, conv.kernel];
        let weight = self.parameter(module, "weight", &shape, ParameterKind::Weight, weight);
        let bias = if conv.bias { self.parameter(module, "bias", &[conv.output], ParameterKind::Bias, bias) } else { Arg::None };
        let pair = |n: i64| Arg::Ints(vec![n, n]);
        let args = vec![Arg::Value(x), weight, bias, pair(conv.stride), pair(conv.padding), pair(1), Arg::Int(conv.groups)];
        self.node(module, "conv2d.default", args)
    }

    /// `nn.Linear` with torch.nn's own initialisation, or N(0, std^2) and a zero bias.
    pub fn linear(&mut self, module: &str, x: Value, input: i64, output: i64, std: Option<f64>) -> Value {
        let own = Fill::Uniform(1.0 / (input as f64).sqrt());
        let (weight, bias) = std.map_or((own, own), |std| (Fill::Normal(std), Fill::Constant(0.0)));
        self.linear_drawn(module, x, [input, output], weight, Some(bias))
    }

    /// `nn.Linear` of [inputs, outputs] with these fills; without a bias where it has none.
    pub fn linear_drawn(&mut self, module: &str, x: Value, [input, output]: [i64; 2], weight: Fill, bias: Option<Fill>) -> Value {
        let weight = self.parameter(module, "weight", &[output, input], ParameterKind::Weight, weight);
        let bias = bias.map_or(Arg::None, |bias| self.parameter(module, "bias", &[output], ParameterKind::Bias, bias));
        self.node(module, "linear.default", vec![Arg::Value(x), weight, bias])
    }

    /// `nn.BatchNorm2d`. Whether it uses the batch's statistics is decided when it runs.
    pub fn batch_norm(&mut self, module: &str, x: Value, channels: i64) -> Value {
        self.batch_norm_with(module, x, channels, 1e-5, 0.1)
    }

    /// `nn.BatchNorm2d(eps, momentum)`.
    pub fn batch_norm_with(&mut self, module: &str, x: Value, channels: i64, eps: f64, momentum: f64) -> Value {
        let shape = [channels];
        let args = vec![
            Arg::Value(x),
            self.parameter(module, "weight", &shape, ParameterKind::NormWeight, Fill::Constant(1.0)),
            self.parameter(module, "bias", &shape, ParameterKind::NormBias, Fill::Constant(0.0)),
            self.buffer(module, "running_mean", &shape, 0.0),
            self.buffer(module, "running_var", &shape, 1.0),
            Arg::Bool(true),
            Arg::Float(momentum),
            Arg::Float(eps),
        ];
        self.node(module, "batch_norm.default", args)
    }

    /// `nn.MaxPool2d`.
    pub fn max_pool2d(&mut self, module: &str, x: Value, kernel: i64, stride: i64, padding: i64) -> Value {
        let pair = |n: i64| Arg::Ints(vec![n, n]);
        self.node(module, "max_pool2d.default", vec![Arg::Value(x), pair(kernel), pair(stride), pair(padding)])
    }

    /// `nn.MaxPool2d(ceil_mode=True)`: a window that begins within the picture counts, though it ends outside.
    pub fn max_pool2d_ceil(&mut self, module: &str, x: Value, kernel: i64, stride: i64, padding: i64) -> Value {
        let pair = |n: i64| Arg::Ints(vec![n, n]);
        let args = vec![Arg::Value(x), pair(kernel), pair(stride), pair(padding), pair(1), Arg::Bool(true)];
        self.node(module, "max_pool2d.default", args)
    }

    /// `nn.AvgPool2d(kernel, kernel)`.
    pub fn avg_pool2d(&mut self, module: &str, x: Value, kernel: i64) -> Value {
        let pair = |n: i64| Arg::Ints(vec![n, n]);
        self.node(module, "avg_pool2d.default", vec![Arg::Value(x), pair(kernel), pair(kernel)])
    }

    /// `nn.AdaptiveAvgPool2d((side, side))`.
    pub fn adaptive_avg_pool2d(&mut self, module: &str, x: Value, side: i64) -> Value {
        self.node(module, "adaptive_avg_pool2d.default", vec![Arg::Value(x), Arg::Ints(vec![side, side])])
    }
}
