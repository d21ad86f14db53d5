//! A model that is made again in every epoch.

use serde::{Deserialize, Serialize};

use super::Seen;
use crate::check::Check;
use crate::evidence::TrainingLoop;
use crate::stats::beyond;
use crate::{Finding, Judgement, Severity, describe};

describe! {
    /// Each epoch trains a new model.
    ///
    /// ## What it looks for
    /// Models of one class and form that are trained one after the other, each for a single pass over the same loader.
    ///
    /// ## Why it matters
    /// What an epoch learned is thrown away at the next: the loss falls within each epoch and starts anew, and no number of epochs helps.
    ///
    /// ## What to do
    /// Make the model and its optimizer once, ahead of the loop over epochs.
    ///
    /// ## False alarms
    /// A search that trains each of its candidates, or of its random seeds, for exactly one pass over one loader. Folds of a cross-validation have
    /// loaders of their own.
    ///
    /// ## Reference
    /// PyTorch's tutorials make model and optimizer once, ahead of the loop over epochs; a new optimizer would forget its momentum, too.
    ModelMadeAnew, "loop" / "model-made-anew"
}

/// Limits of [`ModelMadeAnew`].
#[derive(Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Models in turn. Ours: two may be a first attempt and the real one.
    pub models: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { models: 3 }
    }
}

impl Check for ModelMadeAnew {
    type Needs = Seen;
    type Limits = Limits;

    fn judge(seen: &TrainingLoop, limits: &Limits) -> Judgement {
        let measured = format!("{} models of one form, each trained for one pass over the same loader", seen.remade);
        if seen.remade < limits.models {
            return Judgement::clear(measured);
        }
        Finding {
            severity: Severity::Error,
            strength: beyond(seen.remade as f64, (limits.models as f64 - 1.0).max(1.0), 1.0),
            message: "the model is made anew in every epoch, so what it learned is thrown away".to_owned(),
            measured,
            fix: "make the model and the optimizer once, ahead of the loop over epochs".to_owned(),
            remedy: None,
            location: seen.optimizer_line().or_else(|| seen.loss_line()),
        }
        .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{clears, line, sound_loop, suspects};

    #[test]
    fn a_model_for_each_epoch_is_an_error_where_its_optimizer_is_made() {
        let finding = suspects::<ModelMadeAnew>(&TrainingLoop { remade: 10, ..sound_loop() });
        assert_eq!((finding.severity, finding.location), (Severity::Error, line(12)));
        suspects::<ModelMadeAnew>(&TrainingLoop { remade: 3, ..sound_loop() });
    }

    #[test]
    fn one_model_and_a_second_attempt_are_clear() {
        for remade in [0, 1, 2] {
            clears::<ModelMadeAnew>(&TrainingLoop { remade, ..sound_loop() });
        }
    }
}
