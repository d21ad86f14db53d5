//! NaN and infinity.

use serde::{Deserialize, Serialize};

use crate::check::{Check, Maybe};
use crate::evidence::{FirstNonFinite, NonFinite, Parameters, Phase};
use crate::words::{count, number};
use crate::{Finding, Judgement, Remedy, Severity, describe};

describe! {
    /// A value becomes NaN or infinite.
    ///
    /// ## What it looks for
    /// The first input, parameter, node output, loss or gradient that is not finite, in the order of computation, and the
    /// step at which that happens.
    ///
    /// ## Why it matters
    /// NaN spreads: one optimizer step later every parameter is NaN and the model answers one class. Where it first
    /// appears is its cause; the loss, where it is usually noticed, is its last station.
    ///
    /// ## What to do
    /// At the first step: NaN in the data (`torch.isnan(x).any()`), an uninitialised or corrupt weight, or arithmetic without
    /// guard (`log(p)` of 0, `x / x.std()` of a constant image, `sqrt` at 0 in the backward pass): add an epsilon, or use the
    /// fused criterion (`nn.CrossEntropyLoss` on logits). Later, with parameters that have grown: lower the learning rate, or
    /// clip with `nn.utils.clip_grad_norm_`. `torch.autograd.set_detect_anomaly(True)` names the operation in your own loop.
    ///
    /// ## False alarms
    /// Masked attention adds minus infinity on purpose; only values that reach the loss matter then. Steps that a
    /// `GradScaler` skips in mixed precision are not counted.
    ///
    /// ## Reference
    /// pytorch issue 143658 and Lightning issue 17359 ask for the first place. Goodfellow et al. 2016, section 4.1, on overflow.
    NonFiniteValues, "model" / "non-finite-values"
}

/// Limits of [`NonFiniteValues`].
#[derive(Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Size of a parameter from which the training counts as diverged. Ours: trained networks stay below 100.
    pub diverged_parameter: f64,
    /// Growth of the largest parameter from which it does. Ours.
    pub diverged_growth: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { diverged_parameter: 1e4, diverged_growth: 100.0 }
    }
}

fn message(first: &FirstNonFinite, diverged: bool) -> String {
    let node = &first.node;
    if diverged {
        return format!("training diverges: `{node}` is no longer finite at step {}", first.step);
    }
    match first.phase {
        Phase::Input => "the inputs themselves hold NaN or infinity".to_owned(),
        Phase::Parameter => format!("parameter `{node}` holds NaN or infinity before any step"),
        Phase::Forward => format!("`{node}` makes NaN or infinity of finite values"),
        Phase::Loss => "the criterion makes NaN or infinity of finite outputs".to_owned(),
        Phase::Backward => format!("the gradient of `{node}` is not finite although its output is"),
    }
}

impl Check for NonFiniteValues {
    type Needs = (NonFinite, Maybe<Parameters>);
    type Limits = Limits;

    fn judge((values, parameters): (&NonFinite, Option<&Parameters>), limits: &Limits) -> Judgement {
        let Some(first) = &values.first else {
            return Judgement::clear(format!("all values finite over {}", count(values.steps, "step")));
        };
        let sizes = parameters.iter().flat_map(|p| &p.tensors).map(|t| t.min.abs().max(t.max.abs()));
        let (largest, start) = (first.largest_parameter.0, sizes.fold(0.0, f64::max));
        let grown = largest.is_nan() || largest > limits.diverged_parameter || start > 0.0 && largest > limits.diverged_growth * start;
        let diverged = first.step > 0 && grown;
        let at_first = parameters.map(|_| format!(" (at first {})", number(start))).unwrap_or_default();
        let fix = match first.phase {
            _ if diverged => "lower the learning rate, or clip gradients: `nn.utils.clip_grad_norm_(model.parameters(), 1.0)`",
            Phase::Input => "find the samples: `torch.isfinite(x).all()`; guard divisions such as `x / x.std()`",
            Phase::Parameter => "initialise the parameter, or load sound weights",
            Phase::Forward | Phase::Backward => "guard the operation: `torch.log(x + 1e-8)`, `x / (y + 1e-8)`, `sqrt(x + 1e-8)`",
            Phase::Loss => "use the fused criterion: `nn.CrossEntropyLoss` or `nn.BCEWithLogitsLoss` on logits",
        };
        let renew = first.phase == Phase::Parameter && !diverged;
        Finding {
            severity: if diverged { Severity::Warning } else { Severity::Error },
            strength: if diverged { 0.3 } else { 1.0 },
            message: message(first, diverged),
            measured: format!("step {} of {}; largest parameter {}{at_first}", first.step, values.steps, number(largest)),
            fix: fix.to_owned(),
            remedy: renew.then(|| Remedy::Reinitialize { parameters: vec![first.node.clone()] }),
            location: Some(first.location.clone()),
        }
        .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Location;
    use crate::testing::{clears, suspects};

    fn first(step: u64, phase: Phase, largest_parameter: f64) -> NonFinite {
        let location = Location::module("head");
        let (node, operator) = ("log".to_owned(), "aten.log.default".to_owned());
        NonFinite {
            steps: 60,
            first: Some(FirstNonFinite { step, phase, node, operator, location, largest_parameter: largest_parameter.into() }),
        }
    }

    #[test]
    fn arithmetic_is_told_from_divergence() {
        let finding = suspects::<NonFiniteValues>((&first(0, Phase::Forward, 0.3), None));
        assert_eq!((finding.severity, finding.location), (Severity::Error, Some(Location::module("head"))));
        let finding = suspects::<NonFiniteValues>((&first(7, Phase::Forward, 3e8), None));
        assert_eq!(finding.severity, Severity::Warning);
        assert!(finding.fix.contains("learning rate"));
        assert_eq!(suspects::<NonFiniteValues>((&first(7, Phase::Backward, 0.3), None)).severity, Severity::Error);
    }

    #[test]
    fn a_parameter_that_is_not_finite_at_first_can_be_renewed() {
        let finding = suspects::<NonFiniteValues>((&first(0, Phase::Parameter, f64::NAN), None));
        assert_eq!(finding.remedy, Some(Remedy::Reinitialize { parameters: vec!["log".to_owned()] }));
    }

    #[test]
    fn finite_values_are_clear() {
        clears::<NonFiniteValues>((&NonFinite { steps: 60, first: None }, None));
    }
}
