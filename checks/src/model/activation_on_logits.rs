//! Outputs that are not what the criterion takes.

use serde::{Deserialize, Serialize};

use crate::check::{Check, Maybe};
use crate::evidence::{Job, Logits, OutputValues, TrainingLoop};
use crate::recipe::Loss;
use crate::words::number;
use crate::{Finding, Judgement, Location, Remedy, Severity, describe};

describe! {
    /// An activation stands between the last layer and a criterion that takes logits, or is missing where one is needed.
    ///
    /// ## What it looks for
    /// Softmax, sigmoid, ReLU or tanh in front of `nn.CrossEntropyLoss` or `nn.BCEWithLogitsLoss`; outputs that are not log-probabilities in
    /// front of `nn.NLLLoss`, or not probabilities in front of `nn.BCELoss`. Read from the graph, else from the values (rows that sum to 1, exact zeros).
    ///
    /// ## Why it matters
    /// `nn.CrossEntropyLoss` applies log-softmax itself. Given probabilities it cannot fall below ln(1 + (C-1)/e): 0.313 for two classes, 1.461
    /// for ten. A ReLU stops the gradient of every negative logit. `nn.NLLLoss` on logits has no lower end: it falls for ever, nothing is learned.
    ///
    /// ## What to do
    /// Return logits from `forward` and apply `softmax` only where you read probabilities; or pair `log_softmax` with `nn.NLLLoss`.
    ///
    /// ## False alarms
    /// Log-softmax before cross-entropy changes nothing; sigmoid or softmax suit `nn.BCELoss` and `nn.MSELoss`. With two classes a softmax only slows.
    ///
    /// ## Reference
    /// torch.nn.CrossEntropyLoss: "the input is expected to contain the unnormalized logits". UMLAUT (Schoop et al. 2021).
    ActivationOnLogits, "model" / "activation-on-logits"
}

/// Limits of [`ActivationOnLogits`].
#[derive(Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// How far a row's sum (of exponentials) may be from 1 to count as (log-)probabilities. Ours: float32 rounding over 1000 classes.
    pub sum: f64,
    /// Share of exact zeros that shows a ReLU. Ours: a linear layer's outputs are never exactly 0.
    pub zeros: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { sum: 1e-3, zeros: 0.05 }
    }
}

/// The function that must not be there, or what is missing; with the edit that mends it.
fn fault(loss: Loss, functions: &[&str], logits: &Logits) -> Option<(String, &'static str, Option<Remedy>)> {
    let (last, before) = functions.split_last().map_or((None, functions), |(last, before)| (Some(*last), before));
    let (right, missing): (&[&str], _) = match loss {
        Loss::CrossEntropy => (&["log-softmax"], None),
        Loss::BceWithLogits => (&[], None),
        Loss::Mse => (&["softmax", "sigmoid", "tanh", "relu"], None),
        Loss::Nll => (&["log-softmax"], Some((Loss::CrossEntropy, "log-probabilities"))),
        Loss::Bce => (&["sigmoid", "softmax"], Some((Loss::BceWithLogits, "probabilities"))),
        Loss::Exported => return None, // What it takes is not known.
    };
    let ends_right = last.is_some_and(|function| right.contains(&function));
    let fits = |v: &OutputValues| loss == Loss::Bce && last.is_none() && v.min.0 >= 0.0 && v.max.0 <= 1.0;
    match missing.filter(|_| !(ends_right || fits(&logits.initial) && fits(&logits.trained))) {
        Some((to, what)) => {
            let message = format!("{loss} takes {what}, but the model returns {}", last.unwrap_or("logits"));
            Some((message, "return logits and use `nn.CrossEntropyLoss` or `nn.BCEWithLogitsLoss`", Some(Remedy::Loss { to })))
        }
        None => (if ends_right { before.last() } else { last.as_ref() }).map(|wrong| {
            let message = format!("{wrong} on the logits keeps {loss} from using their full range");
            let drop = missing.is_none().then_some(Remedy::DropOutputActivation);
            (message, "return the last layer's output; apply softmax only to read probabilities", drop)
        }),
    }
}

