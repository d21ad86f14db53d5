//! A network that one kind of optimizer trains and the other does not.

use serde::{Deserialize, Serialize};

use crate::check::Check;
use crate::evidence::{Job, Training};
use crate::progress::{LEARNS, learned};
use crate::recipe::{OptimizerKind, OptimizerRecipe};
use crate::words::{number, percent};
use crate::{Finding, Judgement, Remedy, Severity, describe};

describe! {
    /// The model does not train with this kind of optimizer, and may with the other.
    ///
    /// ## What it looks for
    /// A training that does not learn. This is a guess, tried once no other suspect is left or none has helped: the same training with
    /// `optim.Adam` where it was `SGD`, and with `SGD` and momentum where it was `Adam`, `AdamW` or `RMSprop`, at the rate that its users begin with.
    ///
    /// ## Why it matters
    /// Deep networks without normalisation can stand still under Adam and train under SGD; sigmoid networks and embeddings the other
    /// way round. Nothing in gradients or activations need be out of the ordinary.
    ///
    /// ## What to do
    /// Change the optimizer as the experiment did, then sweep its learning rate anew: a rate never carries over from one kind to the other.
    ///
    /// ## False alarms
    /// None by itself: without an experiment that helps it is a note, and one that shows no gain makes it harmless.
    ///
    /// ## Reference
    /// Wilson et al. 2017, "The Marginal Value of Adaptive Gradient Methods"; CS231n on rates to begin with.
    OptimizerMismatch, "optimisation" / "optimizer-mismatch"
}

/// Limits of [`OptimizerMismatch`].
#[derive(Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Way from guessing (0) to perfect (1) that counts as learning. The same that other checks use.
    pub learned: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { learned: LEARNS }
    }
}

/// The other kind, at the rate that its users begin with.
fn other(optimizer: &OptimizerRecipe) -> OptimizerRecipe {
    let to = match optimizer.kind {
        OptimizerKind::Sgd => OptimizerRecipe { kind: OptimizerKind::Adam, lr: 1e-3, momentum: 0.0, ..optimizer.clone() },
        OptimizerKind::Adam | OptimizerKind::AdamW | OptimizerKind::RmsProp => {
            OptimizerRecipe { kind: OptimizerKind::Sgd, lr: 0.01, momentum: 0.9, ..optimizer.clone() }
        }
    };
    // A decay that is decoupled from the gradient is a hundred times another's.
    let weight_decay = if optimizer.kind == OptimizerKind::AdamW { 0.0 } else { to.weight_decay };
    OptimizerRecipe { groups: vec![], weight_decay, ..to }
}

impl Check for OptimizerMismatch {
    type Needs = (Training, Job);
    type Limits = Limits;
    const GUESS: bool = true;

    fn judge((training, job): (&Training, &Job), limits: &Limits) -> Judgement {
        let optimizer = &job.recipe.optimizer;
        let Some(learned) = learned(training) else { return Judgement::clear("too few held-out samples of two classes to tell") };
        let measured = format!(
            "{} of the way from guessing to perfect with {} at {}",
            percent(learned.max(0.0)),
            optimizer.kind,
            number(optimizer.lr)
        );
        if learned >= limits.learned {
            return Judgement::clear(measured);
        }
        let to = other(optimizer);
        Finding {
            severity: Severity::Note,
            strength: 0.0,
            message: format!("it does not learn with {}; {} may do better", optimizer.kind, to.kind),
            measured,
            fix: match to.kind {
                OptimizerKind::Sgd => {
                    format!("use `optim.SGD(model.parameters(), lr={}, momentum={})`", number(to.lr), number(to.momentum))
                }
                _ => format!("use `optim.Adam(model.parameters(), lr={})`", number(to.lr)),
            },
            remedy: Some(Remedy::Optimizer { to }),
            location: None,
        }
        .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{clears, job, suspects, training};

    #[test]
    fn where_it_does_not_learn_the_other_kind_is_a_guess() {
        let stuck = training(&[0.7, 0.69], [[200, 0], [200, 0]]);
        let finding = suspects::<OptimizerMismatch>((&stuck, &job()));
        assert_eq!((finding.severity, finding.strength), (Severity::Note, 0.0));
        let Some(Remedy::Optimizer { to }) = finding.remedy else { panic!() };
        assert_ne!(to.kind, job().recipe.optimizer.kind);
        assert_eq!(other(&OptimizerRecipe { weight_decay: 0.01, kind: OptimizerKind::AdamW, ..to }).weight_decay, 0.0);
    }

    #[test]
    fn a_training_that_learns_is_clear() {
        clears::<OptimizerMismatch>((&training(&[0.7, 0.4], [[160, 40], [30, 170]]), &job()));
    }
}
