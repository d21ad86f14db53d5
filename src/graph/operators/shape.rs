//! Operators that change the shape and no value.

use super::{Args, GraphError, Kernel};

pub fn compile(args: Args) -> Result<Option<Kernel>, GraphError> {
    let kernel: Kernel = match args.target() {
        "aten.flatten.using_ints" => {
            let (x, start, end) = (args.tensor(0)?, args.int_or(1, 0)?, args.int_or(2, -1)?);
            Box::new(move |v, _| v.get(x).f_flatten(start, end))
        }
        _ => return Ok(None),
    };
    Ok(Some(kernel))
}
