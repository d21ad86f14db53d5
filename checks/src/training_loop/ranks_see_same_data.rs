//! Processes that all train on the same batches.

use serde::{Deserialize, Serialize};

use super::Part;
use crate::check::Check;
use crate::evidence::{LoopLoader, LoopRankBatches, LoopRanks};
use crate::stats::between;
use crate::words::percent;
use crate::{Finding, Judgement, Severity, describe};

describe! {
    /// All ranks of a distributed training draw the same batches.
    ///
    /// ## What it looks for
    /// Samples that stand in the same batch of two ranks, among the first batches of each; or targets in the same order, where
    /// augmentation makes the samples differ.
    ///
    /// ## Why it matters
    /// The ranks compute the same gradient, and the average over them is that of one: the training costs as many processes and learns
    /// what one would. The batch is not as large as it seems, so a learning rate that was scaled to it is too high.
    ///
    /// ## What to do
    /// Give the loader a `DistributedSampler`, which deals the samples out among the ranks, and call its `set_epoch` in every epoch.
    ///
    /// ## False alarms
    /// Ranks that share a batch by design, as those of tensor and pipeline parallelism do.
    ///
    /// ## Reference
    /// torch.utils.data.distributed.DistributedSampler: each process loads a subset that is exclusive to it.
    RanksSeeSameData, "loop" / "ranks-see-same-data"
}

/// Limits of [`RanksSeeSameData`].
#[derive(Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Share of samples in the same batch, 0..1. Ours: ranks that shuffle each for itself share next to none.
    pub share: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { share: 0.5 }
    }
}

impl Check for RanksSeeSameData {
    type Needs = (Part<LoopRanks>, Part<LoopRankBatches>, Part<LoopLoader>);
    type Limits = Limits;

    fn judge((ranks, batches, loader): (&LoopRanks, &LoopRankBatches, &LoopLoader), limits: &Limits) -> Judgement {
        let same = batches.same.0;
        let measured = format!("{} of {} samples stand in the same batch of two of {} ranks", percent(same), batches.samples, ranks.ranks);
        if same <= limits.share {
            return Judgement::clear(measured);
        }
        Finding {
            severity: Severity::Warning,
            strength: between(same, limits.share, 1.0),
            message: format!("{} ranks train on the same batches and learn what one would", ranks.ranks),
            measured,
            fix: "give the loader `sampler=DistributedSampler(dataset)`, and call `sampler.set_epoch(epoch)`".to_owned(),
            remedy: None,
            location: loader.location.clone(),
        }
        .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{clears, sound_loop, sound_ranks, suspects};

    fn sharing(same: f64) -> LoopRankBatches {
        LoopRankBatches { same: same.into(), ..sound_ranks().batches.unwrap() }
    }

    #[test]
    fn ranks_with_the_same_batches_are_a_warning_at_their_loader() {
        let (ranks, loader) = (sound_ranks(), sound_loop().loader.unwrap());
        let finding = suspects::<RanksSeeSameData>((&ranks, &sharing(1.0), &loader));
        assert_eq!((finding.severity, finding.strength, finding.location), (Severity::Warning, 1.0, loader.location.clone()));
        assert!(finding.measured.starts_with("100% of 320 samples"), "{}", finding.measured);
    }

    #[test]
    fn samples_that_meet_by_chance_are_clear() {
        let (ranks, loader) = (sound_ranks(), sound_loop().loader.unwrap());
        clears::<RanksSeeSameData>((&ranks, &sharing(0.04), &loader));
        clears::<RanksSeeSameData>((&ranks, &sharing(0.0), &loader));
    }
}
