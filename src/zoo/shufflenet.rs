//! `ShuffleNet` V2 (Ma et al. 2018, arXiv:1807.11164), as torchvision builds it.

use super::Shape;
use crate::graph::{Builder, Conv, Graph, Value};

/// Output channels and units of each stage at width 1: the paper's table 5.
const STAGES: [(i64, i64); 3] = [(116, 4), (232, 8), (464, 4)];

/// `ShuffleNet` V2 of width 1.
pub fn shufflenet_v2_x1_0(shape: Shape) -> Graph {
    let mut b = Builder::new("shufflenet_v2_x1_0");
    let mut input = 24;
    let x = conv_norm_relu(&mut b, "conv1", 0, Value::Input(0), Conv::new(shape.channels, input, 3).stride(2).padding(1));
    let mut x = b.max_pool2d("maxpool", x, 3, 2, 1);
    for (stage, (output, units)) in STAGES.into_iter().enumerate() {
        for unit in 0..units {
            let path = format!("stage{}.{unit}", stage + 2);
            x = if unit == 0 { down(&mut b, &path, x, input, output / 2) } else { keep(&mut b, &path, x, output / 2) };
        }
        input = output;
    }
    x = conv_norm_relu(&mut b, "conv5", 0, x, Conv::new(input, 1024, 1));
    x = b.mean_of_positions("mean", x);
    x = b.linear("fc", x, 1024, shape.outputs, None);
    b.finish(x)
}

/// A unit that halves the side: both branches see all channels.
fn down(b: &mut Builder, path: &str, x: Value, input: i64, half: i64) -> Value {
    let left = format!("{path}.branch1");
    let y = depthwise_norm(b, &left, 0, x, input, 2);
    let y = conv_norm_relu(b, &left, 2, y, Conv::new(input, half, 1));
    let z = right(b, path, x, input, half, 2);
    shuffled(b, path, [y, z], half)
}

/// A unit that keeps the side: half of the channels pass as they are.
fn keep(b: &mut Builder, path: &str, x: Value, half: i64) -> Value {
    let [y, z] = b.halves(path, x, 1);
    let z = right(b, path, z, half, half, 1);
    shuffled(b, path, [y, z], half)
}

fn right(b: &mut Builder, path: &str, x: Value, input: i64, half: i64, stride: i64) -> Value {
    let path = format!("{path}.branch2");
    let x = conv_norm_relu(b, &path, 0, x, Conv::new(input, half, 1));
    let x = depthwise_norm(b, &path, 3, x, half, stride);
    conv_norm_relu(b, &path, 5, x, Conv::new(half, half, 1))
}

/// Joins two halves and takes their channels in turn.
fn shuffled(b: &mut Builder, path: &str, halves: [Value; 2], half: i64) -> Value {
    let x = b.cat(path, &halves, 1);
    let x = b.unflatten(path, x, 1, &[2, half]);
    let x = b.transpose(path, x, 1, 2);
    b.flatten_dims(path, x, 1, 2)
}

fn conv_norm_relu(b: &mut Builder, path: &str, first: i64, x: Value, conv: Conv) -> Value {
    let x = b.conv2d(&format!("{path}.{first}"), x, conv.no_bias());
    let x = b.batch_norm(&format!("{path}.{}", first + 1), x, conv.output);
    b.relu(&format!("{path}.{}", first + 2), x)
}

fn depthwise_norm(b: &mut Builder, path: &str, first: i64, x: Value, channels: i64, stride: i64) -> Value {
    let conv = Conv::new(channels, channels, 3).stride(stride).padding(1).groups(channels).no_bias();
    let x = b.conv2d(&format!("{path}.{first}"), x, conv);
    b.batch_norm(&format!("{path}.{}", first + 1), x, channels)
}
