//! Operators that work on each value, or on each row, by itself.

use tch::{TchError, Tensor};

use super::{Arg, Args, GraphError, Kernel, kernel};
use crate::graph::PASS;

/// A function of one tensor.
fn unary(args: Args, f: fn(&Tensor) -> Result<Tensor, TchError>) -> Result<Kernel, GraphError> {
    let x = args.tensor(0)?;
    Ok(kernel(move |v, _| f(v.get(x))))
}

/// A function of two tensors.
fn binary(args: Args, f: fn(&Tensor, &Tensor) -> Result<Tensor, TchError>) -> Result<Kernel, GraphError> {
    let (a, b) = (args.tensor(0)?, args.tensor(1)?);
    Ok(kernel(move |v, _| f(v.get(a), v.get(b))))
}

pub fn compile(args: Args) -> Result<Option<Kernel>, GraphError> {
    let kernel: Kernel = match args.target() {
        "aten.relu.default" => unary(args, Tensor::f_relu)?,
        "aten.relu_.default" => unary(args, |x| x.shallow_clone().f_relu_())?,
        "aten.silu.default" => unary(args, Tensor::f_silu)?,
        "aten.gelu.default" => {
            let x = args.tensor(0)?;
            let approximate = if let Arg::Text(how) = args.get(1) { how.clone() } else { "none".to_owned() };
            kernel(move |v, _| v.get(x).f_gelu(&approximate))
        }
        "aten.sigmoid.default" => unary(args, Tensor::f_sigmoid)?,
        "aten.tanh.default" => unary(args, Tensor::f_tanh)?,
        "aten.detach.default" => unary(args, Tensor::f_detach)?,
        PASS => unary(args, |x| Ok(x.shallow_clone()))?,
        "aten.add.Tensor" => {
            args.left_out(2, &Arg::Int(1))?;
            binary(args, Tensor::f_add)?
        }
        "aten.add_.Tensor" => {
            args.left_out(2, &Arg::Int(1))?;
            binary(args, |a, b| a.shallow_clone().f_add_(b))?
        }
        "aten.mul.Tensor" => binary(args, Tensor::f_mul)?,
        "aten.softmax.int" => {
            args.left_out(2, &Arg::None)?;
            let (x, dim) = (args.tensor(0)?, args.int_or(1, -1)?);
            kernel(move |v, _| v.get(x).f_softmax(dim, None))
        }
        "aten.log_softmax.int" => {
            args.left_out(2, &Arg::None)?;
            let (x, dim) = (args.tensor(0)?, args.int_or(1, -1)?);
            kernel(move |v, _| v.get(x).f_log_softmax(dim, None))
        }
        _ => return Ok(None),
    };
    Ok(Some(kernel))
}
