//! Samples that get mixed up within a batch.

use serde::{Deserialize, Serialize};

use crate::check::{Check, Maybe};
use crate::evidence::{BatchMixing, Training};
use crate::progress::learns;
use crate::{Finding, Judgement, Severity, describe};

describe! {
    /// The answer for one sample depends on which others are in its batch.
    ///
    /// ## What it looks for
    /// The model answers for a batch in evaluation mode, and again after all samples but the first were replaced: the first answer must stay as it is. The
    /// first operator after which it does not is named.
    ///
    /// ## Why it matters
    /// A `view` or `reshape` where a `permute` was meant, a `flatten` from dimension 0, a softmax or a mean over the batch: the code runs, the shapes fit,
    /// and each answer is made of pieces of other samples. The labels then belong to nothing, and the loss stays at ln(classes).
    ///
    /// ## What to do
    /// Keep the batch in dimension 0: `x.flatten(1)`, `x.view(x.size(0), -1)`; use `permute` or `transpose` to change the order of dimensions; give reductions
    /// their `dim`.
    ///
    /// ## False alarms
    /// A model that compares the samples of a batch on purpose. Batch norm without running statistics uses the batch in both modes.
    ///
    /// ## Reference
    /// Karpathy 2019, "A Recipe for Training Neural Networks", on using backprop to chart dependencies.
    BatchMixingCheck, "model" / "batch-mixing"
}

/// Limits of [`BatchMixingCheck`]: it has none, any dependence is one.
#[derive(Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {}

impl Check for BatchMixingCheck {
    type Needs = (BatchMixing, Maybe<Training>);
    type Limits = Limits;

    fn judge((mixing, training): (&BatchMixing, Option<&Training>), _: &Limits) -> Judgement {
        if !mixing.mixed {
            return Judgement::clear(format!("one sample's answer stays when the other {} change", mixing.samples.saturating_sub(1)));
        }
        let by = mixing.first.as_ref().map_or_else(String::new, |first| format!(" at `{}`", first.operator));
        Finding {
            severity: if learns(training) { Severity::Warning } else { Severity::Error },
            strength: 1.0,
            message: "the model mixes the samples of a batch: each answer is made of pieces of others".to_owned(),
            measured: format!("one sample's answer changes when the others do, first{by}"),
            fix: "keep the batch in dimension 0: `x.flatten(1)`, `permute` instead of `view`, a `dim` for each reduction".to_owned(),
            remedy: None,
            location: mixing.first.as_ref().map(|first| first.location.clone()),
        }
        .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::MixingNode;
    use crate::testing::{clears, suspects, training};
    use crate::verdict::Location;

    #[test]
    fn a_mixing_operator_is_named_with_its_place() {
        let location = Location { module: String::new(), file: Some("model.py".to_owned()), line: Some(12) };
        let first = Some(MixingNode { operator: "aten.view.default".to_owned(), location: location.clone() });
        let mixing = BatchMixing { samples: 4, mixed: true, first };
        let finding = suspects::<BatchMixingCheck>((&mixing, None));
        assert_eq!((finding.severity, finding.location), (Severity::Error, Some(location)));
        assert!(finding.measured.contains("aten.view.default"));
        let learning = training(&[0.7, 0.4], [[160, 40], [30, 170]]);
        assert_eq!(suspects::<BatchMixingCheck>((&mixing, Some(&learning))).severity, Severity::Warning);
    }

    #[test]
    fn samples_that_stay_apart_are_clear() {
        clears::<BatchMixingCheck>((&BatchMixing { samples: 4, mixed: false, first: None }, None));
    }
}
