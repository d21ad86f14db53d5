//! Batches that arrive sorted by class.

use serde::{Deserialize, Serialize};

use crate::check::{Check, Maybe};
use crate::evidence::{BatchLabels, TrainingLoop};
use crate::stats::between;
use crate::words::percent;
use crate::{Finding, Judgement, Remedy, Severity, describe};

describe! {
    /// Training batches arrive sorted by class.
    ///
    /// ## What it looks for
    /// Batches in which one class has a far larger share than it would have if the same samples came
    /// in random order.
    ///
    /// ## Why it matters
    /// A folder or a label file is usually sorted by class. Read in that order, the model sees only cats
    /// for a while and answers "cat", then only dogs and answers "dog": the loss falls within each
    /// stretch and accuracy stays at chance.
    ///
    /// ## What to do
    /// Pass `shuffle=True` to the training `DataLoader` (or use a shuffling sampler).
    ///
    /// ## False alarms
    /// Data sorted by something that does not follow the class is not flagged. Very small batches of an
    /// imbalanced set are dominated by one class by chance; the comparison with random order allows for it.
    ///
    /// ## Reference
    /// A batch dominated by one class at 95% or more: traintools. super-gradients issue 416 shows the symptom.
    UnshuffledBatches, "data" / "unshuffled-batches"
}

/// Limits of [`UnshuffledBatches`].
#[derive(Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// How far the largest class's share may lie above that of random order, as a share of the way to 1.
    /// Half-way: a batch of which one half is random and the other half one class.
    pub excess_dominance: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { excess_dominance: 0.5 }
    }
}

impl Check for UnshuffledBatches {
    type Needs = (BatchLabels, Maybe<TrainingLoop>);
    type Limits = Limits;

    fn judge((batches, watched): (&BatchLabels, Option<&TrainingLoop>), limits: &Limits) -> Judgement {
        let (seen, random) = (batches.dominance.0, batches.shuffled_dominance.0);
        let excess = (seen - random) / (1.0 - random).max(1e-9);
        let measured = format!("one class fills {} of a batch, {} if shuffled", percent(seen), percent(random));
        if batches.batches < 2 || random >= 1.0 || excess <= limits.excess_dominance {
            return Judgement::clear(measured);
        }
        Finding {
            severity: Severity::Error,
            strength: between(excess, limits.excess_dominance, 1.0),
            message: "batches arrive sorted by class, so the model learns whichever class came last".to_owned(),
            measured,
            fix: "shuffle the training data: `DataLoader(..., shuffle=True)`".to_owned(),
            remedy: Some(Remedy::Shuffle),
            location: watched.and_then(TrainingLoop::loader_line),
        }
        .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{clears, line, sound_loop, suspects};

    fn batches(dominance: f64) -> BatchLabels {
        BatchLabels {
            batch_size: 32,
            shuffled: false,
            batches: 31,
            histograms: vec![],
            dominance: dominance.into(),
            shuffled_dominance: 0.57.into(),
            single_class_share: 0.0.into(),
            shuffled_single_class_share: 0.0.into(),
        }
    }

    #[test]
    fn sorted_batches_are_suspected_and_shuffled_ones_are_not() {
        let finding = suspects::<UnshuffledBatches>((&batches(0.99), None));
        assert_eq!((finding.remedy, finding.location), (Some(Remedy::Shuffle), None));
        assert_eq!(suspects::<UnshuffledBatches>((&batches(0.99), Some(&sound_loop()))).location, line(9));
        clears::<UnshuffledBatches>((&batches(0.58), None));
    }

    #[test]
    fn a_single_batch_cannot_be_out_of_order() {
        clears::<UnshuffledBatches>((&BatchLabels { batches: 1, ..batches(0.99) }, None));
    }
}
