//! DenseNet (Huang et al. 2017, arXiv:1608.06993), as torchvision builds it.

use super::Shape;
use crate::graph::{Builder, Conv, Fill, Graph, Value};

/// Layers of each dense block of `DenseNet`-121: the paper's table 1.
const BLOCKS: [i64; 4] = [6, 12, 24, 16];
/// Channels that each layer adds.
const GROWTH: i64 = 32;
/// Channels of a layer's bottleneck.
const BOTTLENECK: i64 = 4 * GROWTH;

/// `DenseNet`-121.
pub fn densenet121(shape: Shape) -> Graph {
    let mut b = Builder::new("densenet121");
    let mut channels = 64;
    let x = b.conv2d("features.conv0", Value::Input(0), conv(shape.channels, channels, 7).stride(2).padding(3));
    let x = b.batch_norm("features.norm0", x, channels);
    let x = b.relu("features.relu0", x);
    let mut x = b.max_pool2d("features.pool0", x, 3, 2, 1);
    for (block, layers) in BLOCKS.into_iter().enumerate() {
        let path = format!("features.denseblock{}", block + 1);
        let mut parts = vec![x];
        for layer in 0..layers {
            let new = dense_layer(&mut b, &format!("{path}.denselayer{}", layer + 1), &parts, channels);
            parts.push(new);
            channels += GROWTH;
        }
        x = b.cat(&path, &parts, 1);
        if block + 1 < BLOCKS.len() {
            let path = format!("features.transition{}", block + 1);
            x = b.batch_norm(&format!("{path}.norm"), x, channels);
            x = b.relu(&format!("{path}.relu"), x);
            x = b.conv2d(&format!("{path}.conv"), x, conv(channels, channels / 2, 1));
            x = b.avg_pool2d(&format!("{path}.pool"), x, 2);
            channels /= 2;
        }
    }
    x = b.batch_norm("features.norm5", x, channels);
    x = b.relu("relu", x);
    x = b.adaptive_avg_pool2d("avgpool", x, 1);
    x = b.flatten(x);
    let drawn = Fill::Uniform(1.0 / (channels as f64).sqrt());
    x = b.linear_drawn("classifier", x, [channels, shape.outputs], drawn, Some(Fill::Constant(0.0)));
    b.finish(x)
}

fn conv(input: i64, output: i64, kernel: i64) -> Conv {
    Conv::new(input, output, kernel).no_bias().normal_fan_in()
}

fn dense_layer(b: &mut Builder, path: &str, parts: &[Value], channels: i64) -> Value {
    let x = match parts {
        [only] => *only,
        several => b.cat(path, several, 1),
    };
    let x = b.batch_norm(&format!("{path}.norm1"), x, channels);
    let x = b.relu(&format!("{path}.relu1"), x);
    let x = b.conv2d(&format!("{path}.conv1"), x, conv(channels, BOTTLENECK, 1));
    let x = b.batch_norm(&format!("{path}.norm2"), x, BOTTLENECK);
    let x = b.relu(&format!("{path}.relu2"), x);
    b.conv2d(&format!("{path}.conv2"), x, conv(BOTTLENECK, GROWTH, 3).padding(1))
}
