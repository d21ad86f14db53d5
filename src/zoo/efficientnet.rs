//! `EfficientNet` (Tan and Le 2019, arXiv:1905.11946), as torchvision builds it.

use super::Shape;
use super::blocks::{NORM, SqueezeExcitation, conv_norm};
use crate::graph::{Builder, Conv, Fill, Graph, Value};

/// Expansion, kernel, stride, output channels and blocks of each stage of B0: the paper's table 1.
const STAGES: [(i64, i64, i64, i64, i64); 7] =
    [(1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3), (6, 5, 1, 112, 3), (6, 5, 2, 192, 4), (6, 3, 1, 320, 1)];
/// Probability by which a branch behind the last block would be dropped; it grows from 0 with the depth.
const STOCHASTIC_DEPTH: f64 = 0.2;

/// `EfficientNet` B0.
pub fn efficientnet_b0(shape: Shape) -> Graph {
    let mut b = Builder::new("efficientnet_b0");
    let stem = Conv::new(shape.channels, 32, 3).stride(2).fan_out();
    let mut x = conv_norm(&mut b, "features.0", Value::Input(0), stem, NORM, Some(Builder::silu));
    let mut input = 32;
    let total: i64 = STAGES.iter().map(|stage| stage.4).sum();
    let mut before: i64 = 0;
    for (stage, (expansion, kernel, stride, output, blocks)) in STAGES.into_iter().enumerate() {
        for block in 0..blocks {
            let conv = MbConv { input, expansion, kernel, stride: if block == 0 { stride } else { 1 }, output };
            let dropped = STOCHASTIC_DEPTH * before as f64 / total as f64;
            x = conv.emit(&mut b, &format!("features.{}.{block}", stage + 1), x, dropped);
            input = output;
            before += 1;
        }
    }
    x = conv_norm(&mut b, "features.8", x, Conv::new(input, 4 * input, 1).fan_out(), NORM, Some(Builder::silu));
    x = b.adaptive_avg_pool2d("avgpool", x, 1);
    x = b.flatten(x);
    x = b.dropout("classifier.0", x, 0.2);
    // Drawn by the outputs, not the inputs.
    let drawn = Fill::Uniform(1.0 / (shape.outputs as f64).sqrt());
    x = b.linear_drawn("classifier.1", x, [4 * input, shape.outputs], drawn, Some(Fill::Constant(0.0)));
    b.finish(x)
}

/// An inverted residual with squeeze and excitation.
struct MbConv {
    input: i64,
    expansion: i64,
    kernel: i64,
    stride: i64,
    output: i64,
}

impl MbConv {
    fn emit(&self, b: &mut Builder, path: &str, x: Value, dropped: f64) -> Value {
        let Self { input, expansion, kernel, stride, output } = *self;
        let hidden = input * expansion;
        let mut position = 0;
        let mut next = || {
            position += 1;
            format!("{path}.block.{}", position - 1)
        };
        let mut y = x;
        if hidden != input {
            y = conv_norm(b, &next(), y, Conv::new(input, hidden, 1).fan_out(), NORM, Some(Builder::silu));
        }
        let depthwise = Conv::new(hidden, hidden, kernel).stride(stride).groups(hidden).fan_out();
        y = conv_norm(b, &next(), y, depthwise, NORM, Some(Builder::silu));
        let squeezed = (input / 4).max(1);
        let excite = SqueezeExcitation { channels: hidden, squeezed, activation: Builder::silu, gate: Builder::sigmoid, zero_bias: true };
        y = excite.emit(b, &next(), y);
        y = conv_norm(b, &next(), y, Conv::new(hidden, output, 1).fan_out(), NORM, None);
        if stride != 1 || input != output {
            return y;
        }
        let y = b.stochastic_depth(&format!("{path}.stochastic_depth"), y, dropped);
        b.add(path, y, x)
    }
}
