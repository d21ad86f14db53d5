//! Residual networks (He et al. 2016), version 1.5 as torchvision builds them: the stride of a
//! bottleneck is in its 3x3 convolution.

use super::Shape;
use crate::graph::{Builder, Conv, Graph, Value};

const WIDTHS: [i64; 4] = [64, 128, 256, 512];

/// ResNets of basic blocks (18, 34).
pub fn basic(name: &str, blocks: [usize; 4], shape: Shape) -> Graph {
    resnet(name, blocks, 1, shape, |b, path, x, input, width, stride| {
        let x = b.conv2d(&format!("{path}.conv1"), x, conv(input, width, 3).stride(stride).padding(1));
        let x = b.batch_norm(&format!("{path}.bn1"), x, width);
        let x = b.relu(&format!("{path}.relu"), x);
        let x = b.conv2d(&format!("{path}.conv2"), x, conv(width, width, 3).padding(1));
        b.batch_norm(&format!("{path}.bn2"), x, width)
    })
}

/// ResNets of bottleneck blocks (50).
pub fn bottleneck(name: &str, blocks: [usize; 4], shape: Shape) -> Graph {
    resnet(name, blocks, 4, shape, |b, path, x, input, width, stride| {
        let x = b.conv2d(&format!("{path}.conv1"), x, conv(input, width, 1));
        let x = b.batch_norm(&format!("{path}.bn1"), x, width);
        let x = b.relu(&format!("{path}.relu"), x);
        let x = b.conv2d(&format!("{path}.conv2"), x, conv(width, width, 3).stride(stride).padding(1));
        let x = b.batch_norm(&format!("{path}.bn2"), x, width);
        let x = b.relu(&format!("{path}.relu"), x);
        let x = b.conv2d(&format!("{path}.conv3"), x, conv(width, 4 * width, 1));
        b.batch_norm(&format!("{path}.bn3"), x, 4 * width)
    })
}

fn conv(input: i64, output: i64, kernel: i64) -> Conv {
    Conv::new(input, output, kernel).no_bias().fan_out()
}

/// The frame all ResNets share; `branch` emits a block's residual branch of `expansion * width` channels.
fn resnet(
    name: &str,
    blocks: [usize; 4],
    expansion: i64,
    shape: Shape,
    branch: impl Fn(&mut Builder, &str, Value, i64, i64, i64) -> Value,
) -> Graph {
    let mut b = Builder::new(name);
    let x = b.conv2d("conv1", Value::Input(0), conv(shape.channels, 64, 7).stride(2).padding(3));
    let x = b.batch_norm("bn1", x, 64);
    let x = b.relu("relu", x);
    let mut x = b.max_pool2d("maxpool", x, 3, 2, 1);
    let mut input = 64;
    for (stage, (width, count)) in WIDTHS.into_iter().zip(blocks).enumerate() {
        for block in 0..count {
            let path = format!("layer{}.{block}", stage + 1);
            let stride = if stage > 0 && block == 0 { 2 } else { 1 };
            let output = expansion * width;
            let residual = branch(&mut b, &path, x, input, width, stride);
            let shortcut = if stride != 1 || input != output {
                let x = b.conv2d(&format!("{path}.downsample.0"), x, conv(input, output, 1).stride(stride));
                b.batch_norm(&format!("{path}.downsample.1"), x, output)
            } else {
                x
            };
            let sum = b.add(&path, residual, shortcut);
            x = b.relu(&format!("{path}.relu"), sum);
            input = output;
        }
    }
    let x = b.adaptive_avg_pool2d("avgpool", x, 1);
    let x = b.flatten(x);
    let x = b.linear("fc", x, input, shape.outputs, None);
    b.finish(x)
}
