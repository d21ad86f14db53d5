//! MobileNet V2 (Sandler et al. 2018), as torchvision builds it.

use super::Shape;
use crate::graph::{Builder, Conv, Graph, Value};

/// Expansion, channels, blocks and stride of each stage: the paper's table 2.
const STAGES: [(i64, i64, usize, i64); 7] =
    [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)];

/// MobileNet V2 of width 1.
pub fn mobilenet_v2(shape: Shape) -> Graph {
    let mut b = Builder::new("mobilenet_v2");
    let mut x = conv_norm_relu6(&mut b, "features.0", Value::Input(0), Conv::new(shape.channels, 32, 3).stride(2).padding(1));
    let mut input = 32;
    let mut position = 1;
    for (expansion, output, blocks, stride) in STAGES {
        for block in 0..blocks {
            let stride = if block == 0 { stride } else { 1 };
            x = inverted_residual(&mut b, &format!("features.{position}"), x, [input, output, expansion, stride]);
            input = output;
            position += 1;
        }
    }
    x = conv_norm_relu6(&mut b, &format!("features.{position}"), x, Conv::new(input, 1280, 1));
    x = b.adaptive_avg_pool2d("avgpool", x, 1);
    x = b.flatten(x);
    x = b.dropout("classifier.0", x, 0.2);
    x = b.linear("classifier.1", x, 1280, shape.outputs, Some(0.01));
    b.finish(x)
}

fn conv_norm_relu6(b: &mut Builder, path: &str, x: Value, conv: Conv) -> Value {
    let x = b.conv2d(&format!("{path}.0"), x, conv.no_bias().fan_out());
    let x = b.batch_norm(&format!("{path}.1"), x, conv.output);
    b.relu6(&format!("{path}.2"), x)
}

fn inverted_residual(b: &mut Builder, path: &str, x: Value, [input, output, expansion, stride]: [i64; 4]) -> Value {
    let hidden = input * expansion;
    let mut y = x;
    let mut position = 0;
    if expansion != 1 {
        y = conv_norm_relu6(b, &format!("{path}.conv.{position}"), y, Conv::new(input, hidden, 1));
        position += 1;
    }
    let depthwise = Conv::new(hidden, hidden, 3).stride(stride).padding(1).groups(hidden);
    y = conv_norm_relu6(b, &format!("{path}.conv.{position}"), y, depthwise);
    y = b.conv2d(&format!("{path}.conv.{}", position + 1), y, Conv::new(hidden, output, 1).no_bias().fan_out());
    y = b.batch_norm(&format!("{path}.conv.{}", position + 2), y, output);
    if stride == 1 && input == output { b.add(path, x, y) } else { y }
}
