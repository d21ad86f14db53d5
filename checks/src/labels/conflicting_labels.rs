//! The same picture under different labels.

use serde::{Deserialize, Serialize};

use crate::check::{Check, Maybe};
use crate::evidence::{IdenticalSamples, Training};
use crate::progress::learns;
use crate::stats::beyond;
use crate::words::percent;
use crate::{Finding, Judgement, Remedy, Severity, describe};

describe! {
    /// Identical pictures carry different labels.
    ///
    /// ## What it looks for
    /// Training samples whose pixels are exactly the same once they are decoded and resized, and whose labels differ.
    ///
    /// ## Why it matters
    /// Whatever the model answers, it is wrong for one of them: such pairs pull the weights both ways and hold the loss up. They come from folders that
    /// were copied into each other, a download that saved one placeholder under many names, or pictures with several labels that were listed once for each.
    ///
    /// ## What to do
    /// Decide on one label, or take these pictures out of the training set. Look for files of the same size or the same hash.
    ///
    /// ## False alarms
    /// Tiny pictures (8 pixels and fewer) can be alike by chance. Pictures that belong to several classes need a loss for several labels.
    ///
    /// ## Reference
    /// Barz and Denzler 2020, "Do we train on test data?", find duplicates in CIFAR; Northcutt, Athalye and Mueller 2021 on label errors. The limits are ours.
    ConflictingLabels, "labels" / "conflicting-labels"
}

/// Limits of [`ConflictingLabels`].
#[derive(Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Share of the samples that may have a twin of another label. Ours.
    pub share: f64,
    /// Share above which it is an error, unless the training learns. Ours: as many wrong labels as labels-disagree-with-names calls an error.
    pub error_share: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { share: 0.01, error_share: 0.2 }
    }
}

impl Check for ConflictingLabels {
    type Needs = (IdenticalSamples, Maybe<Training>);
    type Limits = Limits;

    fn judge((identical, training): (&IdenticalSamples, Option<&Training>), limits: &Limits) -> Judgement {
        let conflicting = identical.conflicting.len() as u64;
        let share = conflicting as f64 / identical.samples.max(1) as f64;
        let measured = format!("{conflicting} of {} samples ({}) have a twin with another label", identical.samples, percent(share));
        if share <= limits.share {
            return Judgement::clear(measured);
        }
        Finding {
            severity: if share > limits.error_share && !learns(training) { Severity::Error } else { Severity::Warning },
            strength: beyond(share, limits.share, 2.0),
            message: "the same pictures carry different labels, so that no answer can be right for all".to_owned(),
            measured,
            fix: "decide on one label for each picture, or leave those with several out of the training set".to_owned(),
            remedy: Some(Remedy::DropSamples { samples: identical.conflicting.clone() }),
            location: None,
        }
        .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{clears, suspects, training};

    fn identical(conflicting: u64) -> IdenticalSamples {
        IdenticalSamples { samples: 1000, repeated: 12, conflicting: (0..conflicting).collect() }
    }

    #[test]
    fn many_are_an_error_and_leaving_them_out_is_the_remedy() {
        let finding = suspects::<ConflictingLabels>((&identical(300), None));
        assert_eq!((finding.severity, finding.remedy), (Severity::Error, Some(Remedy::DropSamples { samples: (0..300).collect() })));
        let learning = training(&[0.7, 0.4], [[160, 40], [30, 170]]);
        assert_eq!(suspects::<ConflictingLabels>((&identical(300), Some(&learning))).severity, Severity::Warning);
        assert_eq!(suspects::<ConflictingLabels>((&identical(30), None)).severity, Severity::Warning);
    }

    #[test]
    fn a_few_and_pictures_repeated_under_one_label_are_clear() {
        clears::<ConflictingLabels>((&identical(10), None));
        clears::<ConflictingLabels>((&identical(0), None));
    }
}
