//! Batch norm over the few samples that one rank holds.

use serde::{Deserialize, Serialize};

use super::Part;
use crate::check::Check;
use crate::evidence::LoopRanks;
use crate::stats::beyond;
use crate::verdict::Location;
use crate::{Finding, Judgement, Severity, describe};

describe! {
    /// Batch norm computes its statistics from the few samples of one rank.
    ///
    /// ## What it looks for
    /// Batch norm that is not `SyncBatchNorm`, with a batch of one rank below the limit.
    ///
    /// ## Why it matters
    /// `DistributedDataParallel` averages gradients, not batch statistics: each rank normalises by its own samples. Of a handful the mean and
    /// variance are noise, and the running statistics that evaluation uses are those of rank 0 alone.
    ///
    /// ## What to do
    /// `model = torch.nn.SyncBatchNorm.convert_sync_batchnorm(model)` before it is wrapped; or a larger batch for each rank; or group norm.
    ///
    /// ## False alarms
    /// Frozen batch norm in evaluation mode computes no statistics. Convolutions average over pixels as well, so that large pictures forgive a
    /// smaller batch.
    ///
    /// ## Reference
    /// Wu and He, "Group Normalization" (ECCV 2018), table 2: the error of ResNet-50 rises from 23.7% at 16 samples a worker to 24.8% at 8,
    /// 27.3% at 4 and 34.7% at 2.
    PerRankBatchStatistics, "loop" / "per-rank-batch-statistics"
}

/// Limits of [`PerRankBatchStatistics`].
#[derive(Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Samples of one rank below which statistics are noise. Wu and He 2018: the error rises below 8.
    pub samples: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { samples: 8 }
    }
}

impl Check for PerRankBatchStatistics {
    type Needs = Part<LoopRanks>;
    type Limits = Limits;

    fn judge(ranks: &LoopRanks, limits: &Limits) -> Judgement {
        let Some(norm) = &ranks.batch_norm else {
            return Judgement::clear("no batch norm that ranks compute each for itself");
        };
        let measured = format!("batch norm `{}` sees {} samples on each of {} ranks", norm.module, norm.samples, ranks.ranks);
        if norm.samples >= limits.samples {
            return Judgement::clear(measured);
        }
        Finding {
            severity: Severity::Warning,
            strength: beyond(limits.samples as f64 / norm.samples.max(1) as f64, 1.0, 0.9),
            message: "batch norm takes its statistics from the few samples of one rank".to_owned(),
            measured,
            fix: "convert the model with `torch.nn.SyncBatchNorm.convert_sync_batchnorm`, or give each rank a larger batch".to_owned(),
            remedy: None,
            location: ranks.location.clone().map(|place| Location { module: norm.module.clone(), ..place }),
        }
        .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::LoopBatchNorm;
    use crate::testing::{clears, sound_ranks, suspects};

    fn with(samples: u64) -> LoopRanks {
        LoopRanks { batch_norm: Some(LoopBatchNorm { module: "bn1".to_owned(), samples }), ..sound_ranks() }
    }

    #[test]
    fn a_handful_of_samples_is_a_warning_that_names_the_module() {
        let finding = suspects::<PerRankBatchStatistics>(&with(2));
        assert_eq!(finding.severity, Severity::Warning);
        assert_eq!(finding.location.unwrap().module, "bn1");
        assert!(finding.strength > suspects::<PerRankBatchStatistics>(&with(7)).strength);
    }

    #[test]
    fn a_usual_batch_and_a_model_without_batch_norm_are_clear() {
        clears::<PerRankBatchStatistics>(&with(8));
        clears::<PerRankBatchStatistics>(&LoopRanks { batch_norm: None, ..sound_ranks() });
    }
}
