//! Operators that change the shape and no value.

use super::{Args, GraphError, Kernel, kernel};

pub fn compile(args: Args) -> Result<Option<Kernel>, GraphError> {
    let kernel: Kernel = match args.target() {
        "aten.flatten.using_ints" => {
            let (x, start, end) = (args.tensor(0)?, args.int_or(1, 0)?, args.int_or(2, -1)?);
            kernel(move |v, _| v.get(x).f_flatten(start, end))
        }
        "aten.permute.default" => {
            let (x, dims) = (args.tensor(0)?, args.ints_or(1, &[])?);
            kernel(move |v, _| v.get(x).f_permute(&dims))
        }
        "aten.transpose.int" => {
            let (x, a, b) = (args.tensor(0)?, args.int_or(1, 0)?, args.int_or(2, 1)?);
            kernel(move |v, _| v.get(x).f_transpose(a, b))
        }
        _ => return Ok(None),
    };
    Ok(Some(kernel))
}
