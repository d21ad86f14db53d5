//! Operators that draw random numbers while a model trains, and none while it is evaluated.

use super::{Args, GraphError, Kernel, kernel};
use crate::graph::Mode;

pub fn compile(args: Args) -> Result<Option<Kernel>, GraphError> {
    let kernel: Kernel = match args.target() {
        // Whatever the exported constant says, the mode decides.
        "aten.dropout.default" => {
            let (x, p) = (args.tensor(0)?, args.float_or(1, 0.5)?);
            kernel(move |v, mode| if mode == Mode::Train && p > 0.0 { v.get(x).f_dropout(p, true) } else { Ok(v.get(x).shallow_clone()) })
        }
        "aten.dropout_.default" => {
            let (x, p) = (args.tensor(0)?, args.float_or(1, 0.5)?);
            kernel(move |v, mode| {
                let mut x = v.get(x).shallow_clone();
                if mode == Mode::Train && p > 0.0 { x.f_dropout_(p, true) } else { Ok(x) }
            })
        }
        // Stochastic depth draws whether a branch is kept and divides by the probability of that: its mean leaves the branch as it is.
        "aten.bernoulli_.float" => {
            let (x, p) = (args.tensor(0)?, args.float_or(1, 0.5)?);
            kernel(move |v, mode| {
                let mut x = v.get(x).shallow_clone();
                if mode == Mode::Train { x.f_bernoulli_float_(p) } else { x.f_fill_(p) }
            })
        }
        "aten.bernoulli.p" => {
            let (x, p) = (args.tensor(0)?, args.float_or(1, 0.5)?);
            kernel(move |v, mode| if mode == Mode::Train { v.get(x).f_bernoulli_p(p) } else { v.get(x).f_full_like(p) })
        }
        "aten.bernoulli.default" => {
            let x = args.tensor(0)?;
            kernel(move |v, mode| if mode == Mode::Train { v.get(x).f_bernoulli() } else { Ok(v.get(x).shallow_clone()) })
        }
        _ => return Ok(None),
    };
    Ok(Some(kernel))
}
