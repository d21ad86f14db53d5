//! Units that start out equal.

use serde::{Deserialize, Serialize};

use super::{all_zero, with_biases};
use crate::check::Check;
use crate::evidence::{ParameterKind, ParameterStatistics, Parameters};
use crate::words::{count, names};
use crate::{Finding, Judgement, Location, Remedy, Severity, describe};

describe! {
    /// The units of a hidden layer start with equal weights.
    ///
    /// ## What it looks for
    /// Hidden layers in which many rows of the weight (one row a unit) are the same, value for value, before training.
    ///
    /// ## Why it matters
    /// Units with equal incoming and outgoing weights compute the same, get the same gradient and stay equal for ever: a layer
    /// of 512 such units is one unit. The network then learns as little as a network of width one.
    ///
    /// ## What to do
    /// Draw weights at random: `nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")`. Replace `nn.init.constant_` and
    /// `nn.init.ones_` on weights of linear and convolution layers; they are for normalisation layers and biases.
    ///
    /// ## False alarms
    /// The last layer may start constant: its gradient differs by class. Layers that are all zero are judged by
    /// bad-initialization. Dropout breaks the symmetry in time; pruned weights from a file may repeat, and pass unless all rows do.
    ///
    /// ## Reference
    /// Goodfellow, Bengio and Courville, "Deep Learning", 2016, section 8.4: initial parameters must break symmetry.
    SymmetricInitialization, "model" / "symmetric-initialization"
}

/// Limits of [`SymmetricInitialization`].
#[derive(Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Share of different units among a layer's at or below which it counts as symmetric. Ours: random rows never repeat,
    /// but tiny kernels of a quantised file may.
    pub distinct_share: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { distinct_share: 0.5 }
    }
}

impl Check for SymmetricInitialization {
    type Needs = Parameters;
    type Limits = Limits;

    fn judge(parameters: &Parameters, limits: &Limits) -> Judgement {
        let hidden = |t: &&ParameterStatistics| {
            t.kind == ParameterKind::Weight && !t.last && !all_zero(t) && t.shape.first().is_some_and(|units| *units > 1)
        };
        let judged: Vec<_> = parameters.tensors.iter().filter(hidden).collect();
        let units = |t: &ParameterStatistics| t.shape.first().copied().unwrap_or(0).max(1);
        let share = |t: &ParameterStatistics| t.distinct_units.map_or(1.0, |distinct| distinct.min(units(t)) as f64 / units(t) as f64);
        let symmetric = |t: &&ParameterStatistics| match t.distinct_units {
            Some(distinct) if t.from_weights => distinct <= 1,
            Some(_) => share(t) <= limits.distinct_share,
            None => false,
        };
        let faulty: Vec<&ParameterStatistics> = judged.iter().copied().filter(symmetric).collect();
        let Some(worst) = faulty.iter().copied().min_by(|a, b| share(a).total_cmp(&share(b))) else {
            return Judgement::clear(format!("all units differ in {}", count(judged.len() as u64, "hidden layer")));
        };
        let distinct = worst.distinct_units.unwrap_or(0);
        let last = parameters.tensors.iter().filter(|t| t.last && t.kind == ParameterKind::Weight).filter(symmetric);
        let wrong: Vec<_> = faulty.iter().copied().chain(last).collect(); // sound alone, not behind equal units
        Finding {
            severity: Severity::Error,
            strength: 1.0 - (distinct.saturating_sub(1) as f64 / (units(worst) - 1).max(1) as f64).min(1.0),
            message: format!(
                "units of {} start with equal weights, so they learn as one unit",
                names(&faulty.iter().map(|t| t.module.as_str()).collect::<Vec<_>>())
            ),
            measured: format!(
                "{} of {} in the worst layer; {} of {} so",
                count(distinct, "distinct unit"),
                units(worst),
                faulty.len(),
                count(judged.len() as u64, "hidden layer")
            ),
            fix: "draw weights at random: `nn.init.kaiming_normal_(layer.weight)`, not `constant_` or `ones_`".to_owned(),
            remedy: Some(Remedy::Reinitialize { parameters: with_biases(parameters, &wrong) }),
            location: Some(Location::module(&worst.module)),
        }
        .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{clears, suspects, tensor};

    fn net(distinct: u64) -> Parameters {
        let first = ParameterStatistics { distinct_units: Some(distinct), std: 0.0.into(), ..tensor("conv1", 0) };
        let bias = ParameterStatistics { name: "conv1.bias".to_owned(), kind: ParameterKind::Bias, distinct_units: None, ..first.clone() };
        Parameters { from_weights: false, tensors: vec![first, bias, tensor("conv2", 1)] }
    }

    #[test]
    fn equal_units_are_named_with_their_biases() {
        let finding = suspects::<SymmetricInitialization>(&net(1));
        assert_eq!(finding.strength, 1.0);
        let parameters = vec!["conv1.weight".to_owned(), "conv1.bias".to_owned()];
        assert_eq!(finding.remedy, Some(Remedy::Reinitialize { parameters }));
        suspects::<SymmetricInitialization>(&net(8));
    }

    #[test]
    fn random_units_and_a_constant_last_layer_are_clear() {
        clears::<SymmetricInitialization>(&net(16));
        let last = ParameterStatistics { distinct_units: Some(1), last: true, ..tensor("fc", 2) };
        clears::<SymmetricInitialization>(&Parameters { from_weights: false, tensors: vec![tensor("conv1", 0), last] });
    }
}
