//! A first loss that is not that of guessing.

use serde::{Deserialize, Serialize};

use crate::check::{Check, Maybe};
use crate::evidence::{InitialLoss, ParameterKind, ParameterStatistics, Parameters, Training};
use crate::progress::learns;
use crate::stats::beyond;
use crate::words::number;
use crate::{Finding, Judgement, Remedy, Severity, describe};

describe! {
    /// The loss before training is far from that of guessing.
    ///
    /// ## What it looks for
    /// The mean loss over some batches before any step, against that of a model that answers every class alike: ln(classes) for cross-entropy
    /// and nll, ln 2 for the binary criteria.
    ///
    /// ## Why it matters
    /// A fresh model knows nothing and should not pretend to. A loss far above ln(classes) means that it is sure and wrong: logits
    /// too large, from the last layer's weights or from the inputs; training then first unlearns that. A loss far below means that
    /// the criterion is not what it seems, or that the answer is in the input.
    ///
    /// ## What to do
    /// Print `logits.std()`: about 1 or less is right. Scale the inputs, initialise the last layer small (`nn.init.normal_(fc.weight,
    /// std=0.01)`, zero bias), and check that criterion and outputs belong together (`nn.NLLLoss` wants `log_softmax`).
    ///
    /// ## False alarms
    /// Pretrained weights that fit the task start lower, and pass. mse has no such value and is not judged.
    ///
    /// ## Reference
    /// "Verify loss at init": Karpathy 2019; "look for correct loss at chance performance": CS231n. Twice and half of it: torchtest2.
    InitialLossOffChance, "evaluation" / "initial-loss-off-chance"
}

/// Limits of [`InitialLossOffChance`].
#[derive(Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Most that the first loss may be, in multiples of that of guessing. torchtest2.
    pub high: f64,
    /// Least that it may be, likewise. torchtest2.
    pub low: f64,
    /// Size of the last layer's weights over the architecture's own from which they are offered for a new start. Ours.
    pub last_layer: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { high: 2.0, low: 0.5, last_layer: 3.0 }
    }
}

/// The last layer's parameters, where they are fresh and larger than the architecture makes them.
fn oversized_head(parameters: Option<&Parameters>, factor: f64) -> Option<Vec<String>> {
    let last: Vec<&ParameterStatistics> = parameters?.tensors.iter().filter(|t| t.last && !t.from_weights).collect();
    let large = |t: &ParameterStatistics| t.reference_std.is_some_and(|own| own.0 > 0.0 && t.mean.hypot(t.std.0) > factor * own.0);
    last.iter().any(|t| t.kind == ParameterKind::Weight && large(t)).then(|| last.iter().map(|t| t.name.clone()).collect())
}

impl Check for InitialLossOffChance {
    type Needs = (InitialLoss, Maybe<Parameters>, Maybe<Training>);
    type Limits = Limits;

    fn judge((initial, parameters, training): (&InitialLoss, Option<&Parameters>, Option<&Training>), limits: &Limits) -> Judgement {
        let (loss, criterion) = (initial.loss.0, initial.criterion);
        let Some(guess) = initial.uninformed.filter(|guess| guess.0 > 0.0) else {
            return Judgement::clear(format!("{criterion} {} at first; guessing has no fixed value", number(loss)));
        };
        let ratio = loss / guess.0;
        let measured = format!("{criterion} {} at first, {} by guessing ({} samples)", number(loss), number(guess.0), initial.samples);
        let pretrained = parameters.is_some_and(|parameters| parameters.from_weights);
        let low = ratio < limits.low && !pretrained;
        if !(low || ratio > limits.high || ratio.is_nan()) {
            return Judgement::clear(measured);
        }
        let head = oversized_head(parameters, limits.last_layer).filter(|_| !low);
        Finding {
            severity: if learns(training) { Severity::Note } else { Severity::Warning },
            strength: beyond(ratio, if low { limits.low } else { limits.high }, 2.0),
            message: if low {
                "the loss starts far below guessing: criterion and outputs do not belong together, or the answer leaks".to_owned()
            } else {
                "the loss starts far above guessing: the untrained model is sure of wrong answers".to_owned()
            },
            measured,
            fix: if low {
                "check that criterion and outputs match (`nn.NLLLoss` wants `log_softmax`) and that no label is in the input"
            } else {
                "scale the inputs; start the last layer small: `nn.init.normal_(fc.weight, std=0.01)`, zero bias"
            }
            .to_owned(),
            remedy: head.map(|parameters| Remedy::Reinitialize { parameters }),
            location: None,
        }
        .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::Loss;
    use crate::testing::{clears, suspects, tensor};

    fn at(loss: f64, criterion: Loss, uninformed: Option<f64>) -> InitialLoss {
        InitialLoss { criterion, samples: 96, loss: loss.into(), uninformed: uninformed.map(Into::into), evaluation_loss: loss.into() }
    }

    fn head(std: f64, from_weights: bool) -> Parameters {
        Parameters { from_weights, tensors: vec![ParameterStatistics { last: true, std: std.into(), ..tensor("fc", 2) }] }
    }

    #[test]
    fn a_loss_far_above_or_below_guessing_is_suspected() {
        let finding = suspects::<InitialLossOffChance>((&at(40.0, Loss::CrossEntropy, Some(2f64.ln())), Some(&head(0.5, false)), None));
        assert_eq!(finding.remedy, Some(Remedy::Reinitialize { parameters: vec!["fc.weight".to_owned()] }));
        assert_eq!(suspects::<InitialLossOffChance>((&at(-0.1, Loss::Nll, Some(2f64.ln())), None, None)).remedy, None);
        suspects::<InitialLossOffChance>((&at(f64::NAN, Loss::CrossEntropy, Some(2f64.ln())), None, None));
    }

    #[test]
    fn guessing_and_pretrained_knowledge_are_clear() {
        clears::<InitialLossOffChance>((&at(0.906, Loss::CrossEntropy, Some(2f64.ln())), None, None)); // VGG-16 with batch norm
        clears::<InitialLossOffChance>((&at(0.1, Loss::CrossEntropy, Some(2f64.ln())), Some(&head(0.048, true)), None));
        clears::<InitialLossOffChance>((&at(40.0, Loss::Mse, None), None, None));
    }
}
