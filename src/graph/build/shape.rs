//! What joins, cuts and moves tensors and computes nothing with their values.

use super::Builder;
use crate::graph::{Arg, GETITEM, Output, Value};

impl Builder {
    /// `torch.flatten(x, 1)`.
    pub fn flatten(&mut self, x: Value) -> Value {
        self.flatten_dims("flatten", x, 1, -1)
    }

    /// `torch.flatten(x, first, last)`.
    pub fn flatten_dims(&mut self, module: &str, x: Value, first: i64, last: i64) -> Value {
        self.node(module, "flatten.using_ints", vec![Arg::Value(x), Arg::Int(first), Arg::Int(last)])
    }

    /// `x.unflatten(dim, sizes)`.
    pub fn unflatten(&mut self, module: &str, x: Value, dim: i64, sizes: &[i64]) -> Value {
        self.node(module, "unflatten.int", vec![Arg::Value(x), Arg::Int(dim), Arg::Ints(sizes.to_vec())])
    }

    /// `x.reshape(shape)`; -1 stands for the batch, whose size is not known here.
    pub fn reshape(&mut self, module: &str, x: Value, shape: &[i64]) -> Value {
        self.node(module, "reshape.default", vec![Arg::Value(x), Arg::Ints(shape.to_vec())])
    }

    /// `torch.cat(parts, dim)`.
    pub fn cat(&mut self, module: &str, parts: &[Value], dim: i64) -> Value {
        let parts = Arg::List(parts.iter().copied().map(Arg::Value).collect());
        self.node(module, "cat.default", vec![parts, Arg::Int(dim)])
    }

    /// `x.chunk(2, dim)`.
    pub fn halves(&mut self, module: &str, x: Value, dim: i64) -> [Value; 2] {
        let args = vec![Arg::Value(x), Arg::Int(2), Arg::Int(dim)];
        let halves = self.call(module, "aten.chunk.default", args, Output::Tensors);
        [0, 1].map(|half| self.call(module, GETITEM, vec![Arg::Value(halves), Arg::Int(half)], Output::Tensor))
    }

    /// `x[start:end:step]` along a dimension.
    pub fn slice(&mut self, module: &str, x: Value, dim: i64, [start, end, step]: [i64; 3]) -> Value {
        let args = vec![Arg::Value(x), Arg::Int(dim), Arg::Int(start), Arg::Int(end), Arg::Int(step)];
        self.node(module, "slice.Tensor", args)
    }

    /// `x[index]` along a dimension, which is gone then.
    pub fn select(&mut self, module: &str, x: Value, dim: i64, index: i64) -> Value {
        self.node(module, "select.int", vec![Arg::Value(x), Arg::Int(dim), Arg::Int(index)])
    }

    /// The rows of `table` [R, C] at `index` [K], as [K, C].
    pub fn rows(&mut self, module: &str, table: Value, index: Value) -> Value {
        self.node(module, "index_select.default", vec![Arg::Value(table), Arg::Int(0), Arg::Value(index)])
    }

    /// `x.unsqueeze(dim)`.
    pub fn unsqueeze(&mut self, module: &str, x: Value, dim: i64) -> Value {
        self.node(module, "unsqueeze.default", vec![Arg::Value(x), Arg::Int(dim)])
    }

    /// `x.permute(dims)`.
    pub fn permute(&mut self, module: &str, x: Value, dims: &[i64]) -> Value {
        self.node(module, "permute.default", vec![Arg::Value(x), Arg::Ints(dims.to_vec())])
    }

    /// `x.transpose(a, b)`.
    pub fn transpose(&mut self, module: &str, x: Value, a: i64, b: i64) -> Value {
        self.node(module, "transpose.int", vec![Arg::Value(x), Arg::Int(a), Arg::Int(b)])
    }

    /// `torch.roll(x, (shift, shift), (1, 2))` of pictures [N, H, W, C].
    pub fn roll(&mut self, module: &str, x: Value, shift: i64) -> Value {
        self.node(module, "roll.default", vec![Arg::Value(x), Arg::Ints(vec![shift, shift]), Arg::Ints(vec![1, 2])])
    }

    /// Pictures [N, H, W, C] with rows and columns of zeros below and to the right; none are added where `by` is 0.
    pub fn pad(&mut self, module: &str, x: Value, by: i64) -> Value {
        if by == 0 {
            return x;
        }
        self.node(module, "constant_pad_nd.default", vec![Arg::Value(x), Arg::Ints(vec![0, 0, 0, by, 0, by])])
    }

    /// `x.expand(N, -1, -1)` with the batch size of `like`.
    pub fn expand_to_batch(&mut self, module: &str, x: Value, like: Value) -> Value {
        let batch = self.call(module, "aten.sym_size.int", vec![Arg::Value(like), Arg::Int(0)], Output::Int);
        let sizes = Arg::List(vec![Arg::Value(batch), Arg::Int(-1), Arg::Int(-1)]);
        self.node(module, "expand.default", vec![Arg::Value(x), sizes])
    }

    /// `x.mean([2, 3])` of [N, C, H, W].
    pub fn mean_of_positions(&mut self, module: &str, x: Value) -> Value {
        self.node(module, "mean.dim", vec![Arg::Value(x), Arg::Ints(vec![2, 3])])
    }

    /// A tensor of these integers, which is no part of the model's state.
    pub fn constant(&mut self, module: &str, values: Vec<i64>) -> Value {
        let made = self.node(module, "tensor.default", vec![Arg::Ints(values), Arg::Device]);
        if let Some(node) = self.graph.nodes.last_mut() {
            node.keywords = vec!["data".to_owned(), "device".to_owned()];
        }
        made
    }
}
