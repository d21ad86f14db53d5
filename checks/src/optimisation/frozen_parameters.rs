//! Randomly initialised parameters that never change.

use serde::{Deserialize, Serialize};

use crate::check::{Check, Maybe, Needs};
use crate::evidence::{Gradients, Job, ParameterGradient, ParameterKind, Parameters, Training, TrainingLoop};
use crate::progress::learns;
use crate::recipe::OptimizerRecipe;
use crate::stats::between;
use crate::words::{names, percent};
use crate::{Finding, Judgement, Location, Remedy, Severity, describe};

describe! {
    /// Layers are frozen with the random values they started with.
    ///
    /// ## What it looks for
    /// Weights of linear and convolution layers that did not come from a weights file and that the recipe does not train: `requires_grad` is
    /// off, their learning rate is 0, or the optimizer's steps leave them as they are.
    ///
    /// ## Why it matters
    /// Freezing is for layers that already know something. Frozen at random they hand on a random projection of the image, and
    /// the few layers that train cannot undo that: accuracy ends near chance, or well below what the model can do.
    ///
    /// ## What to do
    /// Load weights before freezing (`resnet18(weights="DEFAULT")`), or do not freeze: `p.requires_grad_(True)`. Give the optimizer all
    /// parameters, after the head was replaced: `optim.SGD(model.parameters(), ...)`; and call `optimizer.step()`.
    ///
    /// ## False alarms
    /// Frozen pretrained layers are ordinary fine-tuning and pass, as do frozen normalisation layers and position codes. Random
    /// frozen features of a shallow net can serve an easy task; the experiment with everything trained decides.
    ///
    /// ## Reference
    /// TrainCheck (OSDI 2025): every parameter in the optimizer changes after `step()`. Yosinski et al. 2014 on frozen transferred layers.
    FrozenParameters, "optimisation" / "frozen-parameters"
}

/// Limits of [`FrozenParameters`].
#[derive(Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Share of the layers that must be frozen at random for an error. Ours: the larger part of the model.
    pub error_share: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { error_share: 0.5 }
    }
}

fn frozen(p: &ParameterGradient) -> bool {
    // A step below float32's resolution leaves a parameter as it is too: that is a rate too low or a gradient too small.
    let noticeable = p.lr.0 * p.norm.0 > 1e-6 * p.weight_norm.0;
    !p.trainable || p.lr.0 == 0.0 || noticeable && p.update_ratio.is_some_and(|ratio| ratio.0 == 0.0)
}

/// The recipe's optimizer without the groups that stand still.
fn moving(job: Option<&Job>) -> Option<OptimizerRecipe> {
    let mut optimizer = job?.recipe.optimizer.clone();
    optimizer.groups.retain(|group| group.lr > 0.0);
    (optimizer.lr > 0.0).then_some(optimizer)
}

impl Check for FrozenParameters {
    type Needs = (Gradients, Parameters, Maybe<Job>, Maybe<TrainingLoop>, Maybe<Training>);
    type Limits = Limits;

