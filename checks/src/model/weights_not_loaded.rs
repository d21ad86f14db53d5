//! Pretrained weights that never arrived.

use serde::{Deserialize, Serialize};

use crate::check::{Check, Maybe};
use crate::evidence::{Reference, ReferenceTensor, Training};
use crate::progress::learns;
use crate::words::{names, number, percent};
use crate::{Finding, Judgement, Location, Remedy, Severity, describe};

describe! {
    /// The model does not start from the weights it was meant to start from.
    ///
    /// ## What it looks for
    /// Given the weights that were meant (`--reference`): does each of the model's first weights correlate with the file's tensor of the same name?
    /// Fine-tuned weights do, freshly drawn ones do not.
    ///
    /// ## Why it matters
    /// A model that was to be fine-tuned learns nothing if it starts from noise: its learning rate is too low for that, and frozen layers stay noise.
    /// `load_state_dict(..., strict=False)` with keys that all begin with `module.` loads nothing and raises nothing.
    ///
    /// ## What to do
    /// Load them: `model.load_state_dict(torch.load(...))`, and print the missing and unexpected keys that it returns. Load before the optimizer is made, and do not
    /// call an initialisation afterwards.
    ///
    /// ## False alarms
    /// A model trained from scratch on purpose: leave `--reference` out. The experiment starts from the file and shows what it buys.
    ///
    /// ## Reference
    /// Yosinski et al. 2014, "How transferable are features in deep neural networks?".
    WeightsNotLoaded, "model" / "weights-not-loaded"
}

/// Limits of [`WeightsNotLoaded`].
#[derive(Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Correlation below which a weight has nothing of the reference's. Ours: fine-tuned weights keep 0.9 and more, fresh ones of 100 values stay below 0.3.
    pub correlation: f64,
    /// Share of the compared values that may be of that kind. Ours: the head is often new.
    pub share: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { correlation: 0.5, share: 0.5 }
    }
}

impl Check for WeightsNotLoaded {
    type Needs = (Reference, Maybe<Training>);
    type Limits = Limits;

    fn judge((reference, training): (&Reference, Option<&Training>), limits: &Limits) -> Judgement {
        let foreign = |t: &&ReferenceTensor| t.correlation.0 < limits.correlation || t.correlation.0.is_nan();
        let values = |t: &ReferenceTensor| t.count as f64;
        let others: Vec<&ReferenceTensor> = reference.tensors.iter().filter(foreign).collect();
        let share = others.iter().copied().map(values).sum::<f64>() / reference.tensors.iter().map(values).sum::<f64>().max(1.0);
        let Some(first) = others.first().filter(|_| share > limits.share) else {
            let alike = reference.tensors.len() - others.len();
            return Judgement::clear(format!("{alike} of {} weights are the reference's", reference.tensors.len()));
        };
        let measured = format!(
            "{} of {} weights have nothing of the reference's; std {} and {} in the first",
            others.len(),
            reference.tensors.len(),
            number(first.std.0),
            number(first.reference_std.0)
        );
        let list = names(&others.iter().map(|t| t.name.as_str()).collect::<Vec<_>>());
        Finding {
            severity: if learns(training) { Severity::Warning } else { Severity::Error },
            strength: share,
            message: format!("{} of the model's values are not those of the reference: {list}", percent(share)),
            measured,
            fix: "load the weights before the optimizer is made, and print the keys that `load_state_dict` misses".to_owned(),
            remedy: Some(Remedy::LoadWeights { path: reference.path.clone().into() }),
            location: first.name.rsplit_once('.').map(|(module, _)| Location::module(module)),
        }
        .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{clears, suspects, training};

    fn reference(correlations: &[f64]) -> Reference {
        let tensor = |(i, correlation): (usize, &f64)| ReferenceTensor {
            name: format!("conv{i}.weight"),
            count: 100,
            std: 0.02.into(),
            reference_std: 0.13.into(),
            correlation: (*correlation).into(),
        };
        Reference {
            path: "imagenet.safetensors".to_owned(),
            tensors: correlations.iter().enumerate().map(tensor).collect(),
            activations: vec![],
        }
    }

    #[test]
    fn fresh_weights_are_found_and_the_file_is_the_remedy() {
        let finding = suspects::<WeightsNotLoaded>((&reference(&[0.01, -0.02, f64::NAN]), None));
        assert_eq!(finding.severity, Severity::Error);
        assert_eq!(finding.remedy, Some(Remedy::LoadWeights { path: "imagenet.safetensors".into() }));
        let learning = training(&[0.7, 0.4], [[160, 40], [30, 170]]);
        assert_eq!(suspects::<WeightsNotLoaded>((&reference(&[0.01]), Some(&learning))).severity, Severity::Warning);
    }

    #[test]
    fn loaded_or_fine_tuned_weights_with_a_new_head_are_clear() {
        clears::<WeightsNotLoaded>((&reference(&[1.0, 0.93, 0.0]), None));
        clears::<WeightsNotLoaded>((&reference(&[]), None));
    }
}
