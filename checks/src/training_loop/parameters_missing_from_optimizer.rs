//! Parameters that were not given to the optimizer.

use serde::{Deserialize, Serialize};

use super::{Part, severity};
use crate::check::{Check, Maybe};
use crate::evidence::{LoopOptimizer, Parameters, Training};
use crate::stats::between;
use crate::words::{names, percent};
use crate::{Finding, Judgement, Remedy, Severity, describe};

describe! {
    /// The optimizer was not given all parameters that are to be trained.
    ///
    /// ## What it looks for
    /// Parameters of the model that require gradients and that no optimizer holds.
    ///
    /// ## Why it matters
    /// They get gradients and never move. `optim.SGD(model.head.parameters())` leaves out the body, a filter by name catches too few, a
    /// second part is forgotten: what is left out stays random, and the rest cannot make up for it.
    ///
    /// ## What to do
    /// `optim.SGD(model.parameters(), ...)`, or every part in a parameter group. What should stay as it is gets
    /// `p.requires_grad_(False)`, which says so and saves its backward pass.
    ///
    /// ## False alarms
    /// Parts that are frozen with `requires_grad` off pass, as do pretrained ones that a weights file gave. A pretrained body left out by
    /// giving the optimizer the head alone looks the same as a forgotten one: the experiment that trains it too decides.
    ///
    /// ## Reference
    /// TrainCheck (OSDI 2025): every parameter in the optimizer changes after `step()`. gradsnitch and torcheck watch for parameters
    /// that never change.
    ParametersMissingFromOptimizer, "loop" / "parameters-missing-from-optimizer"
}

/// Limits of [`ParametersMissingFromOptimizer`].
#[derive(Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Share of the tensors, or of the values, that must be missing for an error. Ours: one layer of twenty.
    pub error_share: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { error_share: 0.05 }
    }
}

impl Check for ParametersMissingFromOptimizer {
    type Needs = (Part<LoopOptimizer>, Maybe<Training>, Maybe<Parameters>);
    type Limits = Limits;

    fn judge((optimizer, training, parameters): (&LoopOptimizer, Option<&Training>, Option<&Parameters>), limits: &Limits) -> Judgement {
        let missing: Vec<&str> = optimizer.missing.iter().map(String::as_str).collect();
        let tensors = missing.len() as f64 / optimizer.model_tensors.max(1) as f64;
        let values = optimizer.missing_values as f64 / optimizer.model_values.max(1) as f64;
        let measured =
            format!("{} of {} tensors are in no optimizer ({} of the values)", missing.len(), optimizer.model_tensors, percent(values));
        let pretrained = |name: &&str| parameters.is_some_and(|p| p.tensors.iter().any(|t| t.name == **name && t.from_weights));
        if missing.is_empty() || optimizer.foreign > 0 || missing.iter().all(pretrained) {
            return Judgement::clear(measured);
        }
        let share = tensors.max(values);
        Finding {
            severity: if share > limits.error_share { severity(training) } else { Severity::Warning },
            strength: between(share, 0.0, 1.0),
            message: format!("{} are not in the optimizer, so they keep their first values", names(&missing)),
            measured,
            fix: "give the optimizer all parameters: `optim.SGD(model.parameters(), ...)`".to_owned(),
            remedy: Some(Remedy::TrainAlso { parameters: optimizer.missing.clone() }),
            location: optimizer.location.clone(),
        }
        .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::ParameterStatistics;
    use crate::testing::{clears, sound_loop, suspects, tensor};

    fn lacking(missing: &[&str], missing_values: u64) -> LoopOptimizer {
        let missing = missing.iter().map(|name| (*name).to_owned()).collect();
        LoopOptimizer { missing, missing_values, ..sound_loop().optimizer.unwrap() }
    }

    #[test]
    fn a_body_that_was_left_out_is_an_error_and_can_be_trained_too() {
        let head_only = lacking(&["layer0.weight", "layer1.weight"], 7000);
        let finding = suspects::<ParametersMissingFromOptimizer>((&head_only, None, None));
        assert_eq!(finding.severity, Severity::Error);
        assert_eq!(finding.remedy, Some(Remedy::TrainAlso { parameters: head_only.missing.clone() }));
        let one_of_many = LoopOptimizer { model_tensors: 160, ..lacking(&["bn.bias"], 16) };
        assert_eq!(suspects::<ParametersMissingFromOptimizer>((&one_of_many, None, None)).severity, Severity::Warning);
    }

    #[test]
    fn a_whole_optimizer_a_pretrained_body_and_replaced_layers_are_clear() {
        clears::<ParametersMissingFromOptimizer>((&lacking(&[], 0), None, None));
        let body = ParameterStatistics { from_weights: true, ..tensor("layer0", 0) };
        let parameters = Parameters { from_weights: true, tensors: vec![body] };
        clears::<ParametersMissingFromOptimizer>((&lacking(&["layer0.weight"], 2304), None, Some(&parameters)));
        let replaced = LoopOptimizer { foreign: 2, ..lacking(&["fc.weight"], 1024) };
        clears::<ParametersMissingFromOptimizer>((&replaced, None, None));
    }
}
