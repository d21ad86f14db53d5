//! First values on the wrong scale or of one sign.

use serde::{Deserialize, Serialize};

use super::{all_zero, expected_size, normalised, size, with_biases};
use crate::check::{Check, Maybe};
use crate::evidence::{Gradients, ParameterKind, ParameterStatistics, Parameters};
use crate::stats::{between, beyond};
use crate::words::{names, number, percent};
use crate::{Finding, Judgement, Location, Remedy, Severity, describe};

describe! {
    /// Weights or biases start with values that no signal or gradient survives.
    ///
    /// ## What it looks for
    /// Weights of linear and convolution layers that are all zero, nearly all of one sign, or ten times larger or smaller than the
    /// architecture's own initialisation (unknown: than 1/sqrt of fan-in or fan-out); hidden biases that outweigh any input.
    ///
    /// ## Why it matters
    /// Each layer multiplies the signal by about std * sqrt(fan_in), and the gradient likewise: far below 1 both fade, far above they
    /// explode. Weights of one sign make every unit compute nearly the same sum; a bias of -30 before a ReLU switches its unit off for good.
    ///
    /// ## What to do
    /// Leave PyTorch's default, or use `nn.init.kaiming_normal_(w)` (ReLU) or `xavier_uniform_` (tanh). Look into custom `_init_weights`.
    ///
    /// ## False alarms
    /// An all-zero last layer, and all-zero layers that a gradient reaches (the end of a residual branch), are sound practice. Batch norm behind
    /// a layer forgives its scale: without a reference a hundredfold is allowed there, as for weights from a file.
    ///
    /// ## Reference
    /// Glorot and Bengio 2010; He et al. 2015. A ratio of 10 between layers: Amazon SageMaker Debugger, rule PoorWeightInitialization.
    BadInitialization, "model" / "bad-initialization"
}

/// Limits of [`BadInitialization`].
#[derive(Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// How many times larger or smaller than expected. Amazon SageMaker Debugger's ratio.
    pub factor: f64,
    /// Share of one sign. Ours: 64 even draws (fewer are not judged) reach it once in 10^14.
    pub one_sign: f64,
    /// Mean of a hidden layer's biases, relative to its response to standardised inputs. Ours: 5 deviations switch a ReLU off.
    pub bias: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { factor: 10.0, one_sign: 0.95, bias: 5.0 }
    }
}

