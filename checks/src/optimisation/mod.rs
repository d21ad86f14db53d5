//! Faults of the optimisation.

use crate::check::AnyCheck;
use crate::evidence::{Gradients, Job, LearningRateSweep, ParameterGradient, ParameterKind};
use crate::recipe::{OptimizerKind, OptimizerRecipe};

mod excessive_regularization;
mod exploding_gradient;
mod frozen_parameters;
mod gradients_missing;
mod learning_rate_too_high;
mod learning_rate_too_low;
mod optimizer_mismatch;
mod vanishing_gradient;

/// The family's checks.
pub const CHECKS: &[&dyn AnyCheck] = &[
    &gradients_missing::GradientsMissing,
    &frozen_parameters::FrozenParameters,
    &vanishing_gradient::VanishingGradient,
    &exploding_gradient::ExplodingGradient,
    &learning_rate_too_low::LearningRateTooLow,
    &learning_rate_too_high::LearningRateTooHigh,
    &excessive_regularization::ExcessiveRegularization,
    &optimizer_mismatch::OptimizerMismatch,
];

/// Weights of the first and of the last layer that a gradient reaches, where there are two.
fn ends(gradients: &Gradients) -> Option<(&ParameterGradient, &ParameterGradient)> {
    let weights = gradients.parameters.iter().filter(|p| p.kind == ParameterKind::Weight && p.reached);
    let first = weights.clone().min_by_key(|p| p.depth)?;
    let last = weights.max_by_key(|p| p.depth)?;
    (first.depth < last.depth).then_some((first, last))
}

/// The recipe's optimizer with its rates moved so that the base rate is `to`; groups keep their proportion.
fn optimizer_at(job: Option<&Job>, sweep: &LearningRateSweep, to: f64) -> Option<OptimizerRecipe> {
    let optimizer = &job?.recipe.optimizer;
    let factor = to / sweep.current.0;
    let optimizer = if factor.is_finite() { optimizer.scaled(factor) } else { OptimizerRecipe { lr: to, ..optimizer.clone() } };
    (to.is_finite() && to > 0.0).then_some(optimizer)
}

/// The recipe's optimizer without groups and at no less than the rate its users begin with, for when a sweep says nothing.
fn usual_optimizer(job: Option<&Job>) -> Option<OptimizerRecipe> {
    let optimizer = &job?.recipe.optimizer;
    let usual = if optimizer.kind == OptimizerKind::Sgd { 0.01 } else { 1e-3 };
    Some(OptimizerRecipe { lr: optimizer.lr.max(usual), groups: vec![], ..optimizer.clone() })
}
