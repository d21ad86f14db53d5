//! Gradients that grow out of bounds.

use serde::{Deserialize, Serialize};

use super::ends;
use crate::check::{Check, Maybe};
use crate::evidence::{Gradients, Training};
use crate::progress::learns;
use crate::stats::beyond;
use crate::words::number;
use crate::{Finding, Judgement, Severity, describe};

describe! {
    /// The gradient is so large that the first steps throw the model off.
    ///
    /// ## What it looks for
    /// The norm of the whole gradient before training and its largest value during training; and a first layer whose
    /// gradient is many times the last one's.
    ///
    /// ## Why it matters
    /// SGD moves by lr * gradient: at a norm of 1000 a rate of 0.01 moves the model ten units, more than all its weights. The loss jumps,
    /// ReLUs die, values overflow to NaN.
    ///
    /// ## What to do
    /// It is a symptom: look for raw 0..255 inputs, weights drawn too large, a learning rate too high or a loss that sums instead of
    /// averaging (`reduction="sum"`) first. `nn.utils.clip_grad_norm_(model.parameters(), 1.0)` limits the damage.
    ///
    /// ## False alarms
    /// Batch norm inflates gradients: a ResNet-50 starts at 160 to 200 (64 pixels, batch 32, measured), which is why 1000 and not
    /// 100 is the limit. Adam divides by the gradient's size; where the training learns it is a note.
    ///
    /// ## Reference
    /// Norm above 1000: guardtower, preflight-ml. First over last above 70: AutoTrainer (Zhang et al. 2021). Pascanu, Mikolov and
    /// Bengio 2013 on clipping.
    ExplodingGradient, "optimisation" / "exploding-gradient"
}

/// Limits of [`ExplodingGradient`].
#[derive(Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Norm of the whole gradient, before training or at any step. guardtower, preflight-ml.
    pub norm: f64,
    /// Norm before training from which it is an error. Ours: a hundred times that; nothing trains from there.
    pub error_norm: f64,
    /// First layer's mean absolute gradient over the last's. AutoTrainer.
    pub ratio: f64,
    /// Norm from which the ratio counts. torch-audit's limit.
    pub ratio_norm: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { norm: 1e3, error_norm: 1e5, ratio: 70.0, ratio_norm: 100.0 }
    }
}

impl Check for ExplodingGradient {
    type Needs = (Gradients, Maybe<Training>);
    type Limits = Limits;

    fn judge((gradients, training): (&Gradients, Option<&Training>), limits: &Limits) -> Judgement {
        let norm = gradients.total_norm.0;
        let later = training.iter().flat_map(|training| &training.runs).flat_map(|run| &run.gradient_norm);
        let later = later.map(|norm| if norm.is_nan() { f64::INFINITY } else { norm.0 }).fold(0.0, f64::max);
        let ratio = ends(gradients).map_or(0.0, |(first, last)| first.mean_abs.0 / last.mean_abs.0);
        let measured = format!("gradient norm {} at first, {} at most; first/last layer {}", number(norm), number(later), number(ratio));
        let signs = [(norm, limits.norm), (later, limits.norm), (if norm > limits.ratio_norm { ratio } else { 0.0 }, limits.ratio)];
        let strength = signs.iter().filter(|(x, limit)| x > limit).map(|(x, limit)| beyond(*x, *limit, 3.0)).reduce(f64::max);
        let strength = if norm.is_nan() { Some(1.0) } else { strength };
        let Some(strength) = strength else {
            return Judgement::clear(measured);
        };
        Finding {
            severity: match () {
                () if learns(training) => Severity::Note,
                () if norm.is_nan() || norm > limits.error_norm => Severity::Error,
                () => Severity::Warning,
            },
            strength,
            message: "the gradient is so large that a step throws the model off".to_owned(),
            measured,
            fix: "look at input scale, initialisation and learning rate; clip: `nn.utils.clip_grad_norm_(params, 1.0)`".to_owned(),
            remedy: None,
            location: None,
        }
        .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Real;
    use crate::testing::{clears, gradient, gradients, suspects, training};

    fn net(norm: f64) -> Gradients {
        Gradients { total_norm: norm.into(), ..gradients(vec![gradient("conv1", 0, 1e-2), gradient("fc", 1, 1e-2)]) }
    }

    #[test]
    fn large_norms_at_first_or_later_are_suspected() {
        assert_eq!(suspects::<ExplodingGradient>((&net(3620.0), None)).severity, Severity::Warning);
        assert_eq!(suspects::<ExplodingGradient>((&net(2e5), None)).severity, Severity::Error);
        let mut later = training(&[0.7, 4.0], [[200, 0], [200, 0]]);
        later.runs[0].gradient_norm.push(Real(2e6));
        suspects::<ExplodingGradient>((&net(2.4), Some(&later)));
        suspects::<ExplodingGradient>((&net(f64::NAN), None));
    }

    #[test]
    fn healthy_norms_are_clear_and_large_ones_that_learn_a_note() {
        clears::<ExplodingGradient>((&net(200.0), None)); // ResNet-50, as measured
        let learning = training(&[0.7, 0.4], [[160, 40], [30, 170]]);
        assert_eq!(suspects::<ExplodingGradient>((&net(3620.0), Some(&learning))).severity, Severity::Note);
    }
}
