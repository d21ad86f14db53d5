//! What a pickle says, as inert values: handles into one list of objects, so that shared and cyclic ones cost what they are written with.

use std::rc::Rc;

use crate::archive::DType;

/// A value. What nobody reads (nothing, floats, bytes, sets) has no content.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Something that is not read.
    Inert,
    /// A truth value.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A text.
    Text(Rc<str>),
    /// An object, by its position.
    Object(usize),
}

/// An object that values may share.
#[derive(Clone, Debug)]
pub enum Object {
    /// A list or a tuple.
    List(Vec<Value>),
    /// A dict, in the order of its keys; the last of equal keys counts.
    Dict(Vec<(Value, Value)>),
    /// A name of Python's.
    Global(Global),
    /// Where tensors lie.
    Storage(Rc<Storage>),
    /// A tensor.
    Tensor(Rc<Tensor>),
}

/// A name of Python's: what it would do is done here, if it is one of these.
#[derive(Clone, Debug, PartialEq)]
pub enum Global {
    /// `collections.OrderedDict`.
    Dict,
    /// `torch._utils._rebuild_tensor_v2` and, with a dtype, `_rebuild_tensor_v3`.
    Tensor {
        /// Whether the dtype is an argument.
        typed: bool,
    },
    /// `torch._utils._rebuild_parameter` and `_rebuild_parameter_with_state`.
    Parameter,
    /// `torch._tensor._rebuild_from_type_v2`: another of these, and attributes.
    FromType,
    /// `torch.Size`: its argument.
    Size,
    /// Plain values of Python's, such as a set or bytes: nothing that is read.
    Plain,
    /// `torch.Tensor` and the like, which are only named.
    Class,
    /// A class of storages; none for a type of elements that is not read.
    Storage(Option<DType>),
    /// `torch.storage.UntypedStorage`: bytes.
    Bytes,
    /// A dtype; none for one that is not read.
    DType(Option<DType>),
    /// Anything else, by its full name: it may be named, never used.
    Unknown(Rc<str>),
}

/// Where tensors lie.
#[derive(Clone, Debug, PartialEq)]
pub struct Storage {
    /// Name of its entry below `data/`.
    pub key: Rc<str>,
    /// Type of its elements; none for one that is not read or said by the tensor.
    pub dtype: Option<DType>,
    /// Bytes it must have, where that is known.
    pub bytes: Option<u64>,
}

/// A tensor as the pickle describes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Where it lies.
    pub storage: Rc<Storage>,
    /// Type of its elements; none for one that is not read.
    pub dtype: Option<DType>,
    /// Its sizes.
    pub sizes: Vec<i64>,
    /// Elements from one index to the next, for each dimension.
    pub strides: Vec<i64>,
    /// Elements before the first.
    pub offset: i64,
    /// Whether gradients were asked for.
    pub requires_grad: bool,
}

impl Global {
    /// What a name stands for. Python 2's names are those that protocol 2 writes.
    pub fn of(module: &str, name: &str) -> Self {
        match (module, name) {
            ("collections", "OrderedDict") => Self::Dict,
            ("torch._utils", "_rebuild_tensor_v2") => Self::Tensor { typed: false },
            ("torch._utils", "_rebuild_tensor_v3") => Self::Tensor { typed: true },
            ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state") => Self::Parameter,
            ("torch._tensor", "_rebuild_from_type_v2") => Self::FromType,
            ("torch", "Size") => Self::Size,
            ("torch", "Tensor") | ("torch.nn.parameter", "Parameter" | "Buffer") => Self::Class,
            ("torch", "device") | ("_codecs", "encode") | ("builtins" | "__builtin__", "set" | "frozenset" | "bytearray" | "complex") => {
                Self::Plain
            }
            ("torch.storage" | "torch", "UntypedStorage") => Self::Bytes,
            ("torch" | "torch.cuda" | "torch.storage", storage) if storage.ends_with("Storage") => Self::Storage(of_storage(storage)),
            ("torch", name) if is_dtype(name) => Self::DType(of_dtype(name)),
            _ => Self::Unknown(full_name(module, name).into()),
        }
    }
}

/// The name in full, fit to be shown whatever it holds.
pub fn full_name(module: &str, name: &str) -> String {
    shown(&format!("{module}.{name}"))
}

/// A text of the file's, fit to be shown: what a terminal would not print is escaped, and it is not too long.
pub fn shown(text: &str) -> String {
    const LONGEST: usize = 120;
    let escape = |c: char| if matches!(c, '\'' | '"' | '\\') { vec![c] } else { c.escape_debug().collect() };
    let mut escaped = text.chars().flat_map(escape);
    let mut shown: String = escaped.by_ref().take(LONGEST).collect();
    if escaped.next().is_some() {
        shown.push_str("...");
    }
    shown
}

fn of_storage(class: &str) -> Option<DType> {
    Some(match class.strip_suffix("Storage")? {
        "Float" => DType::Float32,
        "Double" => DType::Float64,
        "Half" => DType::Float16,
        "BFloat16" => DType::BFloat16,
        "Long" => DType::Int64,
        "Int" => DType::Int32,
        "Short" => DType::Int16,
        "Char" => DType::Int8,
        "Byte" => DType::UInt8,
        "Bool" => DType::Bool,
        _ => return None,
    })
}

fn of_dtype(name: &str) -> Option<DType> {
    Some(match name {
        "float32" | "float" => DType::Float32,
        "float64" | "double" => DType::Float64,
        "float16" | "half" => DType::Float16,
        "bfloat16" => DType::BFloat16,
        "int64" | "long" => DType::Int64,
        "int32" | "int" => DType::Int32,
        "int16" | "short" => DType::Int16,
        "int8" => DType::Int8,
        "uint8" => DType::UInt8,
        "bool" => DType::Bool,
        _ => return None,
    })
}

fn is_dtype(name: &str) -> bool {
    const OTHERS: [&str; 4] = ["uint", "float8", "complex", "float4"];
    of_dtype(name).is_some() || OTHERS.iter().any(|kind| name.starts_with(kind))
}
