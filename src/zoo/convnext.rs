//! `ConvNeXt` (Liu et al. 2022, arXiv:2201.03545), as torchvision builds it.

use super::Shape;
use super::blocks::mlp;
use crate::graph::{Builder, Conv, Fill, Graph, Value};

/// Channels and blocks of each stage of the tiny network.
const STAGES: [(i64, i64); 4] = [(96, 3), (192, 3), (384, 9), (768, 3)];
/// Probability by which the last block's branch is dropped; it grows from 0 with the depth.
const STOCHASTIC_DEPTH: f64 = 0.1;
/// First value of what each channel of a branch is multiplied by (Touvron et al. 2021, arXiv:2103.17239).
const LAYER_SCALE: f64 = 1e-6;
const EPS: f64 = 1e-6;
/// torchvision cuts it off at 2, which is a hundred standard deviations away.
const DRAWN: Fill = Fill::Normal(0.02);

/// `ConvNeXt` tiny.
pub fn convnext_tiny(shape: Shape) -> Graph {
    let mut b = Builder::new("convnext_tiny");
    let mut width = STAGES[0].0;
    let x = b.conv2d("features.0.0", Value::Input(0), Conv::new(shape.channels, width, 4).stride(4).drawn(DRAWN));
    let mut x = b.layer_norm2d("features.0.1", x, width, EPS);
    let total: i64 = STAGES.iter().map(|stage| stage.1).sum();
    let mut before: i64 = 0;
    for (stage, (channels, blocks)) in STAGES.into_iter().enumerate() {
        if stage > 0 {
            let path = format!("features.{}", 2 * stage);
            x = b.layer_norm2d(&format!("{path}.0"), x, width, EPS);
            x = b.conv2d(&format!("{path}.1"), x, Conv::new(width, channels, 2).stride(2).drawn(DRAWN));
        }
        width = channels;
        for block in 0..blocks {
            let dropped = STOCHASTIC_DEPTH * before as f64 / (total - 1) as f64;
            x = cn_block(&mut b, &format!("features.{}.{block}", 2 * stage + 1), x, width, dropped);
            before += 1;
        }
    }
    x = b.adaptive_avg_pool2d("avgpool", x, 1);
    x = b.layer_norm2d("classifier.0", x, width, EPS);
    x = b.flatten(x);
    x = b.linear_drawn("classifier.2", x, [width, shape.outputs], DRAWN, Some(Fill::Constant(0.0)));
    b.finish(x)
}

fn cn_block(b: &mut Builder, path: &str, x: Value, width: i64, dropped: f64) -> Value {
    let scale = b.own_parameter(path, "layer_scale", &[width, 1, 1], Fill::Constant(LAYER_SCALE));
    let inner = |position: i64| format!("{path}.block.{position}");
    let y = b.conv2d(&inner(0), x, Conv::new(width, width, 7).padding(3).groups(width).drawn(DRAWN));
    let y = b.permute(&inner(1), y, &[0, 2, 3, 1]);
    let y = b.layer_norm(&inner(2), y, width, EPS);
    let y = mlp(b, [inner(3), inner(4), inner(5)], y, width, DRAWN, Fill::Constant(0.0));
    let y = b.permute(&inner(6), y, &[0, 3, 1, 2]);
    let y = b.mul(path, scale, y);
    let y = b.stochastic_depth(&format!("{path}.stochastic_depth"), y, dropped);
    b.add(path, y, x)
}
