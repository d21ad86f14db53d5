//! Labels that the model has no output for.

use serde::{Deserialize, Serialize};

use crate::check::Check;
use crate::evidence::LabelRange;
use crate::stats::between;
use crate::words::percent;
use crate::{Finding, Judgement, Severity, describe};

describe! {
    /// Labels name outputs that the model does not have.
    ///
    /// ## What it looks for
    /// Labels below 0 or at or above the number of outputs (for a single output: other than 0 and 1).
    ///
    /// ## Why it matters
    /// On a GPU `nn.CrossEntropyLoss` stops with a device-side assert that names no line; on a CPU with `Target 10 is out of
    /// bounds`. Code that clips, maps or ignores such labels (`ignore_index`) trains on wrong ones instead, or leaves a class out.
    ///
    /// ## What to do
    /// Make labels run from 0 to C-1 (`label -= 1` where they start at 1, a mapping where they have gaps) and give the last layer
    /// C outputs: `nn.Linear(features, C)`.
    ///
    /// ## False alarms
    /// A label reserved for `ignore_index`, such as 255 in segmentation masks, counts as out of range here.
    ///
    /// ## Reference
    /// torch.nn.CrossEntropyLoss: class indices lie in [0, C).
    LabelOutOfRange, "labels" / "label-out-of-range"
}

/// Limits of [`LabelOutOfRange`].
#[derive(Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Share of the labels that may be out of range. None, by the definition of the criterion.
    pub share: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { share: 0.0 }
    }
}

impl Check for LabelOutOfRange {
    type Needs = LabelRange;
    type Limits = Limits;

    fn judge(range: &LabelRange, limits: &Limits) -> Judgement {
        let end = i64::try_from(range.outputs.max(1)).unwrap_or(i64::MAX);
        let end = if range.outputs == 1 { 2 } else { end };
        let share = range.out_of_range as f64 / range.samples.max(1) as f64;
        let measured = format!(
            "labels {}..{}, outputs take 0..{}; {} of {} outside",
            range.min,
            range.max,
            end - 1,
            range.out_of_range,
            range.samples
        );
        if share <= limits.share {
            return Judgement::clear(measured);
        }
        let from_one = range.min == 1 && range.max == end;
        Finding {
            severity: Severity::Error,
            strength: between(share, limits.share, limits.share + 0.1),
            message: if from_one {
                "labels start at 1, so the last class has no output".to_owned()
            } else {
                format!("{} of the labels name an output that the model does not have", percent(share))
            },
            measured,
            fix: if from_one {
                "number the classes from 0: `label - 1`"
            } else {
                "number labels 0..C-1 and end in `nn.Linear(features, C)`"
            }
            .to_owned(),
            remedy: None,
            location: None,
        }
        .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{clears, suspects};

    fn labels(min: i64, max: i64, outputs: u64, out_of_range: u64) -> LabelRange {
        LabelRange { outputs, classes: 10, min, max, out_of_range, samples: 1000 }
    }

    #[test]
    fn labels_from_one_are_named_as_such() {
        let finding = suspects::<LabelOutOfRange>(&labels(1, 10, 10, 100));
        assert!(finding.message.contains("start at 1"), "{}", finding.message);
        let finding = suspects::<LabelOutOfRange>(&labels(0, 9, 5, 500));
        assert!(finding.message.contains("50%"), "{}", finding.message);
        suspects::<LabelOutOfRange>(&labels(-1, 1, 1, 3));
    }

    #[test]
    fn labels_within_the_outputs_are_clear() {
        clears::<LabelOutOfRange>(&labels(0, 9, 10, 0));
        clears::<LabelOutOfRange>(&labels(0, 1, 1, 0));
        clears::<LabelOutOfRange>(&LabelRange { samples: 0, ..labels(0, 0, 0, 0) });
    }
}
