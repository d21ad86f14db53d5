//! The graph as JSON, as far as it is read: torch's export schema 8, and 7, which torch 2.5 wrote and which differs in nothing that is
//! read here (`torch/_export/serde/schema.py`).

use std::collections::{BTreeMap, HashMap};
use std::ops::RangeInclusive;

use serde::Deserialize;

/// The versions that are read; another minor version only adds fields.
pub const MAJORS: RangeInclusive<u64> = 7..=8;

/// A whole model.
#[derive(Debug, Deserialize)]
pub struct Program {
    /// The graph and its signature.
    pub graph_module: GraphModule,
    /// Version of the schema.
    pub schema_version: SchemaVersion,
    /// The torch that wrote it.
    #[serde(default)]
    pub torch_version: String,
}

/// Version of the schema.
#[derive(Debug, Deserialize)]
pub struct SchemaVersion {
    /// Changes when an old reader would misread it.
    pub major: u64,
    /// Grows otherwise.
    pub minor: u64,
}

/// The graph and its signature.
#[derive(Debug, Deserialize)]
pub struct GraphModule {
    /// The graph.
    pub graph: Graph,
    /// What its inputs and outputs are.
    pub signature: Signature,
    /// How modules are called, the model itself first.
    #[serde(default)]
    pub module_call_graph: Vec<serde_json::Value>,
}

impl GraphModule {
    /// The keys of the dictionary that the model returns; none where it returns something else.
    pub fn keys(&self) -> Option<Vec<String>> {
        let spec = self.module_call_graph.first()?.pointer("/signature/out_spec")?.as_str()?;
        let spec: serde_json::Value = serde_json::from_str(spec).ok()?;
        let returned = spec.get(1)?;
        let dictionary = returned.get("type")?.as_str()?.to_ascii_lowercase().ends_with("dict");
        serde_json::from_str(returned.get("context")?.as_str().filter(|_| dictionary)?).ok()
    }
}

/// A graph.
#[derive(Clone, Debug, Deserialize)]
pub struct Graph {
    /// Its inputs.
    pub inputs: Vec<Argument>,
    /// Its outputs.
    pub outputs: Vec<Argument>,
    /// Its nodes, each after those it reads.
    pub nodes: Vec<Node>,
    /// What is known of each tensor.
    #[serde(default)]
    pub tensor_values: BTreeMap<String, TensorMeta>,
}

/// One call.
#[derive(Clone, Debug, Deserialize)]
pub struct Node {
    /// What is called, such as `torch.ops.aten.conv2d.default`.
    pub target: String,
    /// With what; arguments that are left out have their default.
    pub inputs: Vec<NamedArgument>,
    /// What it gives.
    pub outputs: Vec<Argument>,
    /// `stack_trace` and `nn_module_stack`, as text.
    #[serde(default)]
    pub metadata: HashMap<String, String>,
}

/// An argument by the name it has in the operator's schema.
#[derive(Clone, Debug, Deserialize)]
pub struct NamedArgument {
    /// The name; empty for some higher-order operators.
    pub name: String,
    /// The value.
    pub arg: Argument,
}

/// A tensor by name.
#[derive(Clone, Debug, Deserialize)]
pub struct TensorName {
    /// The name.
    pub name: String,
}

/// A size or number that may be symbolic.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SymInt {
    /// The value of that name.
    AsName(String),
    /// A constant.
    AsInt(i64),
    /// A constant of another type.
    AsFloat(f64),
    /// A truth value.
    AsBool(bool),
}

/// A tensor or nothing.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OptionalTensor {
    /// A tensor.
    AsTensor(TensorName),
    /// Nothing.
    AsNone(serde_json::Value),
}

/// A device.
#[derive(Clone, Debug, Deserialize)]
pub struct Device {
    /// `cpu`, `cuda` and the like.
    #[serde(rename = "type")]
    pub kind: String,
}

/// A graph as an argument of a higher-order operator.
#[derive(Clone, Debug, Deserialize)]
pub struct GraphArgument {
    /// The graph.
    pub graph: Box<Graph>,
}

