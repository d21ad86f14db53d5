//! Layers: convolution, linear, normalisation, pooling.

use super::{Args, GraphError, Kernel, kernel};
use crate::graph::Mode;

pub fn compile(args: Args) -> Result<Option<Kernel>, GraphError> {
    let kernel: Kernel = match args.target() {
        "aten.conv2d.default" => {
            let (x, weight, bias) = (args.tensor(0)?, args.tensor(1)?, args.tensor_or_none(2)?);
            let (stride, padding, dilation) = (args.ints_or(3, &[1, 1])?, args.ints_or(4, &[0, 0])?, args.ints_or(5, &[1, 1])?);
            let groups = args.int_or(6, 1)?;
            kernel(move |v, _| v.get(x).f_conv2d(v.get(weight), bias.map(|b| v.get(b)), &stride, &padding, &dilation, groups))
        }
        "aten.linear.default" => {
            let (x, weight, bias) = (args.tensor(0)?, args.tensor(1)?, args.tensor_or_none(2)?);
            kernel(move |v, _| v.get(x).f_linear(v.get(weight), bias.map(|b| v.get(b))))
        }
        "aten.batch_norm.default" => {
            let x = args.tensor(0)?;
            let [weight, bias] = [args.tensor_or_none(1)?, args.tensor_or_none(2)?];
            let [mean, var] = [args.tensor_or_none(3)?, args.tensor_or_none(4)?];
            // Whether it trains, at 5, is decided as it runs.
            let (momentum, eps) = (args.float_or(6, 0.1)?, args.float_or(7, 1e-5)?);
            kernel(move |v, mode| {
                let [weight, bias, mean, var] = [weight, bias, mean, var].map(|value| value.map(|value| v.get(value)));
                // Without running statistics the batch's own are used in both modes.
                let batch = mode != Mode::Evaluate || mean.is_none();
                let momentum = if mode == Mode::Calibrate { 1.0 } else { momentum };
                v.get(x).f_batch_norm(weight, bias, mean, var, batch, momentum, eps, true)
            })
        }
        "aten.max_pool2d.default" => {
            let x = args.tensor(0)?;
            let kernel = args.ints_or(1, &[2, 2])?;
            let (stride, padding, dilation) = (args.ints_or(2, &kernel)?, args.ints_or(3, &[0, 0])?, args.ints_or(4, &[1, 1])?);
            let ceil = args.bool_or(5, false)?;
            super::kernel(move |v, _| v.get(x).f_max_pool2d(&kernel, &stride, &padding, &dilation, ceil))
        }
        "aten.adaptive_avg_pool2d.default" => {
            let (x, size) = (args.tensor(0)?, args.ints_or(1, &[1, 1])?);
            kernel(move |v, _| v.get(x).f_adaptive_avg_pool2d(&size))
        }
        "aten.layer_norm.default" => {
            let (x, shape) = (args.tensor(0)?, args.ints_or(1, &[])?);
            let [weight, bias] = [args.tensor_or_none(2)?, args.tensor_or_none(3)?];
            let eps = args.float_or(4, 1e-5)?;
            kernel(move |v, _| {
                let [weight, bias] = [weight, bias].map(|value| value.map(|value| v.get(value)));
                v.get(x).f_layer_norm(&shape, weight, bias, eps, true)
            })
        }
        _ => return Ok(None),
    };
    Ok(Some(kernel))
}