    fn judge((gradients, parameters, job, seen, training): <Self::Needs as Needs>::Ref<'_>, limits: &Limits) -> Judgement {
        // What the optimizer was never given is a fault of its own.
        let left_out = seen.and_then(|seen| seen.optimizer.as_ref()).map_or(&[][..], |optimizer| &optimizer.missing);
        let pretrained =
            |p: &ParameterGradient| parameters.tensors.iter().any(|t| t.name == p.name && (t.from_weights || t.unlike_fresh()));
        let own = gradients.parameters.iter().filter(|p| !left_out.contains(&p.name));
        let layers: Vec<_> = own.clone().filter(|p| p.kind == ParameterKind::Weight).collect();
        let still: Vec<_> = layers.iter().copied().filter(|p| frozen(p)).collect();
        let all = !layers.is_empty() && gradients.parameters.iter().all(frozen);
        let fresh: Vec<_> = still.iter().copied().filter(|p| all || !pretrained(p)).collect();
        let share = fresh.len() as f64 / layers.len().max(1) as f64;
        let (random, given) = (fresh.len(), still.len() - fresh.len());
        let measured = format!("{random} of {} layers frozen at random values ({}), {given} pretrained", layers.len(), percent(share));
        let Some(first) = fresh.first() else {
            return Judgement::clear(measured);
        };
        let (fix, remedy) = if fresh.iter().any(|p| !p.trainable) {
            let frozen = own.filter(|p| !p.trainable).map(|p| p.name.clone());
            let remedy = if left_out.is_empty() { Remedy::Unfreeze } else { Remedy::TrainAlso { parameters: frozen.collect() } };
            ("train them (`p.requires_grad_(True)`), or load pretrained weights before freezing", Some(remedy))
        } else if fresh.iter().any(|p| p.lr.0 == 0.0) {
            ("give them a learning rate above 0", moving(job).map(|to| Remedy::Optimizer { to }))
        } else {
            ("pass them to the optimizer (`optim.SGD(model.parameters(), ...)`) and call `optimizer.step()`", None)
        };
        Finding {
            severity: if share > limits.error_share && !learns(training) { Severity::Error } else { Severity::Warning },
            strength: between(share, 0.0, 1.0),
            message: if all {
                "no parameter is trained, so the model stays as it started".to_owned()
            } else {
                format!("{} never change from random values", names(&fresh.iter().map(|p| p.name.as_str()).collect::<Vec<_>>()))
            },
            measured,
            fix: fix.to_owned(),
            remedy,
            location: Location::or_line(
                first.name.rsplit_once('.').map(|(module, _)| Location::module(module)),
                seen.and_then(TrainingLoop::optimizer_line),
            ),
        }
        .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::ParameterStatistics;
    use crate::testing::{clears, gradient, gradients, job, line, sound_loop, suspects, tensor};

    fn net(from_weights: bool, edit: impl Fn(&mut ParameterGradient)) -> (Gradients, Parameters) {
        let names = ["layer0", "layer1", "fc"];
        let tensor = |name: &&str| ParameterStatistics { from_weights: from_weights && *name != "fc", ..tensor(name, 0) };
        let mut body: Vec<_> = names[..2].iter().map(|name| gradient(name, 0, 1e-3)).collect();
        body.iter_mut().for_each(edit);
        body.push(gradient("fc", 2, 1e-3));
        (gradients(body), Parameters { from_weights, tensors: names.iter().map(tensor).collect() })
    }

    #[test]
    fn a_body_frozen_at_random_is_an_error_however_it_is_frozen() {
        let (gradients, parameters) = net(false, |p| p.trainable = false);
        let finding = suspects::<FrozenParameters>((&gradients, &parameters, None, Some(&sound_loop()), None));
        assert_eq!(finding.location, Some(Location { module: "layer0".to_owned(), ..line(12).unwrap() }));
        assert_eq!((finding.severity, finding.remedy), (Severity::Error, Some(Remedy::Unfreeze)));
        let (gradients, parameters) = net(false, |p| p.lr = 0.0.into());
        let still = suspects::<FrozenParameters>((&gradients, &parameters, Some(&job()), None, None));
        assert!(matches!(still.remedy, Some(Remedy::Optimizer { .. })));
        let (gradients, parameters) = net(false, |p| p.update_ratio = Some(0.0.into()));
        assert_eq!(suspects::<FrozenParameters>((&gradients, &parameters, None, None, None)).remedy, None);
    }

    #[test]
    fn a_pretrained_frozen_body_and_a_moving_one_are_clear() {
        let (gradients, parameters) = net(true, |p| p.trainable = false);
        clears::<FrozenParameters>((&gradients, &parameters, None, None, None));
        let (gradients, parameters) = net(false, |_| ());
        clears::<FrozenParameters>((&gradients, &parameters, None, None, None));
    }
}
