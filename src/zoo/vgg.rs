//! VGG (Simonyan and Zisserman 2015), as torchvision builds it.

use super::Shape;
use crate::graph::{Builder, Conv, Graph, Value};

/// Channels of the convolutions; 0 is a max pool.
const A: &[i64] = &[64, 0, 128, 0, 256, 256, 0, 512, 512, 0, 512, 512, 0];
const D: &[i64] = &[64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0];

/// VGG-11 (configuration A), without batch norm.
pub fn vgg11(shape: Shape) -> Graph {
    vgg("vgg11", A, false, shape)
}

/// VGG-16 (configuration D), with batch norm.
pub fn vgg16_bn(shape: Shape) -> Graph {
    vgg("vgg16_bn", D, true, shape)
}

fn vgg(name: &str, config: &[i64], batch_norm: bool, shape: Shape) -> Graph {
    let mut b = Builder::new(name);
    let mut x = Value::Input(0);
    let mut input = shape.channels;
    let mut position = 0;
    let mut next = || {
        position += 1;
        format!("features.{}", position - 1)
    };
    for &output in config {
        if output == 0 {
            x = b.max_pool2d(&next(), x, 2, 2, 0);
            continue;
        }
        x = b.conv2d(&next(), x, Conv::new(input, output, 3).padding(1).fan_out());
        if batch_norm {
            x = b.batch_norm(&next(), x, output);
        }
        x = b.relu(&next(), x);
        input = output;
    }
    x = b.adaptive_avg_pool2d("avgpool", x, 7);
    x = b.flatten(x);
    x = b.linear("classifier.0", x, 512 * 7 * 7, 4096, Some(0.01));
    x = b.relu("classifier.1", x);
    x = b.dropout("classifier.2", x, 0.5);
    x = b.linear("classifier.3", x, 4096, 4096, Some(0.01));
    x = b.relu("classifier.4", x);
    x = b.dropout("classifier.5", x, 0.5);
    x = b.linear("classifier.6", x, 4096, shape.outputs, Some(0.01));
    b.finish(x)
}
