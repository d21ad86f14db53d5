//! Gradients that fade on their way to the first layers.

use serde::{Deserialize, Serialize};

use super::ends;
use crate::check::{Check, Maybe};
use crate::evidence::{Gradients, ParameterKind, Training};
use crate::progress::learns;
use crate::stats::beyond;
use crate::words::number;
use crate::{Finding, Judgement, Location, Severity, describe};

describe! {
    /// The gradient fades before it reaches the first layers.
    ///
    /// ## What it looks for
    /// Before training: a mean absolute gradient in the first layer's weights that is tiny, and a thousand times smaller than in the last
    /// layer's; or a tiny one there, and most layers' as good as zero.
    ///
    /// ## Why it matters
    /// The first layers then keep their random values while the last ones train on what those hand on. With SGD nothing
    /// moves at all; Adam divides by the gradient's size and hides the symptom, not the noise.
    ///
    /// ## What to do
    /// It is a symptom: look for a bad initialisation, saturated sigmoids or dead ReLUs first. In deep plain networks use ReLU for
    /// sigmoid, `nn.init.kaiming_normal_`, `nn.BatchNorm2d` or skip connections.
    ///
    /// ## False alarms
    /// Wide layers and batch norm make small gradients that train well; hence both conditions, and only a note where the
    /// training learns. AlexNet and VGG at PyTorch's own initialisation stay a factor of ten away from the limits. A last layer of zeros, as in
    /// vision transformers, opens with its first update; branches that begin scaled to nothing, as in ConvNeXt, are passed by beside them.
    ///
    /// ## Reference
    /// |g_first|/|g_last| < 1e-3 and |g_first| < 1e-4: AutoTrainer (Zhang et al. 2021). Mean |g| < 1e-7: Amazon SageMaker Debugger,
    /// rule VanishingGradient, and DeepDiagnosis. Glorot and Bengio 2010.
    VanishingGradient, "optimisation" / "vanishing-gradient"
}

/// Limits of [`VanishingGradient`].
#[derive(Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Mean absolute gradient of the first layer over the last's. AutoTrainer.
    pub ratio: f64,
    /// Mean absolute gradient of the first layer below which the ratio counts. AutoTrainer.
    pub first: f64,
    /// Mean absolute gradient that is as good as zero. Amazon SageMaker Debugger and DeepDiagnosis.
    pub nothing: f64,
    /// Share of the layers with nothing. Ours: the larger part.
    pub share: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { ratio: 1e-3, first: 1e-4, nothing: 1e-7, share: 0.5 }
    }
}

impl Check for VanishingGradient {
    type Needs = (Gradients, Maybe<Training>);
    type Limits = Limits;

    fn judge((gradients, training): (&Gradients, Option<&Training>), limits: &Limits) -> Judgement {
        let Some((first, last)) = ends(gradients) else {
            return Judgement::clear("fewer than two layers that a gradient reaches");
        };
        let layers = gradients.parameters.iter().filter(|p| p.kind == ParameterKind::Weight && p.reached);
        let (total, faint) = (layers.clone().count(), layers.filter(|p| p.mean_abs.0 < limits.nothing).count());
        let ratio = first.mean_abs.0 / last.mean_abs.0;
        let measured = format!(
            "mean |gradient| {} in first layer, {} in last; {faint} of {total} below {}",
            number(first.mean_abs.0),
            number(last.mean_abs.0),
            number(limits.nothing)
        );
        // Its own gradient opens it; until then nothing passes, whatever the layers before it are.
        if last.weight_norm.0 == 0.0 && last.mean_abs.0 > 0.0 {
            return Judgement::clear(format!("{measured}; the last layer begins at zero"));
        }
        let tiny = first.mean_abs.0 < limits.first;
        let (fades, mostly) = (ratio < limits.ratio, faint as f64 > limits.share * total as f64);
        if !tiny || !(fades || mostly) {
            return Judgement::clear(measured);
        }
        Finding {
            severity: if learns(training) { Severity::Note } else { Severity::Warning },
            strength: if fades { beyond(ratio, limits.ratio, 4.0) } else { 0.0 }.max(beyond(first.mean_abs.0, limits.first, 8.0)),
            message: "the gradient fades before it reaches the first layers, so they keep their random values".to_owned(),
            measured,
            fix: "use `nn.init.kaiming_normal_`, ReLU for sigmoid, `nn.BatchNorm2d` or skip connections".to_owned(),
            remedy: None,
            location: first.name.rsplit_once('.').map(|(module, _)| Location::module(module)),
        }
        .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{clears, gradient, gradients, suspects, training};

    fn net(means: [f64; 3]) -> Gradients {
        gradients((0..3).map(|i| gradient(&format!("fc{i}"), i as u64, means[i])).collect())
    }

    #[test]
    fn eight_sigmoid_layers_and_zero_gradients_are_suspected() {
        let finding = suspects::<VanishingGradient>((&net([2.4e-9, 1e-5, 7.9e-2]), None)); // as measured on Fashion-MNIST
        assert_eq!((finding.severity, finding.location), (Severity::Warning, Some(Location::module("fc0"))));
        assert_eq!(suspects::<VanishingGradient>((&net([0.0; 3]), None)).strength, 1.0);
        let learning = training(&[0.7, 0.4], [[160, 40], [30, 170]]);
        assert_eq!(suspects::<VanishingGradient>((&net([0.0; 3]), Some(&learning))).severity, Severity::Note);
    }

    #[test]
    fn alexnet_at_its_own_initialisation_is_clear() {
        clears::<VanishingGradient>((&net([4.7e-5, 8.4e-6, 8.4e-4]), None)); // as measured
        clears::<VanishingGradient>((&gradients(vec![]), None));
    }

    #[test]
    fn a_head_of_zeros_and_branches_scaled_to_nothing_are_clear() {
        let mut vit = net([0.0, 0.0, 3.8e-2]); // as measured on Fashion-MNIST, and convnext_tiny too
        vit.parameters[2].weight_norm = 0.0.into();
        clears::<VanishingGradient>((&vit, None));
        clears::<VanishingGradient>((&gradients((0..9).map(|i| gradient("fc", i, if i % 8 == 0 { 5e-2 } else { 1e-9 })).collect()), None));
        vit.parameters[2].mean_abs = 0.0.into(); // all zeros: no layer opens
        suspects::<VanishingGradient>((&vit, None));
    }
}
