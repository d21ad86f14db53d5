//! MobileNet V3 (Howard et al. 2019, arXiv:1905.02244), as torchvision builds it.

use super::Shape;
use super::blocks::{Norm, SqueezeExcitation, conv_norm};
use crate::graph::{Activation, Builder, Conv, Graph, Value};

/// As TensorFlow's slim has it, from which the paper's networks come.
const NORM: Norm = Norm { eps: 1e-3, momentum: 0.01 };

/// One block: the paper's table 2.
struct Block {
    kernel: i64,
    expanded: i64,
    output: i64,
    /// Channels of the squeeze and excitation, where it has one: a quarter of the expanded ones, made divisible by 8.
    squeezed: Option<i64>,
    activation: Activation,
    stride: i64,
}

const fn block(kernel: i64, expanded: i64, output: i64, squeezed: Option<i64>, activation: Activation, stride: i64) -> Block {
    Block { kernel, expanded, output, squeezed, activation, stride }
}

const SMALL: [Block; 11] = [
    block(3, 16, 16, Some(8), Builder::relu, 2),
    block(3, 72, 24, None, Builder::relu, 2),
    block(3, 88, 24, None, Builder::relu, 1),
    block(5, 96, 40, Some(24), Builder::hardswish, 2),
    block(5, 240, 40, Some(64), Builder::hardswish, 1),
    block(5, 240, 40, Some(64), Builder::hardswish, 1),
    block(5, 120, 48, Some(32), Builder::hardswish, 1),
    block(5, 144, 48, Some(40), Builder::hardswish, 1),
    block(5, 288, 96, Some(72), Builder::hardswish, 2),
    block(5, 576, 96, Some(144), Builder::hardswish, 1),
    block(5, 576, 96, Some(144), Builder::hardswish, 1),
];

/// MobileNet V3 small.
pub fn mobilenet_v3_small(shape: Shape) -> Graph {
    let mut b = Builder::new("mobilenet_v3_small");
    let mut input = 16;
    let stem = Conv::new(shape.channels, input, 3).stride(2).fan_out();
    let mut x = conv_norm(&mut b, "features.0", Value::Input(0), stem, NORM, Some(Builder::hardswish));
    for (position, block) in SMALL.iter().enumerate() {
        x = block.emit(&mut b, &format!("features.{}", position + 1), x, input);
        input = block.output;
    }
    let last = format!("features.{}", SMALL.len() + 1);
    x = conv_norm(&mut b, &last, x, Conv::new(input, 6 * input, 1).fan_out(), NORM, Some(Builder::hardswish));
    x = b.adaptive_avg_pool2d("avgpool", x, 1);
    x = b.flatten(x);
    x = b.linear("classifier.0", x, 6 * input, 1024, Some(0.01));
    x = b.hardswish("classifier.1", x);
    x = b.dropout("classifier.2", x, 0.2);
    x = b.linear("classifier.3", x, 1024, shape.outputs, Some(0.01));
    b.finish(x)
}

impl Block {
    fn emit(&self, b: &mut Builder, path: &str, x: Value, input: i64) -> Value {
        let Self { kernel, expanded, output, squeezed, activation, stride } = *self;
        let mut position = 0;
        let mut next = || {
            position += 1;
            format!("{path}.block.{}", position - 1)
        };
        let mut y = x;
        if expanded != input {
            y = conv_norm(b, &next(), y, Conv::new(input, expanded, 1).fan_out(), NORM, Some(activation));
        }
        let depthwise = Conv::new(expanded, expanded, kernel).stride(stride).groups(expanded).fan_out();
        y = conv_norm(b, &next(), y, depthwise, NORM, Some(activation));
        if let Some(squeezed) = squeezed {
            let excite =
                SqueezeExcitation { channels: expanded, squeezed, activation: Builder::relu, gate: Builder::hardsigmoid, zero_bias: true };
            y = excite.emit(b, &next(), y);
        }
        y = conv_norm(b, &next(), y, Conv::new(expanded, output, 1).fan_out(), NORM, None);
        if stride == 1 && input == output { b.add(path, y, x) } else { y }
    }
}
