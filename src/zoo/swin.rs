//! Swin transformer (Liu et al. 2021, arXiv:2103.14030), as torchvision builds it.

use super::Shape;
use super::blocks::mlp;
use crate::graph::{Builder, Conv, Fill, Graph, Value};

/// Blocks and attention heads of each stage of the tiny network.
const STAGES: [(i64, i64); 4] = [(2, 3), (2, 6), (6, 12), (2, 24)];
/// Channels of the first stage; each further one has twice as many.
const WIDTH: i64 = 96;
/// Side of a patch in pixels.
const PATCH: i64 = 4;
/// Side of a window in patches, and what every other block's windows are shifted by.
const WINDOW: i64 = 7;
const SHIFT: i64 = WINDOW / 2;
const TOKENS: i64 = WINDOW * WINDOW;
/// Probability by which the last block's branches are dropped; it grows from 0 with the depth.
const STOCHASTIC_DEPTH: f64 = 0.2;
const EPS: f64 = 1e-5;
/// What keeps patches apart that the shift brought into one window.
const APART: f64 = -100.0;
/// torchvision cuts it off at 2, which is a hundred standard deviations away.
const DRAWN: Fill = Fill::Normal(0.02);
const ZERO: Option<Fill> = Some(Fill::Constant(0.0));

/// Swin transformer, tiny.
pub fn swin_t(shape: Shape) -> Graph {
    let mut b = Builder::new("swin_t");
    let x = b.conv2d("features.0.0", Value::Input(0), Conv::new(shape.channels, WIDTH, PATCH).stride(PATCH));
    let x = b.permute("features.0.1", x, &[0, 2, 3, 1]);
    let mut x = b.layer_norm("features.0.2", x, WIDTH, EPS);
    let mut stage = Stage::new(shape.size / PATCH, WIDTH);
    let total: i64 = STAGES.iter().map(|stage| stage.0).sum();
    let mut before: i64 = 0;
    for (index, (blocks, heads)) in STAGES.into_iter().enumerate() {
        if index > 0 {
            x = stage.merge(&mut b, &format!("features.{}", 2 * index), x);
            stage = Stage::new((stage.side + 1) / 2, 2 * stage.width);
        }
        for block in 0..blocks {
            let dropped = STOCHASTIC_DEPTH * before as f64 / (total - 1) as f64;
            x = stage.block(&mut b, &format!("features.{}.{block}", 2 * index + 1), x, heads, block % 2 == 1, dropped);
            before += 1;
        }
    }
    x = b.layer_norm("norm", x, stage.width, EPS);
    x = b.permute("permute", x, &[0, 3, 1, 2]);
    x = b.adaptive_avg_pool2d("avgpool", x, 1);
    x = b.flatten(x);
    x = b.linear_drawn("head", x, [stage.width, shape.outputs], DRAWN, ZERO);
    b.finish(x)
}

/// What a stage's blocks have in common: they map [N, side, side, width] to the same shape.
struct Stage {
    side: i64,
    /// Side of whole windows.
    padded: i64,
    width: i64,
}

impl Stage {
    fn new(side: i64, width: i64) -> Self {
        Self { side, padded: (side + WINDOW - 1) / WINDOW * WINDOW, width }
    }

    /// Four neighbours become one, [N, side / 2, side / 2, 2 * width].
    fn merge(&self, b: &mut Builder, path: &str, x: Value) -> Value {
        let even = self.side + self.side % 2;
        let x = b.pad(path, x, even - self.side);
        let parts = [(0, 0), (1, 0), (0, 1), (1, 1)].map(|(row, column)| {
            let rows = b.slice(path, x, 1, [row, even, 2]);
            b.slice(path, rows, 2, [column, even, 2])
        });
        let x = b.cat(path, &parts, -1);
        let x = b.layer_norm(&format!("{path}.norm"), x, 4 * self.width, EPS);
        b.linear_drawn(&format!("{path}.reduction"), x, [4 * self.width, 2 * self.width], DRAWN, None)
    }

    fn block(&self, b: &mut Builder, path: &str, x: Value, heads: i64, shifted: bool, dropped: f64) -> Value {
        let inner = |part: &str| format!("{path}.{part}");
        let y = b.layer_norm(&inner("norm1"), x, self.width, EPS);
        // A single window has nothing to be shifted to.
        let y = self.attention(b, &inner("attn"), y, heads, if shifted && self.padded > WINDOW { SHIFT } else { 0 });
        let y = b.stochastic_depth(&inner("stochastic_depth"), y, dropped);
        let x = b.add(path, x, y);
        let y = b.layer_norm(&inner("norm2"), x, self.width, EPS);
        let y = mlp(b, [inner("mlp.0"), inner("mlp.1"), inner("mlp.3")], y, self.width, DRAWN, Fill::Constant(0.0));
        let y = b.stochastic_depth(&inner("stochastic_depth"), y, dropped);
        b.add(path, x, y)
    }

