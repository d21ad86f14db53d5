//! Emits graphs: the vocabulary that the architectures in `zoo` are written in.

use nanprobe_checks::evidence::ParameterKind;

use super::{Arg, Buffer, Fill, Graph, Node, Parameter, Value};

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
    /// Whether the weights are drawn by He's rule over the outputs (torchvision's) and the bias is zero, instead of torch.nn's default.
    pub fan_out: bool,
}

impl Conv {
    /// A convolution with torch.nn's default stride, padding, bias and initialisation.
    pub fn new(input: i64, output: i64, kernel: i64) -> Self {
        Self { input, output, kernel, stride: 1, padding: 0, groups: 1, bias: true, fan_out: false }
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

    /// He et al. 2015 over the outputs: std = sqrt(2 / (output * kernel^2 / groups)), zero bias.
    #[must_use]
    pub fn fan_out(self) -> Self {
        Self { fan_out: true, ..self }
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

    fn buffer(&mut self, module: &str, name: &str, shape: &[i64], value: f64) -> Arg {
        self.graph.buffers.push(Buffer { name: format!("{module}.{name}"), shape: shape.to_vec(), value });
        Arg::Value(Value::Buffer(self.graph.buffers.len() - 1))
    }

    fn node(&mut self, module: &str, target: &str, args: Vec<Arg>) -> Value {
        let count = self.graph.nodes.iter().filter(|node| node.module == module).count();
        let name = if count == 0 { module.to_owned() } else { format!("{module}_{count}") };
        self.graph.nodes.push(Node::new(name, &format!("aten.{target}"), args, module.to_owned()));
        Value::Node(self.graph.nodes.len() - 1)
    }

    /// `nn.Conv2d`.
    pub fn conv2d(&mut self, module: &str, x: Value, conv: Conv) -> Value {
        let area = conv.kernel * conv.kernel;
        let fan_in = (conv.input / conv.groups * area) as f64;
        // torch computes the fan of the outputs from the weight's shape, without regard to groups.
        let fan_out = (conv.output * area) as f64;
        let bound = 1.0 / fan_in.sqrt();
        let (weight, bias) = if conv.fan_out {
            (Fill::Normal((2.0 / fan_out).sqrt()), Fill::Constant(0.0))
        } else {
            (Fill::Uniform(bound), Fill::Uniform(bound))
        };
        let shape = [conv.output, conv.input / conv.groups, conv.kernel, conv.kernel];
        let weight = self.parameter(module, "weight", &shape, ParameterKind::Weight, weight);
        let bias = if conv.bias { self.parameter(module, "bias", &[conv.output], ParameterKind::Bias, bias) } else { Arg::None };
        let pair = |n: i64| Arg::Ints(vec![n, n]);
        let args = vec![Arg::Value(x), weight, bias, pair(conv.stride), pair(conv.padding), pair(1), Arg::Int(conv.groups)];
        self.node(module, "conv2d.default", args)
    }

    /// `nn.Linear` with torch.nn's own initialisation, or N(0, std^2) and a zero bias.
    pub fn linear(&mut self, module: &str, x: Value, input: i64, output: i64, std: Option<f64>) -> Value {
        let bound = 1.0 / (input as f64).sqrt();
        let (weight, bias) = match std {
            Some(std) => (Fill::Normal(std), Fill::Constant(0.0)),
            None => (Fill::Uniform(bound), Fill::Uniform(bound)),
        };
        let weight = self.parameter(module, "weight", &[output, input], ParameterKind::Weight, weight);
        let bias = self.parameter(module, "bias", &[output], ParameterKind::Bias, bias);
        self.node(module, "linear.default", vec![Arg::Value(x), weight, bias])
    }

    /// `nn.BatchNorm2d`. Whether it uses the batch's statistics is decided when it runs.
    pub fn batch_norm(&mut self, module: &str, x: Value, channels: i64) -> Value {
        let shape = [channels];
        let args = vec![
            Arg::Value(x),
            self.parameter(module, "weight", &shape, ParameterKind::NormWeight, Fill::Constant(1.0)),
            self.parameter(module, "bias", &shape, ParameterKind::NormBias, Fill::Constant(0.0)),
            self.buffer(module, "running_mean", &shape, 0.0),
            self.buffer(module, "running_var", &shape, 1.0),
            Arg::Bool(true),
            Arg::Float(0.1),
            Arg::Float(1e-5),
        ];
        self.node(module, "batch_norm.default", args)
    }

    /// `nn.ReLU`.
    pub fn relu(&mut self, module: &str, x: Value) -> Value {
        self.node(module, "relu.default", vec![Arg::Value(x)])
    }

    /// `nn.Sigmoid`.
    pub fn sigmoid(&mut self, module: &str, x: Value) -> Value {
        self.node(module, "sigmoid.default", vec![Arg::Value(x)])
    }

    /// `nn.ReLU6`.
    pub fn relu6(&mut self, module: &str, x: Value) -> Value {
        self.node(module, "hardtanh.default", vec![Arg::Value(x), Arg::Float(0.0), Arg::Float(6.0)])
    }

    /// `nn.MaxPool2d`.
    pub fn max_pool2d(&mut self, module: &str, x: Value, kernel: i64, stride: i64, padding: i64) -> Value {
        let pair = |n: i64| Arg::Ints(vec![n, n]);
        self.node(module, "max_pool2d.default", vec![Arg::Value(x), pair(kernel), pair(stride), pair(padding)])
    }

    /// `nn.AdaptiveAvgPool2d((side, side))`.
    pub fn adaptive_avg_pool2d(&mut self, module: &str, x: Value, side: i64) -> Value {
        self.node(module, "adaptive_avg_pool2d.default", vec![Arg::Value(x), Arg::Ints(vec![side, side])])
    }

    /// `torch.flatten(x, 1)`.
    pub fn flatten(&mut self, x: Value) -> Value {
        self.node("flatten", "flatten.using_ints", vec![Arg::Value(x), Arg::Int(1), Arg::Int(-1)])
    }

    /// `nn.Embedding` of token ids [N, ...] of `dimensions` dimensions, averaged over all positions: [N, width].
    pub fn mean_embedding(&mut self, module: &str, ids: Value, dimensions: usize, [vocabulary, width]: [i64; 2]) -> Value {
        let weight = self.parameter(module, "weight", &[vocabulary, width], ParameterKind::Other, Fill::Normal(1.0));
        let embedded = self.node(module, "embedding.default", vec![weight, Arg::Value(ids)]);
        let positions: Vec<i64> = (1..dimensions as i64).collect();
        if positions.is_empty() { embedded } else { self.node(module, "mean.dim", vec![Arg::Value(embedded), Arg::Ints(positions)]) }
    }

    /// `torch.cat(xs, 1)`.
    pub fn cat(&mut self, module: &str, xs: &[Value]) -> Value {
        let xs = Arg::List(xs.iter().copied().map(Arg::Value).collect());
        self.node(module, "cat.default", vec![xs, Arg::Int(1)])
    }

    /// `nn.Dropout(p)`.
    pub fn dropout(&mut self, module: &str, x: Value, p: f64) -> Value {
        self.node(module, "dropout.default", vec![Arg::Value(x), Arg::Float(p)])
    }

    /// `a + b`.
    pub fn add(&mut self, module: &str, a: Value, b: Value) -> Value {
        self.node(module, "add.Tensor", vec![Arg::Value(a), Arg::Value(b)])
    }
}
