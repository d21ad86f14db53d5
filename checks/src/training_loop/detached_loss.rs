//! A loss that has lost its way back to the model.

use serde::{Deserialize, Serialize};

use super::{Seen, severity};
use crate::check::{Check, Maybe};
use crate::evidence::{Training, TrainingLoop};
use crate::{Finding, Judgement, Remedy, describe};

describe! {
    /// The loss is computed on something that is detached from the model, so its backward pass reaches no parameter.
    ///
    /// ## What it looks for
    /// Backward passes after which no parameter of the optimizer has a gradient (`p.grad is None`); and a criterion whose input has
    /// no path back to the model, in a loop in which no parameter moves.
    ///
    /// ## Why it matters
    /// `loss.requires_grad_(True)` silences the error that torch would raise, and hides that nothing is behind the loss. `backward()`
    /// and `step()` run, and no parameter changes: the loss stands at ln(classes), the accuracy at chance.
    ///
    /// ## What to do
    /// Give the criterion what the model returned. Look in front of it for `.detach()`, `.data`, `.item()`, `.numpy()`, `argmax`,
    /// `torch.no_grad()`, `torch.tensor(output)` and `Variable(..., requires_grad=True)`.
    ///
    /// ## False alarms
    /// A loss on detached outputs that is only logged, beside another one that trains, passes: gradients arrive. Parts that get none while
    /// others do are the matter of gradients-missing; an optimizer that holds another model's parameters is that of
    /// foreign-parameters-in-optimizer.
    ///
    /// ## Reference
    /// torch.Tensor.detach: the result never requires gradient. Lightning issue 17212. TrainCheck (OSDI 2025).
    DetachedLoss, "loop" / "detached-loss"
}

/// [`DetachedLoss`] has none: a gradient arrives or it does not.
#[derive(Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {}

impl Check for DetachedLoss {
    type Needs = (Seen, Maybe<Training>);
    type Limits = Limits;

    fn judge((seen, training): (&TrainingLoop, Option<&Training>), _: &Limits) -> Judgement {
        let criterion = seen.criterion.as_ref();
        let cut = criterion.is_some_and(|criterion| criterion.detached);
        let own = seen.optimizer.as_ref().is_none_or(|optimizer| optimizer.foreign == 0);
        let moves = seen.changed_share.is_some_and(|share| share.0 > 0.0);
        let (none, without) = match &seen.gradients {
            Some(g) if g.parameters > 0 => {
                let none = g.without.len() as u64 >= g.parameters;
                (none && (cut || own), format!("{} of {} trained tensors have no gradient", g.without.len(), g.parameters))
            }
            _ => (
                cut && !moves,
                if cut { "what the criterion is given is detached" } else { "the criterion's input is attached" }.to_owned(),
            ),
        };
        let measured = format!("{without} after {} backward passes", seen.backwards);
        if !none || seen.backwards == 0 {
            return Judgement::clear(measured);
        }
        let argmax = criterion.is_some_and(|criterion| criterion.between.as_deref() == Some("argmax"));
        Finding {
            severity: severity(training),
            strength: 1.0,
            message: "the loss is detached from the model: its backward pass reaches no parameter, and nothing is learned".to_owned(),
            measured,
            fix: if argmax {
                "give the criterion the logits instead of their argmax, which has no gradient"
            } else {
                "give the criterion the model's output itself: no `.detach()`, `.data`, `.item()` or `torch.no_grad()` in front of it"
            }
            .to_owned(),
            remedy: Some(Remedy::Backward),
            location: criterion.and_then(|criterion| criterion.location.clone()).or_else(|| seen.loss_line()),
        }
        .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Severity;
    use crate::testing::{clears, sound_loop, suspects, training};

    /// A loop whose criterion's input is detached or not, after whose backward passes so many of four tensors have no gradient.
    fn after(detached: bool, without: usize) -> TrainingLoop {
        let mut seen = sound_loop();
        seen.criterion.as_mut().unwrap().detached = detached;
        seen.gradients.as_mut().unwrap().without = vec!["fc.weight".to_owned(); without];
        seen
    }

    #[test]
    fn a_backward_pass_that_reaches_nothing_is_an_error() {
        let finding = suspects::<DetachedLoss>((&after(true, 4), None));
        assert_eq!((finding.severity, finding.remedy), (Severity::Error, Some(Remedy::Backward)));
        suspects::<DetachedLoss>((&after(false, 4), None));
        let unknown = TrainingLoop { gradients: None, changed_share: Some(0.0.into()), ..after(true, 0) };
        suspects::<DetachedLoss>((&unknown, None));
        let mut argmax = after(true, 4);
        argmax.criterion.as_mut().unwrap().between = Some("argmax".to_owned());
        let learned = training(&[0.7, 0.3], [[180, 20], [20, 180]]);
        let finding = suspects::<DetachedLoss>((&argmax, Some(&learned)));
        assert!(finding.severity == Severity::Warning && finding.fix.contains("argmax"));
    }

    #[test]
    fn a_logged_loss_beside_one_that_trains_is_clear() {
        clears::<DetachedLoss>((&after(true, 0), None));
        clears::<DetachedLoss>((&after(true, 3), None));
        clears::<DetachedLoss>((&TrainingLoop { gradients: None, ..after(true, 0) }, None));
    }

    #[test]
    fn what_has_no_backward_pass_or_another_models_parameters_is_another_fault() {
        clears::<DetachedLoss>((&TrainingLoop { backwards: 0, ..after(true, 4) }, None));
        let mut other = after(false, 4);
        other.optimizer.as_mut().unwrap().foreign = 4;
        clears::<DetachedLoss>((&other, None));
    }
}
