//! Faults of the model and its parameters.

use crate::check::AnyCheck;
use crate::evidence::{ParameterKind, ParameterStatistics, Parameters};

mod activation_on_logits;
mod bad_initialization;
mod batch_mixing;
mod collapsed_features;
mod dead_first_layer;
mod dead_relu;
mod non_finite_values;
mod saturated_activations;
mod symmetric_initialization;
mod weights_not_loaded;

/// The family's checks.
pub const CHECKS: &[&dyn AnyCheck] = &[
    &weights_not_loaded::WeightsNotLoaded,
    &non_finite_values::NonFiniteValues,
    &batch_mixing::BatchMixingCheck,
    &collapsed_features::CollapsedFeatures,
    &bad_initialization::BadInitialization,
    &symmetric_initialization::SymmetricInitialization,
    &dead_first_layer::DeadFirstLayer,
    &dead_relu::DeadRelu,
    &saturated_activations::SaturatedActivations,
    &activation_on_logits::ActivationOnLogits,
];

/// Names of the weights and biases of the layers that hold these tensors, for a remedy.
fn with_biases(parameters: &Parameters, tensors: &[&ParameterStatistics]) -> Vec<String> {
    let wanted = |p: &&ParameterStatistics| {
        matches!(p.kind, ParameterKind::Bias) && tensors.iter().any(|t| t.module == p.module) || tensors.iter().any(|t| t.name == p.name)
    };
    parameters.tensors.iter().filter(wanted).map(|p| p.name.clone()).collect()
}

/// Names of the tensors at a depth, for a remedy that draws them anew.
fn layer_at(parameters: Option<&Parameters>, depth: u64) -> Option<Vec<String>> {
    let names: Vec<String> = parameters?.tensors.iter().filter(|p| p.depth == depth).map(|p| p.name.clone()).collect();
    (!names.is_empty()).then_some(names)
}

/// Root mean square of a tensor's values.
fn size(t: &ParameterStatistics) -> f64 {
    t.mean.hypot(t.std.0)
}

/// A weight of which every value is zero.
fn all_zero(t: &ParameterStatistics) -> bool {
    t.kind == ParameterKind::Weight && t.min.0 == 0.0 && t.max.0 == 0.0
}

/// Whether a normalisation follows the layer of that weight, which forgives its scale and its bias.
fn normalised(tensors: &[ParameterStatistics], t: &ParameterStatistics) -> bool {
    let behind = tensors.iter().skip_while(|other| other.name != t.name).skip(1);
    let mut behind = behind.take_while(|other| other.kind != ParameterKind::Weight);
    behind.any(|n| n.kind == ParameterKind::NormWeight && n.shape.first() == t.shape.first())
}

/// Smallest and largest size expected of a weight: the architecture's own, or 1/sqrt of fan-in and fan-out (LeCun et al. 1998;
/// He et al. 2015); and whether that is a guess that a normalisation forgives.
fn expected_size(tensors: &[ParameterStatistics], t: &ParameterStatistics) -> Option<(f64, f64, bool)> {
    if let Some(reference) = t.reference_std.filter(|std| std.0 > 0.0) {
        return Some((reference.0, reference.0, false));
    }
    let fan_out = *t.shape.first()? as f64 * t.shape.iter().skip(2).map(|n| *n as f64).product::<f64>();
    let (a, b) = (1.0 / (t.fan_in? as f64).sqrt(), 1.0 / fan_out.sqrt());
    Some((a.min(b), a.max(b), normalised(tensors, t)))
}
