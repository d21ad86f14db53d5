//! Outputs and targets of other shapes.

use serde::{Deserialize, Serialize};

use super::{Part, short};
use crate::check::Check;
use crate::evidence::LoopCriterion;
use crate::recipe::Loss;
use crate::{Finding, Judgement, Remedy, Severity, describe};

describe! {
    /// The criterion compares outputs with targets that do not belong to them, because their shapes differ.
    ///
    /// ## What it looks for
    /// Outputs (N, 1) against targets (N), which are broadcast to N x N pairs; and class ids given to a criterion for numbers,
    /// such as `nn.MSELoss`, that has several outputs a sample.
    ///
    /// ## Why it matters
    /// Broadcast, every output is compared with the targets of all samples of the batch. The best answer to that is the mean of the
    /// targets for every input: the loss falls a little, stands, and the accuracy is that of guessing. torch only warns. Against a
    /// class id all outputs of a sample learn the same number.
    ///
    /// ## What to do
    /// `outputs.squeeze(1)` or `targets.unsqueeze(1)`, so that both have the same shape. For class ids use `nn.CrossEntropyLoss`, or
    /// `F.one_hot(targets, classes).float()` with `nn.MSELoss`.
    ///
    /// ## False alarms
    /// A target that is expanded to the outputs on purpose, such as one number for all, compares each output once and passes, as does a
    /// batch of one sample.
    ///
    /// ## Reference
    /// torch.nn.functional.mse_loss warns that other sizes "will likely lead to incorrect results due to broadcasting"; for binary
    /// cross-entropy they are an error. 67% of practitioners met faults of tensor shape (Humbatova et al. 2020).
    LossShapeMismatch, "loop" / "loss-shape-mismatch"
}

/// [`LossShapeMismatch`] has none: shapes fit or they do not.
#[derive(Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {}

/// Criteria for numbers, by parts of their names in small letters: each output has a target of its own.
const FOR_NUMBERS: [&str; 4] = ["mseloss", "mse_loss", "l1", "huber"];

/// Number of comparisons that broadcasting makes; none where torch would refuse the shapes.
fn comparisons(outputs: &[u64], targets: &[u64]) -> Option<f64> {
    let of = |shape: &[u64], from_end: usize| shape.iter().rev().nth(from_end).copied().unwrap_or(1);
    let pairs = (0..outputs.len().max(targets.len())).map(|i| (of(outputs, i), of(targets, i)));
    pairs.map(|(a, b)| (a == b || a == 1 || b == 1).then_some(if a == 1 { b } else { a } as f64)).product()
}

fn shape(shape: &[u64]) -> String {
    let sizes: Vec<String> = shape.iter().take(4).map(u64::to_string).collect();
    format!("[{}{}]", sizes.join(", "), if shape.len() > 4 { ", ..." } else { "" })
}

impl Check for LossShapeMismatch {
    type Needs = Part<LoopCriterion>;
    type Limits = Limits;

    fn judge(criterion: &LoopCriterion, _: &Limits) -> Judgement {
        let (outputs, targets) = (&criterion.outputs[..], &criterion.targets[..]);
        let values = |shape: &[u64]| shape.iter().map(|n| *n as f64).product::<f64>();
        let class = criterion.class.to_lowercase();
        let pairs = criterion.broadcast && comparisons(outputs, targets).is_some_and(|n| n > values(outputs).max(values(targets)));
        let per_sample = outputs.len() == 2 && outputs[1] > 1 && values(targets) == outputs[0] as f64 && outputs[0] > 1;
        let ids = per_sample && FOR_NUMBERS.iter().any(|part| class.contains(part));
        let measured = format!("outputs {} against targets {}", shape(outputs), shape(targets));
        let (message, fix, remedy) = if pairs {
            let message = "every output is compared with the targets of other samples too, so the best answer is the same for all";
            (
                message,
                "give both the same shape: `outputs.squeeze(1)` or `targets.unsqueeze(1)` before the criterion",
                class.contains("mse").then_some(Loss::Mse),
            )
        } else if ids {
            let message = "a criterion for numbers is given class ids, so all outputs of a sample learn the same number";
            (message, "use `nn.CrossEntropyLoss` with class ids, or one-hot targets: `F.one_hot(targets, classes).float()`", None)
        } else {
            return Judgement::clear(measured);
        };
        Finding {
            severity: Severity::Error,
            strength: 1.0,
            message: message.to_owned(),
            measured: format!("{measured} in `{}`", short(&criterion.class)),
            fix: fix.to_owned(),
            remedy: remedy.map(|to| Remedy::Loss { to }),
            location: criterion.location.clone(),
        }
        .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{clears, sound_loop, suspects};

    fn given(class: &str, outputs: &[u64], targets: &[u64]) -> LoopCriterion {
        let (outputs, targets, class) = (outputs.to_vec(), targets.to_vec(), class.to_owned());
        LoopCriterion { broadcast: outputs != targets && class.contains("MSE"), outputs, targets, class, ..sound_loop().criterion.unwrap() }
    }

    #[test]
    fn a_column_against_a_row_is_every_pair() {
        let finding = suspects::<LossShapeMismatch>(&given("torch.nn.modules.loss.MSELoss", &[32, 1], &[32]));
        assert_eq!(finding.measured, "outputs [32, 1] against targets [32] in `MSELoss`");
        assert!(finding.fix.contains("squeeze(1)") && finding.location.is_some());
        assert_eq!(finding.remedy, Some(Remedy::Loss { to: Loss::Mse }));
    }

    #[test]
    fn class_ids_are_no_numbers() {
        for (outputs, targets) in [([32, 10], &[32, 1][..]), ([10, 10], &[10])] {
            assert!(suspects::<LossShapeMismatch>(&given("MSELoss", &outputs, targets)).fix.contains("one_hot"));
        }
    }

    #[test]
    fn shapes_that_belong_together_are_clear() {
        let of = |class, outputs: &[u64], targets: &[u64]| clears::<LossShapeMismatch>(&given(class, outputs, targets));
        of("torch.nn.functional.cross_entropy", &[32, 10], &[32]);
        of("MSELoss", &[32, 10], &[32, 10]);
        of("MSELoss", &[32, 1], &[32, 1]);
        of("MSELoss", &[32, 1], &[1]);
        of("MSELoss", &[1, 1], &[1]);
        of("MSELoss", &[32, 10], &[10]);
        of("BCEWithLogitsLoss", &[32], &[32]);
    }
}