    /// Attention within each window.
    fn attention(&self, b: &mut Builder, path: &str, x: Value, heads: i64, shift: i64) -> Value {
        let Self { side, padded, width } = *self;
        let (rows, windows) = (padded / WINDOW, padded / WINDOW * (padded / WINDOW));
        let mut x = b.pad(path, x, padded - side);
        if shift > 0 {
            x = b.roll(path, x, -shift);
        }
        let x = b.reshape(path, x, &[-1, rows, WINDOW, rows, WINDOW, width]);
        let x = b.permute(path, x, &[0, 1, 3, 2, 4, 5]);
        let x = b.reshape(path, x, &[-1, TOKENS, width]);
        let x = b.linear_drawn(&format!("{path}.qkv"), x, [width, 3 * width], DRAWN, ZERO);
        let [query, key, value] = b.heads(path, x, TOKENS, width, heads);
        let query = b.scale(path, query, 1.0 / ((width / heads) as f64).sqrt());
        let key = b.transpose(path, key, -2, -1);
        let scores = b.matmul(path, query, key);
        let bias = position_bias(b, path, heads);
        let mut scores = b.add(path, scores, bias);
        if shift > 0 {
            let mask = self.mask(b, path, shift);
            scores = b.reshape(path, scores, &[-1, windows, heads, TOKENS, TOKENS]);
            scores = b.add(path, scores, mask);
            scores = b.reshape(path, scores, &[-1, heads, TOKENS, TOKENS]);
        }
        let attention = b.softmax(path, scores);
        let x = b.matmul(path, attention, value);
        let x = b.transpose(path, x, 1, 2);
        let x = b.reshape(path, x, &[-1, TOKENS, width]);
        let x = b.linear_drawn(&format!("{path}.proj"), x, [width, width], DRAWN, ZERO);
        let x = b.reshape(path, x, &[-1, rows, rows, WINDOW, WINDOW, width]);
        let x = b.permute(path, x, &[0, 1, 3, 2, 4, 5]);
        let mut x = b.reshape(path, x, &[-1, padded, padded, width]);
        if shift > 0 {
            x = b.roll(path, x, shift);
        }
        if padded > side {
            x = b.slice(path, x, 1, [0, side, 1]);
            x = b.slice(path, x, 2, [0, side, 1]);
        }
        x
    }

    /// What is added to the scores of a shifted block, [windows, 1, tokens, tokens]: patches attend to those of their own region. A picture
    /// has three regions a side: what was not moved into the last window, what was there, and what the shift brought.
    fn mask(&self, b: &mut Builder, path: &str, shift: i64) -> Value {
        let (padded, rows) = (self.padded, self.padded / WINDOW);
        let region = |at: i64| i64::from(at >= padded - WINDOW) + i64::from(at >= padded - shift);
        let down = b.constant(path, (0..padded).map(|at| 3 * region(at)).collect());
        let across = b.constant(path, (0..padded).map(region).collect());
        let down = b.unsqueeze(path, down, 1);
        let regions = b.add(path, down, across);
        let regions = b.reshape(path, regions, &[rows, WINDOW, rows, WINDOW]);
        let regions = b.permute(path, regions, &[0, 2, 1, 3]);
        let regions = b.reshape(path, regions, &[rows * rows, 1, TOKENS]);
        let of_query = b.unsqueeze(path, regions, 3);
        let of_key = b.unsqueeze(path, regions, 2);
        let apart = b.differs(path, of_query, of_key);
        b.scale(path, apart, APART)
    }
}

/// The bias of each pair of patches of a window, [1, heads, tokens, tokens]: by how far apart they are, down and across.
fn position_bias(b: &mut Builder, path: &str, heads: i64) -> Value {
    let span = 2 * WINDOW - 1;
    let table = b.own_parameter(path, "relative_position_bias_table", &[span * span, heads], DRAWN);
    let apart = |query: i64, key: i64| query - key + WINDOW - 1;
    let pairs = (0..TOKENS).flat_map(|query| (0..TOKENS).map(move |key| (query, key)));
    let index = pairs.map(|(query, key)| span * apart(query / WINDOW, key / WINDOW) + apart(query % WINDOW, key % WINDOW));
    let index = b.integers(path, "relative_position_index", index.collect());
    let bias = b.rows(path, table, index);
    let bias = b.reshape(path, bias, &[TOKENS, TOKENS, heads]);
    let bias = b.permute(path, bias, &[2, 0, 1]);
    b.unsqueeze(path, bias, 0)
}
