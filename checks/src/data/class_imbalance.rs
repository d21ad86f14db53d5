//! Classes of very different size.

use serde::{Deserialize, Serialize};

use crate::check::Check;
use crate::evidence::ClassCounts;
use crate::stats::beyond;
use crate::words::{names, number, percent};
use crate::{Finding, Judgement, Remedy, Severity, describe};

describe! {
    /// Some classes have far more samples than others.
    ///
    /// ## What it looks for
    /// The ratio of the largest class to the smallest one that has samples; and classes that have none.
    ///
    /// ## Why it matters
    /// The loss is a mean over samples, so a frequent class outvotes a rare one: answering it always is an easy
    /// first minimum, and early in training the model sits there. Accuracy hides that (95% by a constant answer
    /// at 19 to 1); balanced accuracy shows it.
    ///
    /// ## What to do
    /// Draw classes evenly with `WeightedRandomSampler(1 / count[label], len(dataset))`, or weight the loss with
    /// `nn.CrossEntropyLoss(weight=...)`. Judge by balanced accuracy, not accuracy.
    ///
    /// ## False alarms
    /// A mild imbalance (up to 3 to 1) is left alone; between 3 and 10 to 1 it is a note. Long training on easily told
    /// classes overcomes much more: the experiment with evenly drawn classes decides.
    ///
    /// ## Reference
    /// A ratio above 10: Amazon SageMaker Debugger, rule ClassImbalance. Buda, Maki and Mazurowski 2018 compare the remedies.
    ClassImbalance, "data" / "class-imbalance"
}

/// Limits of [`ClassImbalance`].
#[derive(Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Largest to smallest class from which it is noted. Ours: Buda et al. 2018 see little effect below it.
    pub noted_ratio: f64,
    /// And from which it is a warning. Amazon SageMaker Debugger.
    pub ratio: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { noted_ratio: 3.0, ratio: 10.0 }
    }
}

impl Check for ClassImbalance {
    type Needs = ClassCounts;
    type Limits = Limits;

    fn judge(counts: &ClassCounts, limits: &Limits) -> Judgement {
        let filled = counts.classes.iter().filter(|class| class.listed > 0);
        let (Some(smallest), Some(largest)) = (filled.clone().min_by_key(|c| c.listed), filled.clone().max_by_key(|c| c.listed)) else {
            return Judgement::clear("no class has samples");
        };
        let empty: Vec<&str> = counts.classes.iter().filter(|class| class.listed == 0).map(|class| class.name.as_str()).collect();
        let ratio = largest.listed as f64 / smallest.listed as f64;
        let mut measured = format!(
            "largest class {} samples, smallest {} ({} to 1; majority {})",
            largest.listed,
            smallest.listed,
            number(ratio),
            percent(counts.majority_rate()),
        );
        let (message, fix) = if ratio > limits.noted_ratio {
            let message = format!("class `{}` outnumbers `{}`, so always answering it pays", largest.name, smallest.name);
            (message, "draw classes evenly: `DataLoader(..., sampler=WeightedRandomSampler(...))`")
        } else if !empty.is_empty() && filled.count() > 1 {
            measured = format!("{} of {} classes have no sample", empty.len(), counts.classes.len());
            (
                format!("no sample is labelled {}, so the model cannot learn it", names(&empty)),
                "add samples of the class, or drop it from the output",
            )
        } else {
            return Judgement::clear(measured);
        };
        Finding {
            severity: if ratio > limits.noted_ratio && ratio <= limits.ratio { Severity::Note } else { Severity::Warning },
            strength: if ratio > limits.noted_ratio { beyond(ratio, limits.noted_ratio, 1.5) } else { 0.0 },
            message,
            measured,
            fix: fix.to_owned(),
            remedy: (ratio > limits.noted_ratio).then_some(Remedy::BalanceClasses),
            location: None,
        }
        .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::ClassCount;
    use crate::testing::{clears, suspects};

    fn counts(listed: &[u64]) -> ClassCounts {
        let class = |(i, &listed): (usize, &u64)| ClassCount { name: format!("class {i}"), listed, train: listed, held_out: 0 };
        ClassCounts { classes: listed.iter().enumerate().map(class).collect() }
    }

    #[test]
    fn a_ratio_of_nineteen_is_a_warning_and_of_five_a_note() {
        let finding = suspects::<ClassImbalance>(&counts(&[950, 50]));
        assert_eq!((finding.severity, finding.remedy), (Severity::Warning, Some(Remedy::BalanceClasses)));
        assert_eq!(suspects::<ClassImbalance>(&counts(&[500, 100])).severity, Severity::Note);
    }

    #[test]
    fn a_class_without_samples_is_named() {
        let finding = suspects::<ClassImbalance>(&counts(&[500, 0, 400]));
        assert!(finding.message.contains("`class 1`") && finding.remedy.is_none(), "{}", finding.message);
    }

    #[test]
    fn three_to_one_is_ordinary() {
        clears::<ClassImbalance>(&counts(&[300, 100, 200]));
        clears::<ClassImbalance>(&counts(&[]));
        clears::<ClassImbalance>(&counts(&[300, 0])); // single-class-data says it
    }
}