/// What is wrong with one tensor: strength, message and numbers.
type Fault = (f64, &'static str, String);

fn weight_fault(tensors: &[ParameterStatistics], gradients: Option<&Gradients>, t: &ParameterStatistics, limits: &Limits) -> Option<Fault> {
    if all_zero(t) {
        let alive = gradients.is_some_and(|g| g.parameters.iter().any(|p| p.name == t.name && p.norm.0 > 0.0));
        let wrong = !t.last && !alive && t.reference_std.is_none_or(|std| std.0 != 0.0);
        return wrong.then(|| (1.0, "are all zero, so neither signal nor gradient passes", "every weight is 0".to_owned()));
    }
    let (count, one_sign) = (t.shape.iter().map(|n| *n as f64).product::<f64>(), t.positive_share.max(1.0 - t.positive_share.0));
    if count >= 64.0 && one_sign > limits.one_sign && (1e-6..1.0).contains(&(t.std.0 / t.mean.abs())) {
        let measured = format!("{} of one sign; mean {}, deviation {}", percent(one_sign), number(t.mean.0), number(t.std.0));
        return Some((between(one_sign, limits.one_sign, 1.0), "have one sign, so all units compute nearly the same", measured));
    }
    let (low, high, forgiving) = expected_size(tensors, t)?;
    let factor = limits.factor.powi(if t.from_weights || forgiving { 2 } else { 1 });
    let (ratio, wanted, message) = match size(t) {
        size if size < low => (low / size, low, "are far too small, so signal and gradient fade"),
        size => (size / high, high, "are far too large, so signal and gradient explode"),
    };
    let measured = format!("size {}, expected {} ({} times off)", number(size(t)), number(wanted), number(ratio));
    (count >= 16.0 && ratio > factor).then(|| (beyond(ratio, factor, 1.0), message, measured))
}

fn bias_fault(tensors: &[ParameterStatistics], t: &ParameterStatistics, limits: &Limits) -> Option<Fault> {
    let weight = tensors.iter().find(|w| w.module == t.module && w.kind == ParameterKind::Weight && !normalised(tensors, w))?;
    let response = (size(weight) * (weight.fan_in.unwrap_or(1) as f64).sqrt()).max(1.0);
    let (ratio, measured) = (t.mean.abs() / response, format!("mean bias {}, response about {}", number(t.mean.0), number(response)));
    (ratio > limits.bias).then(|| (beyond(ratio, limits.bias, 1.0), "have biases that outweigh any input", measured))
}

impl Check for BadInitialization {
    type Needs = (Parameters, Maybe<Gradients>);
    type Limits = Limits;

    fn judge((parameters, gradients): (&Parameters, Option<&Gradients>), limits: &Limits) -> Judgement {
        let tensors = &parameters.tensors;
        let fault = |t: &ParameterStatistics, limits: &Limits| match t.kind {
            ParameterKind::Weight => weight_fault(tensors, gradients, t, limits),
            ParameterKind::Bias if !t.last && !t.from_weights => bias_fault(tensors, t, limits),
            _ => None,
        };
        let faults: Vec<(&ParameterStatistics, Fault)> = tensors.iter().filter_map(|t| Some((t, fault(t, limits)?))).collect();
        let Some((worst, (strength, message, measured))) = faults.iter().max_by(|a, b| a.1.0.total_cmp(&b.1.0)) else {
            return Judgement::clear(format!("{} tensors start on the expected scale", tensors.len()));
        };
        let layers: Vec<&str> = faults.iter().map(|(t, _)| t.module.as_str()).collect();
        let near = Limits { factor: limits.factor.sqrt(), ..*limits }; // what is nearly as far off was set likewise
        let wrong = |t: &&ParameterStatistics| layers.contains(&t.module.as_str()) || fault(t, &near).is_some() || t.last && all_zero(t);
        let wrong: Vec<_> = tensors.iter().filter(wrong).collect();
        Finding {
            severity: Severity::Error,
            strength: *strength,
            message: format!("first values of {} {message}", names(&layers)),
            measured: format!("{measured}; {} of {} tensors", faults.len(), tensors.len()),
            fix: "initialise by fan-in: `nn.init.kaiming_normal_(layer.weight, nonlinearity=\"relu\")`, biases zero".to_owned(),
            remedy: Some(Remedy::Reinitialize { parameters: with_biases(parameters, &wrong) }),
            location: Some(Location::module(&worst.module)),
        }
        .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{clears, gradient, gradients, suspects, tensor};

    fn net(edit: impl Fn(&mut ParameterStatistics)) -> Parameters {
        let mut tensors = vec![tensor("conv1", 0), tensor("conv2", 1), tensor("fc", 2)];
        tensors[2].last = true;
        tensors.iter_mut().for_each(edit);
        Parameters { from_weights: false, tensors }
    }

    fn zeroed(module: &'static str) -> Parameters {
        let scale = |t: &ParameterStatistics| if t.module.starts_with(module) { 0.0 } else { 1.0 };
        net(|t| (t.std, t.min, t.max) = ((0.048 * scale(t)).into(), (-scale(t)).into(), scale(t).into()))
    }

    #[test]
    fn zero_tiny_and_one_sided_weights_are_suspected() {
        let Some(Remedy::Reinitialize { parameters }) = suspects::<BadInitialization>((&zeroed(""), None)).remedy else { panic!() };
        assert_eq!(parameters, ["conv1.weight", "conv2.weight", "fc.weight"]);
        suspects::<BadInitialization>((&net(|t| t.std = 1e-3.into()), None));
        suspects::<BadInitialization>((&net(|t| (t.mean, t.std, t.positive_share) = (0.05.into(), 0.029.into(), 1.0.into())), None));
        let bias = ParameterStatistics { kind: ParameterKind::Bias, mean: (-30.0).into(), ..tensor("conv1", 0) };
        suspects::<BadInitialization>((&Parameters { from_weights: false, tensors: vec![tensor("conv1", 0), bias] }, None));
    }

    #[test]
    fn the_architectures_own_values_and_sound_zeros_are_clear() {
        clears::<BadInitialization>((&net(|_| ()), None));
        clears::<BadInitialization>((&zeroed("fc"), None));
        clears::<BadInitialization>((&zeroed("conv2"), Some(&gradients(vec![gradient("conv2", 1, 1e-3)]))));
    }
}
