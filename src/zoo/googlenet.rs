//! `GoogLeNet` (Szegedy et al. 2015, arXiv:1409.4842) with batch norm and without auxiliary classifiers, as torchvision builds it
//! with `aux_logits=False, transform_input=False`. Its 5x5 convolutions are 3x3, as in the weights that torchvision has.

use super::Shape;
use crate::graph::{Builder, Conv, Fill, Graph, Value};

/// An inception module and its channels: 1x1; 3x3 reduced and full; "5x5" reduced and full; behind the pool.
type Inception = (&'static str, [i64; 6]);

/// What stands between the pools: the paper's table 1.
const THIRD: [Inception; 2] = [("inception3a", [64, 96, 128, 16, 32, 32]), ("inception3b", [128, 128, 192, 32, 96, 64])];
const FOURTH: [Inception; 5] = [
    ("inception4a", [192, 96, 208, 16, 48, 64]),
    ("inception4b", [160, 112, 224, 24, 64, 64]),
    ("inception4c", [128, 128, 256, 24, 64, 64]),
    ("inception4d", [112, 144, 288, 32, 64, 64]),
    ("inception4e", [256, 160, 320, 32, 128, 128]),
];
const FIFTH: [Inception; 2] = [("inception5a", [256, 160, 320, 32, 128, 128]), ("inception5b", [384, 192, 384, 48, 128, 128])];

/// torchvision cuts it off at 2, which is two hundred standard deviations away.
const DRAWN: Fill = Fill::Normal(0.01);

/// `GoogLeNet`.
pub fn googlenet(shape: Shape) -> Graph {
    let mut b = Builder::new("googlenet");
    let x = basic(&mut b, "conv1", Value::Input(0), Conv::new(shape.channels, 64, 7).stride(2).padding(3));
    let x = b.max_pool2d_ceil("maxpool1", x, 3, 2, 0);
    let x = basic(&mut b, "conv2", x, Conv::new(64, 64, 1));
    let x = basic(&mut b, "conv3", x, Conv::new(64, 192, 3).padding(1));
    let x = b.max_pool2d_ceil("maxpool2", x, 3, 2, 0);
    let mut channels = 192;
    let x = inceptions(&mut b, x, &mut channels, &THIRD);
    let x = b.max_pool2d_ceil("maxpool3", x, 3, 2, 0);
    let x = inceptions(&mut b, x, &mut channels, &FOURTH);
    let x = b.max_pool2d_ceil("maxpool4", x, 2, 2, 0);
    let x = inceptions(&mut b, x, &mut channels, &FIFTH);
    let x = b.adaptive_avg_pool2d("avgpool", x, 1);
    let x = b.flatten(x);
    let x = b.dropout("dropout", x, 0.2);
    let bias = Fill::Uniform(1.0 / (channels as f64).sqrt());
    let x = b.linear_drawn("fc", x, [channels, shape.outputs], DRAWN, Some(bias));
    b.finish(x)
}

fn basic(b: &mut Builder, path: &str, x: Value, conv: Conv) -> Value {
    let x = b.conv2d(&format!("{path}.conv"), x, conv.no_bias().drawn(DRAWN));
    let x = b.batch_norm_with(&format!("{path}.bn"), x, conv.output, 1e-3, 0.1);
    b.relu(path, x)
}

fn inceptions(b: &mut Builder, mut x: Value, channels: &mut i64, modules: &[Inception]) -> Value {
    for (path, widths) in modules {
        x = inception(b, path, x, *channels, *widths);
        let [narrow, _, middle, _, wide, pooled] = widths;
        *channels = narrow + middle + wide + pooled;
    }
    x
}

fn inception(b: &mut Builder, path: &str, x: Value, input: i64, widths: [i64; 6]) -> Value {
    let [narrow, reduced_middle, middle, reduced_wide, wide, pooled] = widths;
    let inner = |branch: &str| format!("{path}.{branch}");
    let first = basic(b, &inner("branch1"), x, Conv::new(input, narrow, 1));
    let y = basic(b, &inner("branch2.0"), x, Conv::new(input, reduced_middle, 1));
    let second = basic(b, &inner("branch2.1"), y, Conv::new(reduced_middle, middle, 3).padding(1));
    let y = basic(b, &inner("branch3.0"), x, Conv::new(input, reduced_wide, 1));
    let third = basic(b, &inner("branch3.1"), y, Conv::new(reduced_wide, wide, 3).padding(1));
    let y = b.max_pool2d_ceil(&inner("branch4.0"), x, 3, 1, 1);
    let fourth = basic(b, &inner("branch4.1"), y, Conv::new(input, pooled, 1));
    b.cat(path, &[first, second, third, fourth], 1)
}
