//! Sizes and what Python computes with them, and the parts of what gives several tensors.

use tch::TchError;

use super::{Args, GraphError, Kernel, Values};
use crate::graph::network::Slot;
use crate::graph::{Arg, Output, Value};

/// Takes one tensor of several.
pub const GETITEM: &str = "getitem";

/// A number that is known, or a node that gives it.
#[derive(Clone, Copy)]
enum Number {
    Int(i64),
    Float(f64),
    Node(usize),
}

impl Number {
    fn int(self, values: &Values) -> Result<i64, TchError> {
        match self {
            Self::Int(n) => return Ok(n),
            Self::Node(node) => match values.slot(node) {
                Slot::Int(n) => return Ok(*n),
                Slot::Bool(b) => return Ok(i64::from(*b)),
                _ => {}
            },
            Self::Float(_) => {}
        }
        Err(TchError::Kind("a size that is no integer".to_owned()))
    }

    fn float(self, values: &Values) -> Result<f64, TchError> {
        match self {
            Self::Float(x) => return Ok(x),
            Self::Node(node) => {
                if let Slot::Float(x) = values.slot(node) {
                    return Ok(*x);
                }
            }
            Self::Int(_) => {}
        }
        Ok(self.int(values)? as f64)
    }
}

fn number(args: Args, index: usize) -> Result<Number, GraphError> {
    match args.get(index) {
        Arg::Int(n) => Ok(Number::Int(*n)),
        Arg::Float(x) => Ok(Number::Float(*x)),
        Arg::Value(Value::Node(node)) => Ok(Number::Node(*node)),
        _ => Err(args.error(index, "a number")),
    }
}

/// A function of two numbers that gives a float.
fn of_floats(args: Args, f: fn(f64, f64) -> f64) -> Result<Kernel, GraphError> {
    let (a, b) = (number(args, 0)?, number(args, 1)?);
    Ok(Box::new(move |v, _| Ok(Slot::Float(f(a.float(v)?, b.float(v)?)))))
}

/// A function of one number that gives a float.
fn of_float(args: Args, f: fn(f64) -> f64) -> Result<Kernel, GraphError> {
    let a = number(args, 0)?;
    Ok(Box::new(move |v, _| Ok(Slot::Float(f(a.float(v)?)))))
}

fn overflow() -> TchError {
    TchError::Kind("a size out of range".to_owned())
}

/// A function of two integers; none where it has no result.
fn arithmetic(args: Args, f: fn(i64, i64) -> Option<i64>) -> Result<Kernel, GraphError> {
    let (a, b) = (number(args, 0)?, number(args, 1)?);
    Ok(Box::new(move |v, _| f(a.int(v)?, b.int(v)?).map(Slot::Int).ok_or_else(overflow)))
}

/// A comparison of two integers.
fn comparison(args: Args, f: fn(&i64, &i64) -> bool) -> Result<Kernel, GraphError> {
    let (a, b) = (number(args, 0)?, number(args, 1)?);
    Ok(Box::new(move |v, _| Ok(Slot::Bool(f(&a.int(v)?, &b.int(v)?)))))
}

/// Python's floor division.
fn floor_division(a: i64, b: i64) -> Option<i64> {
    let quotient = a.checked_div(b)?;
    Some(if a % b != 0 && (a < 0) != (b < 0) { quotient - 1 } else { quotient })
}

/// Python's remainder, which has the sign of the divisor.
fn remainder(a: i64, b: i64) -> Option<i64> {
    a.checked_sub(floor_division(a, b)?.checked_mul(b)?)
}

pub fn compile(args: Args) -> Result<Option<Kernel>, GraphError> {
    let target = args.target();
    let floats = args.0.output == Output::Float;
    let kernel: Kernel = match target {
        "aten.sym_size.int" => {
            let (x, dim) = (args.tensor(0)?, args.int_or(1, 0)?);
            Box::new(move |v, _| {
                let size = v.get(x).size();
                let dim = if dim < 0 { dim + size.len() as i64 } else { dim };
                let size = usize::try_from(dim).ok().and_then(|dim| size.get(dim).copied());
                size.map(Slot::Int).ok_or_else(|| TchError::Kind(format!("no dimension {dim}")))
            })
        }
        GETITEM => {
            let (Arg::Value(Value::Node(node)), index) = (args.get(0), args.int_or(1, 0)?) else { return Err(args.error(0, "a node")) };
            let (node, index) = (*node, index as usize);
            Box::new(move |v, _| match v.slot(node) {
                Slot::Tensors(tensors) => {
                    let tensor = tensors.get(index).ok_or_else(|| TchError::Kind(format!("{} tensors, no {index}", tensors.len())))?;
                    Ok(Slot::Tensor(tensor.shallow_clone()))
                }
                _ => Err(TchError::Kind("not several tensors".to_owned())),
            })
        }
        "_operator.truediv" => of_floats(args, |a, b| a / b)?,
        "torch.sym_float" => of_float(args, |x| x)?,
        "torch._sym_sqrt" => of_float(args, f64::sqrt)?,
        "_operator.add" if floats => of_floats(args, |a, b| a + b)?,
        "_operator.sub" if floats => of_floats(args, |a, b| a - b)?,
        "_operator.mul" if floats => of_floats(args, |a, b| a * b)?,
        "_operator.pow" if floats => of_floats(args, f64::powf)?,
        "_operator.neg" if floats => of_float(args, |x| -x)?,
        "_operator.neg" => {
            let a = number(args, 0)?;
            Box::new(move |v, _| a.int(v)?.checked_neg().map(Slot::Int).ok_or_else(overflow))
        }
        "torch.sym_int" => {
            let a = number(args, 0)?;
            Box::new(move |v, _| Ok(Slot::Int(a.float(v)?.trunc() as i64)))
        }
        "_operator.add" => arithmetic(args, i64::checked_add)?,
        "_operator.sub" => arithmetic(args, i64::checked_sub)?,
        "_operator.mul" => arithmetic(args, i64::checked_mul)?,
        "_operator.floordiv" => arithmetic(args, floor_division)?,
        "_operator.mod" => arithmetic(args, remainder)?,
        "torch.sym_max" => arithmetic(args, |a, b| Some(a.max(b)))?,
        "torch.sym_min" => arithmetic(args, |a, b| Some(a.min(b)))?,
        "_operator.pow" => arithmetic(args, |a, b| a.checked_pow(u32::try_from(b).ok()?))?,
        "_operator.eq" => comparison(args, i64::eq)?,
        "_operator.ne" => comparison(args, i64::ne)?,
        "_operator.lt" => comparison(args, i64::lt)?,
        "_operator.le" => comparison(args, i64::le)?,
        "_operator.gt" => comparison(args, i64::gt)?,
        "_operator.ge" => comparison(args, i64::ge)?,
        _ => return Ok(None),
    };
    Ok(Some(kernel))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn division_is_pythons() {
        for (a, b, quotient, rest) in [(7, 2, 3, 1), (-7, 2, -4, 1), (7, -2, -4, -1), (-7, -2, 3, -1), (6, 3, 2, 0)] {
            assert_eq!((floor_division(a, b), remainder(a, b)), (Some(quotient), Some(rest)), "{a} / {b}");
        }
        assert_eq!((floor_division(1, 0), remainder(1, 0), floor_division(i64::MIN, -1)), (None, None, None));
    }
}
