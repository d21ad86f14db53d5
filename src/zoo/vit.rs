//! Vision transformer (Dosovitskiy et al. 2021, arXiv:2010.11929), as torchvision builds it.

use super::Shape;
use super::blocks::mlp;
use crate::graph::{Builder, Conv, Fill, Graph, Value, xavier_uniform};

/// The base network of the paper's table 1.
const LAYERS: usize = 12;
const HEADS: i64 = 12;
const WIDTH: i64 = 768;
/// Side of a patch in pixels: that of a picture is a multiple of it.
const PATCH: i64 = 16;
const EPS: f64 = 1e-6;

/// The base network on patches of 16 pixels.
pub fn vit_b_16(shape: Shape) -> Graph {
    let mut b = Builder::new("vit_b_16");
    let token = b.own_parameter("", "class_token", &[1, 1, WIDTH], Fill::Constant(0.0));
    let patches = (shape.size / PATCH) * (shape.size / PATCH);
    let tokens = patches + 1;
    // torchvision cuts it off at 2, which is more than fifty standard deviations away.
    let project = Conv::new(shape.channels, WIDTH, PATCH).stride(PATCH);
    let project = project.drawn(Fill::Normal((1.0 / project.fan_in()).sqrt()));
    let x = b.conv2d("conv_proj", Value::Input(0), project);
    let x = b.reshape("patches", x, &[-1, WIDTH, patches]);
    let x = b.permute("patches", x, &[0, 2, 1]);
    let token = b.expand_to_batch("class_token", token, x);
    let x = b.cat("class_token", &[token, x], 1);
    // As BERT's.
    let positions = b.own_parameter("encoder", "pos_embedding", &[1, tokens, WIDTH], Fill::Normal(0.02));
    let mut x = b.add("encoder", x, positions);
    for layer in 0..LAYERS {
        x = encoder_layer(&mut b, &format!("encoder.layers.encoder_layer_{layer}"), x, tokens);
    }
    x = b.layer_norm("encoder.ln", x, WIDTH, EPS);
    x = b.select("class_token", x, 1, 0);
    x = b.linear_drawn("heads.head", x, [WIDTH, shape.outputs], Fill::Constant(0.0), Some(Fill::Constant(0.0)));
    b.finish(x)
}

fn encoder_layer(b: &mut Builder, path: &str, x: Value, tokens: i64) -> Value {
    let y = b.layer_norm(&format!("{path}.ln_1"), x, WIDTH, EPS);
    let y = b.self_attention(&format!("{path}.self_attention"), y, tokens, WIDTH, HEADS);
    let x = b.add(path, y, x);
    let y = b.layer_norm(&format!("{path}.ln_2"), x, WIDTH, EPS);
    let inner = |position: i64| format!("{path}.mlp.{position}");
    let weight = xavier_uniform(WIDTH, 4 * WIDTH);
    let y = mlp(b, [inner(0), inner(1), inner(3)], y, WIDTH, weight, Fill::Normal(1e-6));
    b.add(path, x, y)
}
