//! `SqueezeNet` (Iandola et al. 2016, arXiv:1602.07360) in its authors' version 1.1, as torchvision builds it.

use super::Shape;
use crate::graph::{Builder, Conv, Fill, Graph, Value};

/// Squeezed and expanded channels of the fire module at each position of `features`; a max pool where there is none.
const FEATURES: [Option<(i64, i64)>; 11] = [
    None,
    Some((16, 64)),
    Some((16, 64)),
    None,
    Some((32, 128)),
    Some((32, 128)),
    None,
    Some((48, 192)),
    Some((48, 192)),
    Some((64, 256)),
    Some((64, 256)),
];

/// `SqueezeNet` 1.1.
pub fn squeezenet1_1(shape: Shape) -> Graph {
    let mut b = Builder::new("squeezenet1_1");
    let x = b.conv2d("features.0", Value::Input(0), Conv::new(shape.channels, 64, 3).stride(2).uniform_fan_in());
    let mut x = b.relu("features.1", x);
    let mut channels = 64;
    for (position, fire_module) in FEATURES.into_iter().enumerate() {
        let path = format!("features.{}", position + 2);
        x = match fire_module {
            None => b.max_pool2d_ceil(&path, x, 3, 2, 0),
            Some((squeezed, expanded)) => {
                let x = fire(&mut b, &path, x, channels, squeezed, expanded);
                channels = 2 * expanded;
                x
            }
        };
    }
    x = b.dropout("classifier.0", x, 0.5);
    x = b.conv2d("classifier.1", x, Conv::new(channels, shape.outputs, 1).drawn(Fill::Normal(0.01)));
    x = b.relu("classifier.2", x);
    x = b.adaptive_avg_pool2d("classifier.3", x, 1);
    x = b.flatten(x);
    b.finish(x)
}

fn fire(b: &mut Builder, path: &str, x: Value, channels: i64, squeezed: i64, expanded: i64) -> Value {
    let x = b.conv2d(&format!("{path}.squeeze"), x, Conv::new(channels, squeezed, 1).uniform_fan_in());
    let x = b.relu(&format!("{path}.squeeze_activation"), x);
    let expand = |b: &mut Builder, name: &str, conv: Conv| {
        let x = b.conv2d(&format!("{path}.{name}"), x, conv.uniform_fan_in());
        b.relu(&format!("{path}.{name}_activation"), x)
    };
    let narrow = expand(b, "expand1x1", Conv::new(squeezed, expanded, 1));
    let wide = expand(b, "expand3x3", Conv::new(squeezed, expanded, 3).padding(1));
    b.cat(path, &[narrow, wide], 1)
}
