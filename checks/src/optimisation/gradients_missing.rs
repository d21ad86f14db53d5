//! Parameters that no gradient reaches.

use serde::{Deserialize, Serialize};

use crate::check::{Check, Maybe};
use crate::evidence::{Gradients, Job, ParameterGradient, Parameters, TrainingLoop};
use crate::stats::between;
use crate::words::{names, percent};
use crate::{Finding, Judgement, Location, Remedy, Severity, describe};

describe! {
    /// The loss does not depend on parameters that are to be trained.
    ///
    /// ## What it looks for
    /// Parameters of the optimizer for which the backward pass delivers no gradient at all (`p.grad is None`), as opposed to a small one.
    ///
    /// ## Why it matters
    /// The graph is cut between them and the loss: whatever the optimizer does, they keep their first values. If all are cut
    /// off, nothing is learned and the accuracy stays where it started.
    ///
    /// ## What to do
    /// Look for `.detach()`, `.data`, `.item()`, `.numpy()`, `torch.no_grad()` and `torch.tensor(output)` on the way from the named
    /// parameters to the loss, for `loss.requires_grad_(True)` (which hides a cut), and for layers that `forward` never calls.
    ///
    /// ## False alarms
    /// Parts that `forward` never uses (a classifier that was replaced) are a note, and so is a pretrained body under `no_grad`. Gradients that are zero because later weights are zero count as reached.
    ///
    /// ## Reference
    /// Lightning issue 17212 asks for the names. torch.nn.parallel.DistributedDataParallel calls them `find_unused_parameters`.
    GradientsMissing, "optimisation" / "gradients-missing"
}

/// Limits of [`GradientsMissing`].
#[derive(Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Share of the values to be trained that must be cut off for an error. Ours: less is an unused head.
    pub error_share: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { error_share: 0.1 }
    }
}

impl Check for GradientsMissing {
    type Needs = (Gradients, Maybe<Job>, Maybe<Parameters>, Maybe<TrainingLoop>);
    type Limits = Limits;

    fn judge(
        (gradients, job, parameters, seen): (&Gradients, Option<&Job>, Option<&Parameters>, Option<&TrainingLoop>),
        limits: &Limits,
    ) -> Judgement {
        let trained: Vec<&ParameterGradient> = gradients.parameters.iter().filter(|p| p.trainable).collect();
        let unused = |p: &ParameterGradient| gradients.unused.contains(&p.name);
        let without: Vec<&str> = trained.iter().filter(|p| !p.reached).map(|p| p.name.as_str()).collect();
        let cut: Vec<&str> = trained.iter().filter(|p| !p.reached && !unused(p)).map(|p| p.name.as_str()).collect();
        let values = |wanted: fn(&ParameterGradient) -> bool| trained.iter().filter(|p| wanted(p)).map(|p| p.count as f64).sum::<f64>();
        let share = values(|p| !p.reached) / values(|_| true).max(1.0);
        let measured = format!("{} of {} trained tensors get no gradient ({} of the values)", without.len(), trained.len(), percent(share));
        let Some(first) = cut.first().or(without.first()) else {
            return Judgement::clear(measured);
        };
        let module = first.rsplit_once('.').map(|(module, _)| Location::module(module));
        if cut.is_empty() {
            return Finding {
                severity: Severity::Note,
                strength: between(share, 0.0, 1.0),
                message: format!("nothing uses {}: the output does not depend on them", names(&without)),
                measured,
                fix: "call them in `forward`, or remove them from the model".to_owned(),
                remedy: None,
                location: module,
            }
            .into();
        }
        let pretrained = |name: &&str| parameters.is_some_and(|p| p.tensors.iter().any(|t| t.name == **name && t.from_weights));
        let detached = !gradients.detached.is_empty() || job.is_some_and(|job| !job.recipe.model.detach.is_empty());
        Finding {
            severity: match () {
                () if cut.iter().all(pretrained) && cut.len() < trained.len() => Severity::Note,
                () if share > limits.error_share => Severity::Error,
                () => Severity::Warning,
            },
            strength: between(share, 0.0, 1.0),
            message: if cut.len() == trained.len() {
                "no gradient reaches any parameter, so nothing is learned".to_owned()
            } else {
                format!("no gradient reaches {}: the loss does not depend on them", names(&cut))
            },
            measured,
            fix: "remove `.detach()`, `.data`, `.item()` or `torch.no_grad()` between them and the loss".to_owned(),
            remedy: detached.then_some(Remedy::Reattach),
            location: Location::or_line(
                gradients.detached.last().cloned().or(module),
                // A part that is cut off stands in the model; where all is, it is the loss.
                seen.filter(|_| cut.len() == trained.len()).and_then(TrainingLoop::loss_line),
            ),
        }
        .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{clears, gradient, gradients, job, sound_loop, suspects, tensor};

    fn net(reached: [bool; 3]) -> Gradients {
        let parameter = |i: usize| ParameterGradient { reached: reached[i], ..gradient(&format!("layer{i}"), i as u64, 1e-3) };
        gradients((0..3).map(parameter).collect())
    }

    #[test]
    fn a_detached_body_is_an_error_that_can_be_reattached() {
        let mut job = job();
        job.recipe.model.detach = vec!["layer1".to_owned()];
        let finding = suspects::<GradientsMissing>((&net([false, false, true]), Some(&job), None, None));
        assert_eq!((finding.severity, finding.remedy), (Severity::Error, Some(Remedy::Reattach)));
        assert!(finding.message.contains("`layer0.weight`, `layer1.weight`"), "{}", finding.message);
        let place = Location { file: Some("model.py".to_owned()), line: Some(7), ..Location::module("layer1") };
        let exported = Gradients { detached: vec![place.clone()], ..net([false, false, true]) };
        let finding = suspects::<GradientsMissing>((&exported, None, None, None));
        assert_eq!((finding.remedy, finding.location), (Some(Remedy::Reattach), Some(place)));
        let finding = suspects::<GradientsMissing>((&net([false; 3]), None, None, Some(&sound_loop())));
        assert!(finding.message.contains("any parameter") && finding.remedy.is_none());
        assert_eq!(finding.location.and_then(|place| place.line), Some(20));
    }

    #[test]
    fn a_pretrained_body_without_gradient_is_a_note() {
        let layer = |name| crate::evidence::ParameterStatistics { from_weights: true, ..tensor(name, 0) };
        let parameters = Parameters { from_weights: true, tensors: vec![layer("layer0"), layer("layer1")] };
        assert_eq!(suspects::<GradientsMissing>((&net([false, false, true]), None, Some(&parameters), None)).severity, Severity::Note);
    }

    #[test]
    fn layers_that_are_never_called_are_a_note_of_their_own() {
        let spare = Gradients { unused: vec!["layer0.weight".to_owned()], ..net([false, true, true]) };
        let finding = suspects::<GradientsMissing>((&spare, None, None, None));
        assert_eq!((finding.severity, finding.location), (Severity::Note, Some(Location::module("layer0"))));
    }

    #[test]
    fn gradients_everywhere_are_clear() {
        clears::<GradientsMissing>((&net([true; 3]), None, None, None));
    }
}
