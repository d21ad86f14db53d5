//! Ranks that each train a model of their own.

use serde::{Deserialize, Serialize};

use super::Part;
use crate::check::Check;
use crate::evidence::{LoopRankParameters, LoopRanks};
use crate::stats::between;
use crate::words::percent;
use crate::{Finding, Judgement, Severity, describe};

describe! {
    /// The ranks of a distributed training do not share their gradients.
    ///
    /// ## What it looks for
    /// The distance between what the same number of steps changed in the parameters of two ranks, relative to its norm.
    ///
    /// ## Why it matters
    /// Each rank trains a model of its own on its part of the data: two ranks learn from half of the samples each, and the checkpoint of rank 0
    /// knows nothing of the rest.
    ///
    /// ## What to do
    /// Call the model that `DistributedDataParallel` returned, not the one that went into it (`ddp_model(x)`, not `model(x)` or
    /// `ddp_model.module(x)`). Leave `no_sync()` for the last backward pass before a step. Without DDP, average the gradients after `backward()`.
    ///
    /// ## False alarms
    /// Local SGD and federated averaging let the ranks drift on purpose, between two averages. Parameters that are split among ranks (FSDP) are
    /// not compared.
    ///
    /// ## Reference
    /// Li et al., "PyTorch Distributed" (VLDB 2020): DDP averages gradients in hooks that the wrapper's forward pass prepares.
    GradientsNotSynchronised, "loop" / "gradients-not-synchronised"
}

/// Limits of [`GradientsNotSynchronised`].
#[derive(Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Distance relative to the norm. Ours: ranks that share gradients differ by rounding, and by weight decay where they start differently.
    pub distance: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { distance: 0.05 }
    }
}

impl Check for GradientsNotSynchronised {
    type Needs = (Part<LoopRanks>, Part<LoopRankParameters>);
    type Limits = Limits;

    fn judge((ranks, parameters): (&LoopRanks, &LoopRankParameters), limits: &Limits) -> Judgement {
        let change = parameters.change.0;
        let measured = format!("what the steps changed on {} ranks is {} of its norm apart", ranks.ranks, percent(change));
        if change <= limits.distance {
            return Judgement::clear(measured);
        }
        let fix = if ranks.wrapped {
            "let the last backward pass before a step stand outside `no_sync()`, and step what the wrapped model holds"
        } else {
            "call the model that `DistributedDataParallel(model)` returns, not the one inside it"
        };
        Finding {
            severity: Severity::Error,
            strength: between(change, limits.distance, 1.0),
            message: format!("the {} ranks do not share their gradients: each trains a model of its own", ranks.ranks),
            measured,
            fix: fix.to_owned(),
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

    fn apart(change: f64) -> LoopRankParameters {
        LoopRankParameters { change: change.into(), ..sound_ranks().parameters.unwrap() }
    }

    #[test]
    fn ranks_that_drift_apart_are_an_error_with_what_to_call() {
        let unwrapped = LoopRanks { wrapped: false, ..sound_ranks() };
        let finding = suspects::<GradientsNotSynchronised>((&unwrapped, &apart(0.4)));
        assert_eq!((finding.severity, finding.location), (Severity::Error, unwrapped.location.clone()));
        assert!(finding.fix.starts_with("call the model"), "{}", finding.fix);
        assert!(suspects::<GradientsNotSynchronised>((&sound_ranks(), &apart(0.4))).fix.contains("no_sync"));
        suspects::<GradientsNotSynchronised>((&sound_ranks(), &apart(f64::NAN)));
    }

    #[test]
    fn the_same_change_everywhere_is_clear() {
        clears::<GradientsNotSynchronised>((&sound_ranks(), &apart(0.0)));
        clears::<GradientsNotSynchronised>((&sound_ranks(), &apart(1e-4)));
    }
}
