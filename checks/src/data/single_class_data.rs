//! Data in which only one class occurs.

use serde::{Deserialize, Serialize};

use crate::check::Check;
use crate::evidence::{ClassCount, ClassCounts};
use crate::{Finding, Judgement, Severity, describe};

describe! {
    /// The samples are all of one class.
    ///
    /// ## What it looks for
    /// A training listing, a training subset or a held-out set in which fewer than two classes have samples.
    ///
    /// ## Why it matters
    /// With one class there is nothing to tell apart: a model that always answers it has no loss, every
    /// gradient fades, and the accuracy on other data is that of a constant answer. A held-out set of one
    /// class measures only how often that class is answered.
    ///
    /// ## What to do
    /// Look at `dataset.class_to_idx` and `Counter(dataset.targets)`. Usual causes: `ImageFolder` pointed one
    /// folder too deep or too high, a label pattern that matches every file, a split made without shuffling
    /// a sorted list (`train_test_split(..., stratify=labels)` mends that).
    ///
    /// ## False alarms
    /// None for classification. One-class (anomaly) training is another task, with another loss.
    ///
    /// ## Reference
    /// Two classes are what the definition of classification needs. pytorch issue 22566 shows how folder names mislead.
    SingleClassData, "data" / "single-class-data"
}

/// Limits of [`SingleClassData`].
#[derive(Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Classes that must have samples. Two, by the definition of classification.
    pub classes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { classes: 2 }
    }
}

impl Check for SingleClassData {
    type Needs = ClassCounts;
    type Limits = Limits;

    fn judge(counts: &ClassCounts, limits: &Limits) -> Judgement {
        let filled = |samples: fn(&ClassCount) -> u64| counts.classes.iter().filter(|class| samples(class) > 0).count() as u64;
        let (listed, train, held_out) = (filled(|c| c.listed), filled(|c| c.train), filled(|c| c.held_out));
        let measured = format!("classes with samples: {listed} listed, {train} in training, {held_out} held out");
        // Parts that were not drawn at all are no evidence; an empty listing is.
        let (severity, message) = if listed < limits.classes {
            (Severity::Error, "the data holds samples of fewer than two classes, so there is nothing to tell apart".to_owned())
        } else if train > 0 && train < limits.classes {
            (Severity::Error, "the training samples are all of one class, so the model learns a constant answer".to_owned())
        } else if held_out > 0 && held_out < limits.classes {
            (Severity::Warning, "the held-out samples are all of one class, so their accuracy says nothing about the others".to_owned())
        } else {
            return Judgement::clear(measured);
        };
        Finding {
            severity,
            strength: 1.0,
            message,
            measured,
            fix: "look at `Counter(labels)`; `ImageFolder` takes the folder above those of the classes, and one-hot rows hold a single 1"
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

    fn counts(classes: &[(u64, u64, u64)]) -> ClassCounts {
        let class = |&(listed, train, held_out): &(u64, u64, u64)| ClassCount { name: String::new(), listed, train, held_out };
        ClassCounts { classes: classes.iter().map(class).collect() }
    }

    #[test]
    fn one_class_is_too_few_wherever_it_stands_alone() {
        assert_eq!(suspects::<SingleClassData>(&counts(&[(900, 600, 300)])).severity, Severity::Error);
        assert_eq!(suspects::<SingleClassData>(&counts(&[(900, 600, 300), (0, 0, 0)])).severity, Severity::Error);
        assert_eq!(suspects::<SingleClassData>(&counts(&[(900, 600, 50), (50, 0, 50)])).severity, Severity::Error);
        assert_eq!(suspects::<SingleClassData>(&counts(&[(900, 600, 50), (50, 50, 0)])).severity, Severity::Warning);
    }

    #[test]
    fn two_classes_are_enough() {
        clears::<SingleClassData>(&counts(&[(900, 600, 300), (900, 600, 300)]));
        clears::<SingleClassData>(&counts(&[(900, 0, 0), (900, 0, 0)]));
    }
}
