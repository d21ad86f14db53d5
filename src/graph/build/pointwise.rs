//! Activations, sums and products, and what drops values at random.

use super::Builder;
use crate::graph::{Arg, Output, Value};

/// An activation, by the method that emits it.
pub type Activation = fn(&mut Builder, &str, Value) -> Value;

impl Builder {
    /// `nn.ReLU`.
    pub fn relu(&mut self, module: &str, x: Value) -> Value {
        self.node(module, "relu.default", vec![Arg::Value(x)])
    }

    /// `nn.ReLU6`.
    pub fn relu6(&mut self, module: &str, x: Value) -> Value {
        self.node(module, "hardtanh.default", vec![Arg::Value(x), Arg::Float(0.0), Arg::Float(6.0)])
    }

    /// `nn.Sigmoid`.
    pub fn sigmoid(&mut self, module: &str, x: Value) -> Value {
        self.node(module, "sigmoid.default", vec![Arg::Value(x)])
    }

    /// `nn.SiLU`.
    pub fn silu(&mut self, module: &str, x: Value) -> Value {
        self.node(module, "silu.default", vec![Arg::Value(x)])
    }

    /// `nn.Hardswish`.
    pub fn hardswish(&mut self, module: &str, x: Value) -> Value {
        self.node(module, "hardswish.default", vec![Arg::Value(x)])
    }

    /// `nn.Hardsigmoid`.
    pub fn hardsigmoid(&mut self, module: &str, x: Value) -> Value {
        self.node(module, "hardsigmoid.default", vec![Arg::Value(x)])
    }

    /// `nn.GELU`.
    pub fn gelu(&mut self, module: &str, x: Value) -> Value {
        self.node(module, "gelu.default", vec![Arg::Value(x)])
    }

    /// `a + b`.
    pub fn add(&mut self, module: &str, a: Value, b: Value) -> Value {
        self.node(module, "add.Tensor", vec![Arg::Value(a), Arg::Value(b)])
    }

    /// `a * b`.
    pub fn mul(&mut self, module: &str, a: Value, b: Value) -> Value {
        self.node(module, "mul.Tensor", vec![Arg::Value(a), Arg::Value(b)])
    }

    /// `x * factor`.
    pub fn scale(&mut self, module: &str, x: Value, factor: f64) -> Value {
        self.node(module, "mul.Scalar", vec![Arg::Value(x), Arg::Float(factor)])
    }

    /// `a != b`.
    pub fn differs(&mut self, module: &str, a: Value, b: Value) -> Value {
        self.node(module, "ne.Tensor", vec![Arg::Value(a), Arg::Value(b)])
    }

    /// `nn.Dropout(p)`.
    pub fn dropout(&mut self, module: &str, x: Value, p: f64) -> Value {
        self.node(module, "dropout.default", vec![Arg::Value(x), Arg::Float(p)])
    }

    /// torchvision's `StochasticDepth(p, "row")` of a branch [N, *, *, *], in the operators that it exports to (Huang et al. 2016,
    /// arXiv:1603.09382). Whether a branch is dropped is decided as it runs: none is while the model is evaluated.
    pub fn stochastic_depth(&mut self, module: &str, x: Value, p: f64) -> Value {
        if p == 0.0 {
            return x;
        }
        let kept = 1.0 - p;
        let rows = self.call(module, "aten.sym_size.int", vec![Arg::Value(x), Arg::Int(0)], Output::Int);
        let size = Arg::List(vec![Arg::Value(rows), Arg::Int(1), Arg::Int(1), Arg::Int(1)]);
        let noise = self.node(module, "new_empty.default", vec![Arg::Value(x), size]);
        let noise = self.node(module, "bernoulli_.float", vec![Arg::Value(noise), Arg::Float(kept)]);
        let noise = self.node(module, "div_.Scalar", vec![Arg::Value(noise), Arg::Float(kept)]);
        self.mul(module, x, noise)
    }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind, Tensor, no_grad};

    use super::*;
    use crate::graph::{Mode, Network, edit};

    #[test]
    fn stochastic_depth_drops_rows_while_it_trains_and_none_while_it_is_evaluated() {
        let mut b = Builder::new("branch");
        let x = b.stochastic_depth("depth", Value::Input(0), 0.25);
        let mut graph = b.finish(x);
        let input = Tensor::ones([4000, 2, 1, 1], (Kind::Float, Device::Cpu));
        let run = |graph: &crate::graph::Graph, mode| {
            let network = Network::new(graph.clone(), Device::Cpu).unwrap();
            no_grad(|| network.forward(std::slice::from_ref(&input), mode, None)).unwrap()
        };
        let trained = run(&graph, Mode::Train);
        let dropped = trained.eq(0.0).to_kind(Kind::Double).mean(Kind::Double).double_value(&[]);
        // Three standard deviations of a share of 4,000 draws.
        assert!((dropped - 0.25).abs() < 3.0 * (0.25f64 * 0.75 / 4000.0).sqrt(), "{dropped}");
        assert!((trained.max().double_value(&[]) - 1.0 / 0.75).abs() < 1e-6);
        assert_eq!(trained.select(1, 0), trained.select(1, 1), "a row is dropped as a whole");
        for mode in [Mode::Evaluate, Mode::Calibrate] {
            assert_eq!(run(&graph, mode), input);
        }
        edit::set_stochastic_depth(&mut graph, 0.0);
        assert_eq!(run(&graph, Mode::Train), input);
    }
}