impl Check for ActivationOnLogits {
    type Needs = (Job, Logits, Maybe<TrainingLoop>);
    type Limits = Limits;

    fn judge((job, logits, watched): (&Job, &Logits, Option<&TrainingLoop>), limits: &Limits) -> Judgement {
        let (v, loss) = (&logits.trained, TrainingLoop::loss_in_force(watched, job.recipe.loss));
        let seen = logits.signature(limits.sum, limits.zeros).filter(|_| logits.trailing.is_empty());
        let functions: Vec<&str> = logits.trailing.iter().map(|t| t.function.as_str()).chain(seen).collect();
        let shown = functions.last().copied().unwrap_or("logits");
        let mut measured = format!("{shown} before {loss}: outputs {} to {}", number(v.min.0), number(v.max.0));
        let Some((message, fix, remedy)) = fault(loss, &functions, logits) else {
            return Judgement::clear(measured);
        };
        let [floor, even] = [std::f64::consts::E, 1.0].map(|by| ((logits.outputs.max(2) as f64 - 1.0) / by).ln_1p());
        let floored = loss == Loss::CrossEntropy && matches!(shown, "softmax" | "sigmoid");
        if floored {
            measured = format!("{shown} before {loss}: loss at least {}, {} by guessing", number(floor), number(even));
        }
        Finding {
            severity: if floored && floor < 0.5 * even { Severity::Warning } else { Severity::Error },
            strength: if logits.trailing.is_empty() { 0.8 } else { 1.0 },
            message,
            measured,
            fix: fix.to_owned(),
            remedy,
            location: Location::or_line(logits.last_place(), watched.and_then(TrainingLoop::between_line)),
        }
        .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::TrailingActivation;
    use crate::testing::{clears, job, outputs, sound_loop, suspects};

    fn case(loss: Loss, function: Option<&str>, values: OutputValues) -> (Job, Logits) {
        let mut job = job();
        job.recipe.loss = loss;
        let trailing = function.map(|f| TrailingActivation { function: f.to_owned(), location: Location::module("head") });
        (job, Logits { samples: 400, outputs: 2, trailing: trailing.into_iter().collect(), initial: values.clone(), trained: values })
    }

    #[test]
    fn outputs_that_the_criterion_does_not_take_are_suspected() {
        let (wide, softmax) = (outputs(-2.0, 2.5), OutputValues { row_sum_off_one: 1e-7.into(), ..outputs(0.01, 0.99) });
        for (loss, function, values, remedy) in [
            (Loss::BceWithLogits, Some("sigmoid"), &wide, Remedy::DropOutputActivation),
            (Loss::CrossEntropy, None, &softmax, Remedy::DropOutputActivation),
            (Loss::Nll, None, &wide, Remedy::Loss { to: Loss::CrossEntropy }),
            (Loss::Bce, None, &wide, Remedy::Loss { to: Loss::BceWithLogits }),
        ] {
            let (job, logits) = case(loss, function, values.clone());
            assert_eq!(suspects::<ActivationOnLogits>((&job, &logits, None)).remedy, Some(remedy));
        }
    }

    #[test]
    fn outputs_that_it_takes_are_clear() {
        let log = Some("log-softmax");
        for (loss, function) in [(Loss::CrossEntropy, None), (Loss::CrossEntropy, log), (Loss::Nll, log), (Loss::Bce, Some("sigmoid"))] {
            let (job, logits) = case(loss, function, outputs(-2.0, 2.5));
            clears::<ActivationOnLogits>((&job, &logits, None));
        }
    }

    #[test]
    fn a_criterion_inside_the_exported_model_is_known_from_the_loop() {
        let (job, logits) = case(Loss::Exported, Some("softmax"), outputs(0.01, 0.99));
        clears::<ActivationOnLogits>((&job, &logits, None));
        let message = suspects::<ActivationOnLogits>((&job, &logits, Some(&sound_loop()))).message;
        assert_eq!(message, "softmax on the logits keeps cross-entropy from using their full range");
    }
}
