//! Layer norm and attention (Ba et al. 2016, arXiv:1607.06450; Vaswani et al. 2017, arXiv:1706.03762).

use nanprobe_checks::evidence::ParameterKind;

use super::Builder;
use crate::graph::{Arg, Fill, Value};

/// Glorot and Bengio 2010: `nn.init.xavier_uniform_` of a weight [output, input].
pub fn xavier_uniform(input: i64, output: i64) -> Fill {
    Fill::Uniform((6.0 / (input + output) as f64).sqrt())
}

impl Builder {
    /// `nn.LayerNorm(width, eps)` over the last dimension.
    pub fn layer_norm(&mut self, module: &str, x: Value, width: i64, eps: f64) -> Value {
        let args = vec![
            Arg::Value(x),
            Arg::Ints(vec![width]),
            self.parameter(module, "weight", &[width], ParameterKind::NormWeight, Fill::Constant(1.0)),
            self.parameter(module, "bias", &[width], ParameterKind::NormBias, Fill::Constant(0.0)),
            Arg::Float(eps),
        ];
        self.node(module, "layer_norm.default", args)
    }

    /// The same over the channels of [N, C, H, W].
    pub fn layer_norm2d(&mut self, module: &str, x: Value, channels: i64, eps: f64) -> Value {
        let x = self.permute(module, x, &[0, 2, 3, 1]);
        let x = self.layer_norm(module, x, channels, eps);
        self.permute(module, x, &[0, 3, 1, 2])
    }

    /// Queries, keys and values, [N, heads, T, width / heads] each, of their common projection [N, T, 3 * width].
    pub fn heads(&mut self, module: &str, projected: Value, tokens: i64, width: i64, heads: i64) -> [Value; 3] {
        let x = self.reshape(module, projected, &[-1, tokens, 3, heads, width / heads]);
        let x = self.permute(module, x, &[2, 0, 3, 1, 4]);
        [0, 1, 2].map(|which| self.select(module, x, 0, which))
    }

    /// `nn.MultiheadAttention(width, heads, batch_first=True)` of x [N, T, width] with itself, with torch.nn's own initialisation.
    pub fn self_attention(&mut self, module: &str, x: Value, tokens: i64, width: i64, heads: i64) -> Value {
        let weight = self.parameter(module, "in_proj_weight", &[3 * width, width], ParameterKind::Weight, xavier_uniform(width, 3 * width));
        let bias = self.parameter(module, "in_proj_bias", &[3 * width], ParameterKind::Bias, Fill::Constant(0.0));
        let projected = self.node(module, "linear.default", vec![Arg::Value(x), weight, bias]);
        let attending = self.heads(module, projected, tokens, width, heads).map(Arg::Value).to_vec();
        let x = self.node(module, "scaled_dot_product_attention.default", attending);
        let x = self.transpose(module, x, 1, 2);
        let x = self.reshape(module, x, &[-1, tokens, width]);
        let drawn = Fill::Uniform(1.0 / (width as f64).sqrt());
        self.linear_drawn(&format!("{module}.out_proj"), x, [width, width], drawn, Some(Fill::Constant(0.0)))
    }

    /// `a @ b`.
    pub fn matmul(&mut self, module: &str, a: Value, b: Value) -> Value {
        self.node(module, "matmul.default", vec![Arg::Value(a), Arg::Value(b)])
    }

    /// `x.softmax(-1)`.
    pub fn softmax(&mut self, module: &str, x: Value) -> Value {
        self.node(module, "softmax.int", vec![Arg::Value(x), Arg::Int(-1)])
    }

    /// `nn.Embedding` of token ids [N, ...] of `dimensions` dimensions, averaged over all positions: [N, width].
    pub fn mean_embedding(&mut self, module: &str, ids: Value, dimensions: usize, [vocabulary, width]: [i64; 2]) -> Value {
        let weight = self.parameter(module, "weight", &[vocabulary, width], ParameterKind::Other, Fill::Normal(1.0));
        let embedded = self.node(module, "embedding.default", vec![weight, Arg::Value(ids)]);
        let positions: Vec<i64> = (1..dimensions as i64).collect();
        if positions.is_empty() { embedded } else { self.node(module, "mean.dim", vec![Arg::Value(embedded), Arg::Ints(positions)]) }
    }
}
