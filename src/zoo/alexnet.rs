//! AlexNet in the one-tower form of Krizhevsky 2014, as torchvision builds it.

use super::Shape;
use crate::graph::{Builder, Conv, Graph, Value};

/// AlexNet.
pub fn alexnet(shape: Shape) -> Graph {
    let mut b = Builder::new("alexnet");
    let mut x = Value::Input(0);
    let layers = [
        (0, Conv::new(shape.channels, 64, 11).stride(4).padding(2), true),
        (3, Conv::new(64, 192, 5).padding(2), true),
        (6, Conv::new(192, 384, 3).padding(1), false),
        (8, Conv::new(384, 256, 3).padding(1), false),
        (10, Conv::new(256, 256, 3).padding(1), true),
    ];
    for (position, conv, pool) in layers {
        x = b.conv2d(&format!("features.{position}"), x, conv);
        x = b.relu(&format!("features.{}", position + 1), x);
        if pool {
            x = b.max_pool2d(&format!("features.{}", position + 2), x, 3, 2, 0);
        }
    }
    x = b.adaptive_avg_pool2d("avgpool", x, 6);
    x = b.flatten(x);
    x = b.dropout("classifier.0", x, 0.5);
    x = b.linear("classifier.1", x, 256 * 6 * 6, 4096, None);
    x = b.relu("classifier.2", x);
    x = b.dropout("classifier.3", x, 0.5);
    x = b.linear("classifier.4", x, 4096, 4096, None);
    x = b.relu("classifier.5", x);
    x = b.linear("classifier.6", x, 4096, shape.outputs, None);
    b.finish(x)
}
