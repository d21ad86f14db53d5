//! A distributed sampler that is never told the epoch.

use serde::{Deserialize, Serialize};

use super::Part;
use crate::check::Check;
use crate::evidence::{LoopLoader, LoopSampler};
use crate::{Finding, Judgement, Severity, describe};

describe! {
    /// A `DistributedSampler` deals the same batches in every epoch.
    ///
    /// ## What it looks for
    /// A sampler that shuffles, at epoch 0 although a second pass over its loader was begun.
    ///
    /// ## Why it matters
    /// The sampler shuffles by its seed and the epoch's number, so that all ranks agree. Where the number is never set, each pass gives every
    /// rank the same samples in the same order: no rank ever sees the others' share except by its gradients, and the order is frozen.
    ///
    /// ## What to do
    /// Call `sampler.set_epoch(epoch)` at the start of every epoch, before the loader is iterated.
    ///
    /// ## False alarms
    /// One pass tells nothing. Lightning, Accelerate and the Hugging Face Trainer set it themselves.
    ///
    /// ## Reference
    /// torch.utils.data.distributed.DistributedSampler: calling set_epoch is necessary to make shuffling work across epochs.
    EpochNeverSet, "loop" / "epoch-never-set"
}

/// [`EpochNeverSet`] has none: the epoch was set or it was not.
#[derive(Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {}

impl Check for EpochNeverSet {
    type Needs = (Part<LoopSampler>, Part<LoopLoader>);
    type Limits = Limits;

    fn judge((sampler, loader): (&LoopSampler, &LoopLoader), _: &Limits) -> Judgement {
        let measured = format!("epoch {} after {} passes were begun", sampler.epoch, sampler.passes);
        if !sampler.shuffle || sampler.passes < 2 || sampler.epoch > 0 {
            return Judgement::clear(measured);
        }
        Finding {
            severity: Severity::Warning,
            strength: 0.5,
            message: "the DistributedSampler is never told the epoch, so every pass repeats the first one's batches".to_owned(),
            measured,
            fix: "call `sampler.set_epoch(epoch)` at the start of every epoch".to_owned(),
            remedy: None,
            location: loader.location.clone(),
        }
        .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{clears, sound_loop, suspects};

    fn after(passes: u64, epoch: u64, shuffle: bool) -> LoopSampler {
        LoopSampler { shuffle, epoch, passes }
    }

    #[test]
    fn a_second_pass_at_epoch_0_is_a_warning() {
        let loader = sound_loop().loader.unwrap();
        let finding = suspects::<EpochNeverSet>((&after(3, 0, true), &loader));
        assert_eq!((finding.severity, finding.location), (Severity::Warning, loader.location.clone()));
    }

    #[test]
    fn one_pass_a_set_epoch_and_a_sampler_that_keeps_the_order_are_clear() {
        let loader = sound_loop().loader.unwrap();
        for sampler in [after(1, 0, true), after(3, 2, true), after(3, 0, false)] {
            clears::<EpochNeverSet>((&sampler, &loader));
        }
    }
}
