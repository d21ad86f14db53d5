//! Weight decay that pulls harder than the loss.

use serde::{Deserialize, Serialize};

use crate::check::{Check, Maybe};
use crate::evidence::{Gradients, Job, ParameterGradient, ParameterKind, Training};
use crate::progress::learns;
use crate::recipe::{OptimizerKind, OptimizerRecipe};
use crate::stats::beyond;
use crate::words::{number, percent};
use crate::{Finding, Judgement, Remedy, Severity, describe};

describe! {
    /// Weight decay pulls the weights to zero faster than the loss moves them.
    ///
    /// ## What it looks for
    /// `optim.SGD`, `Adam` and `RMSprop` add `weight_decay * weight` to the gradient: in how many of the trained weights is that larger than the
    /// loss's own gradient? `optim.AdamW` multiplies each weight by `1 - lr * weight_decay` at each step: by how much has it shrunk after 100?
    ///
    /// ## Why it matters
    /// Weights that shrink faster than they learn go to zero, and with them signal and gradient: the loss settles at ln(classes)
    /// and every input gets the same answer.
    ///
    /// ## What to do
    /// Use 1e-4 with `optim.SGD` or `Adam`, 0.01 with `AdamW`, or none until it learns. Look whether `weight_decay` and `lr`, or `momentum`, were swapped.
    ///
    /// ## False alarms
    /// Where the gradient is tiny for another reason any decay outweighs it, which is why decay below the limit is left alone. A training
    /// that learns gets a note.
    ///
    /// ## Reference
    /// Krogh and Hertz 1991; Loshchilov and Hutter 2019, "Decoupled Weight Decay Regularization". torchvision's reference recipes use 1e-4 to 0.3 (AdamW).
    ExcessiveRegularization, "optimisation" / "excessive-regularization"
}

/// Limits of [`ExcessiveRegularization`].
#[derive(Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Weight decay up to this is left alone where it is added to the gradient. A hundred times torchvision's 1e-4.
    pub added: f64,
    /// Share of the trained weights in which decay outweighs the loss's gradient. Ours.
    pub share: f64,
    /// `lr * weight_decay` of AdamW. Ours: a quarter of every weight is gone in 100 steps; torchvision's largest is 9e-4.
    pub shrink: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { added: 0.01, share: 0.5, shrink: 3e-3 }
    }
}

/// Share of the trained weights in which `decay * weight` is larger than the gradient, by norm.
fn outweighed(gradients: Option<&Gradients>, decay: f64) -> f64 {
    let weights = || gradients.iter().flat_map(|g| &g.parameters).filter(|p| p.trainable && p.kind == ParameterKind::Weight);
    let count = |p: &ParameterGradient| p.count as f64;
    let loses = |p: &&ParameterGradient| decay * p.weight_norm.0 > p.norm.0;
    weights().filter(loses).map(count).sum::<f64>() / weights().map(count).sum::<f64>().max(1.0)
}

impl Check for ExcessiveRegularization {
    type Needs = (Job, Maybe<Gradients>, Maybe<Training>);
    type Limits = Limits;

    fn judge((job, gradients, training): (&Job, Option<&Gradients>, Option<&Training>), limits: &Limits) -> Judgement {
        let optimizer = &job.recipe.optimizer;
        let (decay, usual) = (optimizer.weight_decay, if optimizer.kind == OptimizerKind::AdamW { 0.01 } else { 1e-4 });
        let (beyond_limit, measured) = if optimizer.kind == OptimizerKind::AdamW {
            let shrink = optimizer.lr * decay;
            let left = percent((1.0 - shrink.min(1.0)).powi(100));
            let measured =
                format!("weight decay {} at rate {}: {left} of a weight is left after 100 steps", number(decay), number(optimizer.lr));
            ((shrink > limits.shrink).then(|| beyond(shrink, limits.shrink, 2.0)), measured)
        } else {
            let share = outweighed(gradients, decay);
            let measured = format!("weight decay {} outweighs the gradient in {} of the weights", number(decay), percent(share));
            ((decay > limits.added && share > limits.share).then(|| beyond(decay, limits.added, 2.0)), measured)
        };
        let Some(strength) = beyond_limit else { return Judgement::clear(measured) };
        Finding {
            severity: if learns(training) { Severity::Note } else { Severity::Error },
            strength,
            message: "weight decay pulls the weights to zero faster than the loss moves them".to_owned(),
            measured,
            fix: format!("set `weight_decay={}` in the optimizer", number(usual)),
            remedy: Some(Remedy::Optimizer { to: OptimizerRecipe { weight_decay: usual, ..optimizer.clone() } }),
            location: None,
        }
        .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{clears, gradient, gradients, job, suspects, training};

    fn decayed(kind: OptimizerKind, lr: f64, weight_decay: f64) -> Job {
        let mut job = job();
        job.recipe.optimizer = OptimizerRecipe { kind, lr, weight_decay, ..job.recipe.optimizer };
        job
    }

    #[test]
    fn decay_that_outweighs_the_gradient_is_an_error_with_the_decay_to_use() {
        let weak = gradients(vec![gradient("conv1", 0, 1e-3), gradient("conv2", 1, 1e-3)]);
        let finding = suspects::<ExcessiveRegularization>((&decayed(OptimizerKind::Sgd, 0.05, 1.0), Some(&weak), None));
        assert_eq!(finding.severity, Severity::Error);
        assert!(matches!(finding.remedy, Some(Remedy::Optimizer { to }) if to.weight_decay == 1e-4 && to.lr == 0.05));
        let learning = training(&[0.7, 0.4], [[160, 40], [30, 170]]);
        let finding = suspects::<ExcessiveRegularization>((&decayed(OptimizerKind::Adam, 1e-3, 1.0), Some(&weak), Some(&learning)));
        assert_eq!(finding.severity, Severity::Note);
    }

    #[test]
    fn decoupled_decay_is_judged_by_how_fast_the_weights_shrink() {
        suspects::<ExcessiveRegularization>((&decayed(OptimizerKind::AdamW, 1e-3, 30.0), None, None));
        clears::<ExcessiveRegularization>((&decayed(OptimizerKind::AdamW, 1e-3, 0.3), None, None));
    }

    #[test]
    fn usual_decay_is_clear_however_weak_the_gradient() {
        clears::<ExcessiveRegularization>((&decayed(OptimizerKind::Sgd, 0.05, 1e-4), Some(&gradients(vec![gradient("fc", 0, 0.0)])), None));
    }
}
