//! Replicas of a model that are not replicas.

use serde::{Deserialize, Serialize};

use super::Part;
use crate::check::Check;
use crate::evidence::{LoopRankParameters, LoopRanks};
use crate::stats::between;
use crate::words::percent;
use crate::{Finding, Judgement, Severity, describe};

describe! {
    /// The ranks of a distributed training start from different parameters.
    ///
    /// ## What it looks for
    /// The distance between the parameters of two ranks before the first step, relative to their norm.
    ///
    /// ## Why it matters
    /// Gradients that are averaged over the ranks belong to one model. Where each rank has another, every one of them steps by a gradient that was
    /// computed elsewhere; the ranks never meet, and the checkpoint of rank 0 is worse than a training of one process.
    ///
    /// ## What to do
    /// Wrap the model in `DistributedDataParallel`, which sends rank 0's parameters to all, or broadcast them yourself; or seed every rank
    /// alike before the model is made.
    ///
    /// ## False alarms
    /// Parameters that are split among ranks by design (FSDP, tensor parallelism) are not compared. An ensemble that is trained side by side
    /// differs on purpose.
    ///
    /// ## Reference
    /// Li et al., "PyTorch Distributed" (VLDB 2020): replicas must start from the same state and see the same gradients.
    RanksStartDifferently, "loop" / "ranks-start-differently"
}

/// Limits of [`RanksStartDifferently`].
#[derive(Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Distance relative to the norm. Ours: rounding is below 1e-6; two random starts are 1.4 apart.
    pub distance: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { distance: 1e-3 }
    }
}

impl Check for RanksStartDifferently {
    type Needs = (Part<LoopRanks>, Part<LoopRankParameters>);
    type Limits = Limits;

    fn judge((ranks, parameters): (&LoopRanks, &LoopRankParameters), limits: &Limits) -> Judgement {
        let first = parameters.first.0;
        let measured = format!("parameters of {} ranks are {} of their norm apart before the first step", ranks.ranks, percent(first));
        if first <= limits.distance {
            return Judgement::clear(measured);
        }
        Finding {
            severity: Severity::Error,
            strength: between(first, limits.distance, 1.0),
            message: "each rank starts from other parameters, so what is averaged are gradients of different models".to_owned(),
            measured,
            fix: "wrap the model in `DistributedDataParallel`, or call `torch.manual_seed` before it is made".to_owned(),
            remedy: None,
            location: ranks.location.clone(),
        }
        .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{clears, sound_ranks, suspects};

    fn apart(first: f64) -> LoopRankParameters {
        LoopRankParameters { first: first.into(), ..sound_ranks().parameters.unwrap() }
    }

    #[test]
    fn two_random_starts_are_an_error_where_the_model_is_called() {
        let ranks = sound_ranks();
        let finding = suspects::<RanksStartDifferently>((&ranks, &apart(1.3)));
        assert_eq!((finding.severity, finding.location), (Severity::Error, ranks.location.clone()));
        suspects::<RanksStartDifferently>((&ranks, &apart(f64::NAN)));
    }

    #[test]
    fn rounding_is_clear() {
        clears::<RanksStartDifferently>((&sound_ranks(), &apart(0.0)));
        clears::<RanksStartDifferently>((&sound_ranks(), &apart(1e-6)));
    }
}
