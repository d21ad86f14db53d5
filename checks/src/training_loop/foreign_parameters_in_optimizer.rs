//! An optimizer that holds parameters the model no longer has.

use serde::{Deserialize, Serialize};

use super::{Part, severity};
use crate::check::{Check, Maybe};
use crate::evidence::{LoopOptimizer, Training};
use crate::words::names;
use crate::{Finding, Judgement, Remedy, describe};

describe! {
    /// The optimizer holds parameters that are not the model's, instead of some that are.
    ///
    /// ## What it looks for
    /// Tensors in the optimizer that are no parameter of the model, together with parameters of the model that require gradients
    /// and that no optimizer holds.
    ///
    /// ## Why it matters
    /// The optimizer was made before layers were replaced, or before the model was copied or built again. It goes on stepping the old
    /// parameters, which nothing uses, while the new ones keep their first values: a new head stays random.
    ///
    /// ## What to do
    /// Replace layers, wrap and copy the model first, and make the optimizer after that:
    /// `optimizer = optim.SGD(model.parameters(), ...)`.
    ///
    /// ## False alarms
    /// Parameters of the criterion, of a second model or of a learned temperature beside all of the model's pass. So do parts of the
    /// model with `requires_grad` off. With several optimizers those count as held that any of them holds.
    ///
    /// ## Reference
    /// torch.optim asks that a model's parameters remain the same objects from the making of the optimizer on. TrainCheck (OSDI 2025):
    /// every parameter in the optimizer changes after `step()`.
    ForeignParametersInOptimizer, "loop" / "foreign-parameters-in-optimizer"
}

/// [`ForeignParametersInOptimizer`] has none: a tensor is the model's or it is not.
#[derive(Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {}

impl Check for ForeignParametersInOptimizer {
    type Needs = (Part<LoopOptimizer>, Maybe<Training>);
    type Limits = Limits;

    fn judge((optimizer, training): (&LoopOptimizer, Option<&Training>), _: &Limits) -> Judgement {
        let missing: Vec<&str> = optimizer.missing.iter().map(String::as_str).collect();
        let measured = format!(
            "{} of {} tensors in the optimizer are not the model's, which lacks {} there",
            optimizer.foreign,
            optimizer.tensors,
            missing.len()
        );
        if optimizer.foreign == 0 || missing.is_empty() {
            return Judgement::clear(measured);
        }
        Finding {
            severity: severity(training),
            strength: 1.0,
            message: format!("the optimizer steps parameters that the model does not have, and not {}", names(&missing)),
            measured,
            fix: "make the optimizer after the layers are replaced: `optim.SGD(model.parameters(), ...)`".to_owned(),
            remedy: Some(Remedy::TrainAlso { parameters: optimizer.missing.clone() }),
            location: optimizer.location.clone(),
        }
        .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Severity;
    use crate::testing::{clears, sound_loop, suspects, training};

    fn holding(foreign: u64, missing: &[&str]) -> LoopOptimizer {
        let missing = missing.iter().map(|name| (*name).to_owned()).collect();
        LoopOptimizer { missing, foreign, ..sound_loop().optimizer.unwrap() }
    }

    #[test]
    fn an_optimizer_made_before_the_head_was_replaced_is_an_error_with_the_head_to_train() {
        let old = holding(2, &["fc.weight", "fc.bias"]);
        let finding = suspects::<ForeignParametersInOptimizer>((&old, None));
        let head = vec!["fc.weight".to_owned(), "fc.bias".to_owned()];
        assert_eq!((finding.severity, finding.remedy), (Severity::Error, Some(Remedy::TrainAlso { parameters: head })));
        assert!(finding.message.contains("`fc.weight`, `fc.bias`") && finding.location.is_some());
        let learned = training(&[0.7, 0.3], [[180, 20], [20, 180]]);
        assert_eq!(suspects::<ForeignParametersInOptimizer>((&old, Some(&learned))).severity, Severity::Warning);
    }

    #[test]
    fn a_criterions_parameters_beside_all_of_the_models_are_clear() {
        clears::<ForeignParametersInOptimizer>((&holding(1, &[]), None));
        clears::<ForeignParametersInOptimizer>((&holding(0, &["fc.weight"]), None));
        clears::<ForeignParametersInOptimizer>((&holding(0, &[]), None));
    }
}