/// A value that is passed.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Argument {
    /// Nothing.
    AsNone(serde_json::Value),
    /// A tensor.
    AsTensor(TensorName),
    /// Several tensors.
    AsTensors(Vec<TensorName>),
    /// A tensor or nothing.
    AsOptionalTensor(OptionalTensor),
    /// Several of them.
    AsOptionalTensors(Vec<OptionalTensor>),
    /// An integer.
    AsInt(i64),
    /// Several.
    AsInts(Vec<i64>),
    /// A float; infinities and NaN are written as text.
    AsFloat(Float),
    /// Several.
    AsFloats(Vec<Float>),
    /// A truth value.
    AsBool(bool),
    /// Several.
    AsBools(Vec<bool>),
    /// A text.
    AsString(String),
    /// A size.
    AsSymInt(SymInt),
    /// Several.
    AsSymInts(Vec<SymInt>),
    /// A symbolic truth value.
    AsSymBool(SymInt),
    /// A symbolic float.
    AsSymFloat(SymInt),
    /// Several.
    AsSymFloats(Vec<SymInt>),
    /// A dtype, by the schema's numbers.
    AsScalarType(u64),
    /// A memory format, by the schema's numbers.
    AsMemoryFormat(u64),
    /// A layout, by the schema's numbers.
    AsLayout(u64),
    /// A device.
    AsDevice(Device),
    /// A graph.
    AsGraph(GraphArgument),
    /// Anything else.
    #[serde(untagged)]
    Other(serde_json::Value),
}

/// A float as the schema writes it.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "serde_json::Value")]
pub struct Float(pub f64);

impl TryFrom<serde_json::Value> for Float {
    type Error = String;

    fn try_from(value: serde_json::Value) -> Result<Self, String> {
        let text = |text: &str| match text {
            "Infinity" | "inf" => Some(f64::INFINITY),
            "-Infinity" | "-inf" => Some(f64::NEG_INFINITY),
            "NaN" | "nan" => Some(f64::NAN),
            _ => None,
        };
        value.as_f64().or_else(|| value.as_str().and_then(text)).map(Self).ok_or_else(|| format!("`{value}` is no float"))
    }
}

/// What is known of a tensor.
#[derive(Clone, Debug, Deserialize)]
pub struct TensorMeta {
    /// Type of its elements, by the schema's numbers.
    pub dtype: u64,
    /// Its sizes: `as_int`, or an expression where a dimension is dynamic.
    pub sizes: Vec<serde_json::Value>,
    /// Elements from one index to the next, for each dimension.
    #[serde(default)]
    pub strides: Vec<serde_json::Value>,
    /// Elements before the first.
    #[serde(default)]
    pub storage_offset: Option<serde_json::Value>,
    /// Whether gradients were asked for.
    #[serde(default)]
    pub requires_grad: bool,
}

/// What a graph's inputs and outputs are.
#[derive(Debug, Deserialize)]
pub struct Signature {
    /// In the order of the graph's inputs.
    pub input_specs: Vec<InputSpec>,
    /// In the order of its outputs.
    pub output_specs: Vec<OutputSpec>,
}

/// What an input is.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InputSpec {
    /// Given by the caller.
    UserInput {
        /// Its name in the graph.
        arg: Argument,
    },
    /// A parameter.
    Parameter {
        /// Its name in the graph.
        arg: TensorName,
        /// Its name in the module.
        parameter_name: String,
    },
    /// A buffer.
    Buffer {
        /// Its name in the graph.
        arg: TensorName,
        /// Its name in the module.
        buffer_name: String,
    },
    /// A tensor that is neither.
    TensorConstant {
        /// Its name in the graph.
        arg: TensorName,
        /// Its name in the file.
        tensor_constant_name: String,
    },
    /// Anything else.
    #[serde(untagged)]
    Other(serde_json::Value),
}

/// What an output is.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputSpec {
    /// Returned to the caller.
    UserOutput {
        /// Its name in the graph.
        arg: Argument,
    },
    /// The loss of a graph that was exported for training.
    LossOutput {
        /// Its name in the graph.
        arg: TensorName,
    },
    /// A buffer's new value.
    BufferMutation {
        /// Its name in the graph.
        arg: TensorName,
        /// The buffer's name in the module.
        buffer_name: String,
    },
    /// Anything else.
    #[serde(untagged)]
    Other(serde_json::Value),
}
