//! Operators that work on each value, or on each row, by itself.

use tch::{TchError, Tensor};

use super::{Args, GraphError, Kernel};

/// A function of one tensor.
fn unary(args: Args, f: fn(&Tensor) -> Result<Tensor, TchError>) -> Result<Kernel, GraphError> {
    let x = args.tensor(0)?;
    Ok(Box::new(move |v, _| f(v.get(x))))
}

/// A function of two tensors.
fn binary(args: Args, f: fn(&Tensor, &Tensor) -> Result<Tensor, TchError>) -> Result<Kernel, GraphError> {
    let (a, b) = (args.tensor(0)?, args.tensor(1)?);
    Ok(Box::new(move |v, _| f(v.get(a), v.get(b))))
}

pub fn compile(args: Args) -> Result<Option<Kernel>, GraphError> {
    let kernel: Kernel = match args.target() {
        "aten.relu.default" => unary(args, Tensor::f_relu)?,
        "aten.sigmoid.default" => unary(args, Tensor::f_sigmoid)?,
        "aten.tanh.default" => unary(args, Tensor::f_tanh)?,
        "aten.detach.default" => unary(args, Tensor::f_detach)?,
        "aten.add.Tensor" => binary(args, Tensor::f_add)?,
        "aten.hardtanh.default" => {
            let (x, low, high) = (args.tensor(0)?, args.float_or(1, -1.0)?, args.float_or(2, 1.0)?);
            Box::new(move |v, _| v.get(x).f_clamp(low, high))
        }
        "aten.softmax.int" => {
            let (x, dim) = (args.tensor(0)?, args.int_or(1, -1)?);
            Box::new(move |v, _| v.get(x).f_softmax(dim, None))
        }
        "aten.log_softmax.int" => {
            let (x, dim) = (args.tensor(0)?, args.int_or(1, -1)?);
            Box::new(move |v, _| v.get(x).f_log_softmax(dim, None))
        }
        _ => return Ok(None),
    };
    Ok(Some(kernel))
}
