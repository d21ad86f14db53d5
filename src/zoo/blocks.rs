//! Blocks that several families share, as in `torchvision.ops.misc`.

use crate::graph::{Activation, Builder, Conv, Fill, Value};

/// Batch norm's constants.
#[derive(Clone, Copy)]
pub struct Norm {
    /// What is added to the variance.
    pub eps: f64,
    /// Weight of a new batch.
    pub momentum: f64,
}

/// torch.nn's.
pub const NORM: Norm = Norm { eps: 1e-5, momentum: 0.1 };

/// `Conv2dNormActivation`: a convolution without bias, batch norm and, where there is one, an activation. Its padding keeps the size at stride 1.
pub fn conv_norm(b: &mut Builder, path: &str, x: Value, conv: Conv, norm: Norm, activation: Option<Activation>) -> Value {
    let conv = conv.no_bias().padding((conv.kernel - 1) / 2);
    let x = b.conv2d(&format!("{path}.0"), x, conv);
    let x = b.batch_norm_with(&format!("{path}.1"), x, conv.output, norm.eps, norm.momentum);
    match activation {
        Some(activation) => activation(b, &format!("{path}.2"), x),
        None => x,
    }
}

/// `SqueezeExcitation` (Hu et al. 2018, arXiv:1709.01507): each channel is multiplied by what a small network makes of all channels' means.
pub struct SqueezeExcitation {
    /// Channels of what it weighs.
    pub channels: i64,
    /// Channels in between.
    pub squeezed: i64,
    /// Behind the first convolution.
    pub activation: Activation,
    /// Behind the second: what the channels are multiplied by.
    pub gate: Activation,
    /// Whether the biases begin at zero, and are not drawn as torch.nn does.
    pub zero_bias: bool,
}

impl SqueezeExcitation {
    /// Emits it.
    pub fn emit(&self, b: &mut Builder, path: &str, x: Value) -> Value {
        let conv = |input, output| {
            let conv = Conv::new(input, output, 1).fan_out();
            if self.zero_bias { conv } else { conv.torch_bias() }
        };
        let y = b.adaptive_avg_pool2d(&format!("{path}.avgpool"), x, 1);
        let y = b.conv2d(&format!("{path}.fc1"), y, conv(self.channels, self.squeezed));
        let y = (self.activation)(b, &format!("{path}.activation"), y);
        let y = b.conv2d(&format!("{path}.fc2"), y, conv(self.squeezed, self.channels));
        let y = (self.gate)(b, &format!("{path}.scale_activation"), y);
        b.mul(path, y, x)
    }
}

/// Two linear layers, at the first and last of three paths, around a GELU: [N, *, width], four times as wide in between.
pub fn mlp(b: &mut Builder, [first, gelu, last]: [String; 3], x: Value, width: i64, weight: Fill, bias: Fill) -> Value {
    let x = b.linear_drawn(&first, x, [width, 4 * width], weight, Some(bias));
    let x = b.gelu(&gelu, x);
    b.linear_drawn(&last, x, [4 * width, width], weight, Some(bias))
}
