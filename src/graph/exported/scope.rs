//! Names of the file and what they stand for, and the schema's codes in ATen's numbers.

use std::collections::HashMap;

use tch::Kind;

use crate::archive::DType;
use crate::graph::{Arg, Output, Value};
use crate::pt2::{self, Argument, SymInt};

/// What names stand for.
#[derive(Clone, Default)]
pub(super) struct Scope {
    pub(super) names: HashMap<String, Bound>,
}

/// What one name stands for.
#[derive(Clone, Debug)]
pub(super) enum Bound {
    Value(Value, Output),
    Constant(Arg),
}

impl Scope {
    pub(super) fn bind(&mut self, name: &str, value: Value, output: Output) {
        self.names.insert(name.to_owned(), Bound::Value(value, output));
    }

    pub(super) fn get(&self, name: &str) -> Result<&Bound, String> {
        self.names.get(name).ok_or_else(|| format!("`{name}` is read before it is computed"))
    }

    pub(super) fn tensor(&self, name: &str) -> Result<Value, String> {
        match self.get(name)? {
            Bound::Value(value, Output::Tensor) => Ok(*value),
            other => Err(format!("`{name}` is no tensor but {other:?}")),
        }
    }

    /// A number that is known or computed.
    pub(super) fn number(&self, size: &SymInt) -> Result<Arg, String> {
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

    pub(super) fn arg(&self, argument: &Argument) -> Result<Arg, String> {
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
            // Strided is the only layout there is.
            Argument::AsNone(_) | Argument::AsLayout(_) => Arg::None,
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
            Argument::AsDevice(_) => Arg::Device,
            Argument::AsGraph(_) => return Err("a sub-graph where a value is expected".to_owned()),
            Argument::Other(value) => return Err(format!("an argument of a kind that is not read: {}", shortened(&value.to_string()))),
        })
    }
}

pub(super) fn shortened(text: &str) -> String {
    if text.chars().count() > 60 { text.chars().take(60).chain("...".chars()).collect() } else { text.to_owned() }
}

/// ATen's number of a dtype, by the export schema's.
pub(super) fn scalar_type(number: u64) -> Result<i64, String> {
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
pub(super) fn memory_format(number: u64) -> Result<i64, String> {
    match number {
        1 => Ok(0), // contiguous
        2 => Ok(2), // channels last
        3 => Ok(3), // channels last 3d
        4 => Ok(1), // preserve
        _ => Err(format!("memory format code {number} is not read")),
    }
}

pub(super) fn kind(dtype: DType) -> Kind {
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
