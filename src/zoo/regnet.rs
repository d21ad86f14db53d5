//! `RegNet` (Radosavovic et al. 2020, arXiv:2003.13678), as torchvision builds it.

use super::Shape;
use super::blocks::{NORM, SqueezeExcitation, conv_norm};
use crate::graph::{Builder, Conv, Graph, Value};

/// Channels and blocks of each stage of `RegNetY`-400MF: what the paper's rule gives for w_0 = 48, w_a = 27.89, w_m = 2.09.
const STAGES: [(i64, i64); 4] = [(48, 1), (104, 3), (208, 6), (440, 6)];
/// Channels of one group.
const GROUP: i64 = 8;

/// `RegNetY` of 400 million multiplications.
pub fn regnet_y_400mf(shape: Shape) -> Graph {
    let mut b = Builder::new("regnet_y_400mf");
    let mut input = 32;
    let stem = Conv::new(shape.channels, input, 3).stride(2).fan_out();
    let mut x = conv_norm(&mut b, "stem", Value::Input(0), stem, NORM, Some(Builder::relu));
    for (stage, (output, blocks)) in STAGES.into_iter().enumerate() {
        let stage = stage + 1;
        for block in 0..blocks {
            let path = format!("trunk_output.block{stage}.block{stage}-{block}");
            x = bottleneck(&mut b, &path, x, input, output, if block == 0 { 2 } else { 1 });
            input = output;
        }
    }
    x = b.adaptive_avg_pool2d("avgpool", x, 1);
    x = b.flatten(x);
    x = b.linear("fc", x, input, shape.outputs, Some(0.01));
    b.finish(x)
}

fn bottleneck(b: &mut Builder, path: &str, x: Value, input: i64, output: i64, stride: i64) -> Value {
    let inner = |part: &str| format!("{path}.{part}");
    let shortcut = if input != output || stride != 1 {
        conv_norm(b, &inner("proj"), x, Conv::new(input, output, 1).stride(stride).fan_out(), NORM, None)
    } else {
        x
    };
    let y = conv_norm(b, &inner("f.a"), x, Conv::new(input, output, 1).fan_out(), NORM, Some(Builder::relu));
    let grouped = Conv::new(output, output, 3).stride(stride).groups(output / GROUP).fan_out();
    let y = conv_norm(b, &inner("f.b"), y, grouped, NORM, Some(Builder::relu));
    // A quarter of what comes into the block, not of what is squeezed.
    let excite =
        SqueezeExcitation { channels: output, squeezed: input / 4, activation: Builder::relu, gate: Builder::sigmoid, zero_bias: false };
    let y = excite.emit(b, &inner("f.se"), y);
    let y = conv_norm(b, &inner("f.c"), y, Conv::new(output, output, 1).fan_out(), NORM, None);
    let sum = b.add(path, shortcut, y);
    b.relu(&inner("activation"), sum)
}
