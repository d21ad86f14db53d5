//! Small networks of the kind first projects begin with, with torch.nn's own initialisation
//! and no normalisation layer.

use super::Shape;
use crate::graph::{Builder, Conv, Graph, Value};

/// LeNet-5 (LeCun et al. 1998) with ReLU and max pooling.
pub fn lenet(shape: Shape) -> Graph {
    // MNIST's 28 pixels are padded to the 32 that the paper uses.
    let padding = if shape.size == 28 { 2 } else { 0 };
    let side = ((shape.size + 2 * padding - 4) / 2 - 4) / 2;
    let mut b = Builder::new("lenet");
    let x = b.conv2d("conv1", Value::Input(0), Conv::new(shape.channels, 6, 5).padding(padding));
    let x = b.relu("relu1", x);
    let x = b.max_pool2d("pool1", x, 2, 2, 0);
    let x = b.conv2d("conv2", x, Conv::new(6, 16, 5));
    let x = b.relu("relu2", x);
    let x = b.max_pool2d("pool2", x, 2, 2, 0);
    let x = b.flatten(x);
    let x = b.linear("fc1", x, 16 * side * side, 120, None);
    let x = b.relu("relu3", x);
    let x = b.linear("fc2", x, 120, 84, None);
    let x = b.relu("relu4", x);
    let x = b.linear("fc3", x, 84, shape.outputs, None);
    b.finish(x)
}

/// Two convolutions and two linear layers; `small-cnn-bn` has batch norm behind each convolution.
pub fn small_cnn(name: &str, shape: Shape) -> Graph {
    let norm = name.ends_with("-bn");
    let side = shape.size / 2 / 2;
    let mut b = Builder::new(name);
    let mut x = Value::Input(0);
    for (position, (input, width)) in [(shape.channels, 16), (16, 32)].into_iter().enumerate() {
        let layer = |kind: &str| format!("{kind}{}", position + 1);
        x = b.conv2d(&layer("conv"), x, Conv::new(input, width, 3).padding(1));
        if norm {
            x = b.batch_norm(&layer("bn"), x, width);
        }
        x = b.relu(&layer("relu"), x);
        x = b.max_pool2d(&layer("pool"), x, 2, 2, 0);
    }
    let x = b.flatten(x);
    let x = b.linear("fc1", x, 32 * side * side, 64, None);
    let x = b.relu("relu3", x);
    let x = b.linear("fc2", x, 64, shape.outputs, None);
    b.finish(x)
}

/// Three linear layers; `sigmoid-mlp` is the network of the textbooks before ReLU, whose sigmoids saturate where its weights
/// are large.
pub fn mlp(name: &str, shape: Shape) -> Graph {
    let mut b = Builder::new(name);
    let mut x = b.flatten(Value::Input(0));
    let mut input = shape.channels * shape.size * shape.size;
    for (position, width) in [(1, 256), (2, 64)] {
        x = b.linear(&format!("fc{position}"), x, input, width, None);
        x = if name == "sigmoid-mlp" { b.sigmoid(&format!("sigmoid{position}"), x) } else { b.relu(&format!("relu{position}"), x) };
        input = width;
    }
    let x = b.linear("fc3", x, input, shape.outputs, None);
    b.finish(x)
}
