//! An operator behind which all samples look alike.

use serde::{Deserialize, Serialize};

use crate::check::{Check, Maybe, Needs};
use crate::evidence::{BatchMixing, Collapse, NodeKind, SampleDifferences, Training};
use crate::progress::learns;
use crate::stats::beyond;
use crate::words::{count, number};
use crate::{Finding, Judgement, Severity, describe};

describe! {
    /// Behind one operator of the model all samples look alike, so no answer can depend on the input.
    ///
    /// ## What it looks for
    /// Outputs that are the same whatever the sample, before training, and the operator that reads values in which the samples differ and gives
    /// values in which they do not, before training and after.
    ///
    /// ## Why it matters
    /// What an operator drops, no later layer sees and no gradient brings back: the model learns the class frequencies. Usual forms: the last hidden
    /// state of a padded sequence, a softmax or a norm over one value, the difference of something with itself, pixels cast to integers, a zero mask.
    ///
    /// ## What to do
    /// Print `x.std(0).mean()` before and after the line that is named. Take the last step that is no padding, give softmax and norms a dimension
    /// of more than one value, give each branch its own input, divide before casting.
    ///
    /// ## False alarms
    /// A head or a gate that starts at zero, dead and saturated units are not counted: other checks judge parameters and activations. Nor is a model that
    /// learns, nor one in which the difference fades over many layers, which is how gradients vanish.
    ///
    /// ## Reference
    /// Karpathy 2019, "A Recipe for Training Neural Networks", on inputs that must matter. The limits are ours.
    CollapsedFeatures, "model" / "collapsed-features"
}

/// Limits of [`CollapsedFeatures`].
#[derive(Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Deviation across samples, relative to the values, below which they look alike. Ours: rounding leaves 1e-7; the outputs of
    /// untrained torchvision and timm classifiers have 1e-3 or more.
    pub alike: f64,
    /// How many times smaller it gets in one operator. Ours: healthy operators lessen it tenfold at most.
    pub fall: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { alike: 1e-4, fall: 100.0 }
    }
}

/// What usually makes samples alike in an operator of that name.
fn fix(operator: &str) -> &'static str {
    let has = |names: &[&str]| names.iter().any(|name| operator.contains(name));
    if has(&["select", "getitem", "slice", "index", "gather", "lstm", "gru", "rnn"]) {
        "print what is taken there: the last step of padded sequences is padding; take `out[arange(n), lengths - 1]`"
    } else if has(&["softmax", "norm"]) {
        "look at its `dim` and its input's shape: over a single value it gives a constant"
    } else if has(&["sub", "mul", "div", "cosine"]) {
        "look at both operands: each must follow from its own input, and a mask or factor must not be zero everywhere"
    } else if has(&["to", "type", "floor", "round", "clamp"]) {
        "keep floats: a cast, a rounding or a bound makes these values equal; scale them first"
    } else {
        "print `x.std(0).mean()` before and after that line, and its shape: where the samples stop to differ is the mistake"
    }
}

/// Why a collapse is left to another check.
fn excuse(found: &Collapse, mixing: Option<&BatchMixing>) -> Option<&'static str> {
    let mixed = mixing.and_then(|mixing| mixing.first.as_ref()).is_some_and(|first| first.location == found.location);
    let activation = !matches!(found.kind, None | Some(NodeKind::Norm)) && !found.operator.contains("softmax");
    match found.by_parameters {
        _ if mixed => Some("there the batch is mixed"),
        true => Some("which depends on first values of parameters"),
        false => activation.then_some("an activation, judged by its dead or saturated units"),
    }
}

impl Check for CollapsedFeatures {
    type Needs = (SampleDifferences, Maybe<Training>, Maybe<BatchMixing>);
    type Limits = Limits;

    fn judge((differences, training, mixing): <Self::Needs as Needs>::Ref<'_>, limits: &Limits) -> Judgement {
        let samples = count(differences.samples, "sample");
        let Some(found) = &differences.collapse else {
            return Judgement::clear(format!("outputs deviate by {} of their size across {samples}", number(differences.outputs.0)));
        };
        let (reads, gives) = (found.reads.0, found.gives.0.max(f64::MIN_POSITIVE));
        let [before, after, trained] = [found.reads, found.gives, found.trained].map(|x| number(x.0));
        let measured = format!("relative deviation across {samples}: {before} before, {after} after; {trained} when trained");
        if let Some(excuse) = excuse(found, mixing) {
            return Judgement::clear(format!("samples look alike after `{}`, {excuse}", found.operator));
        }
        let lasts = found.gives.0 <= limits.alike && found.trained.0 <= limits.alike;
        if !lasts || reads / gives < limits.fall || reads.is_nan() || learns(training) {
            return Judgement::clear(measured);
        }
        Finding {
            severity: Severity::Error,
            strength: beyond(reads / gives, limits.fall, 2.0),
            message: format!("after `{}` all samples look alike, so no answer depends on the input", found.operator),
            measured,
            fix: fix(&found.operator).to_owned(),
            remedy: None,
            location: Some(found.location.clone()),
        }
        .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::MixingNode;
    use crate::testing::{clears, line, suspects, training};

    fn net(edit: impl Fn(&mut Collapse)) -> SampleDifferences {
        let (operator, location) = ("aten.select.int".to_owned(), line(12).unwrap());
        let (reads, gives, trained) = (0.4.into(), 0.0.into(), 1e-9.into());
        let mut collapse = Collapse { operator, kind: None, by_parameters: false, location, reads, gives, trained };
        edit(&mut collapse);
        SampleDifferences { samples: 23, inputs: 0.9.into(), outputs: 0.0.into(), collapse: Some(collapse) }
    }

    #[test]
    fn the_operator_that_leaves_no_difference_is_named_with_its_line() {
        let finding = suspects::<CollapsedFeatures>((&net(|_| ()), None, None));
        assert_eq!((finding.severity, finding.location), (Severity::Error, line(12)));
        assert!(finding.fix.contains("padding"), "{}", finding.fix);
        assert!(suspects::<CollapsedFeatures>((&net(|c| c.operator = "aten.sub.Tensor".to_owned()), None, None)).fix.contains("operands"));
    }

    #[test]
    fn parameters_activations_and_what_training_mends_are_clear() {
        clears::<CollapsedFeatures>((&net(|c| c.by_parameters = true), None, None));
        clears::<CollapsedFeatures>((&net(|c| c.kind = Some(NodeKind::Relu)), None, None));
        clears::<CollapsedFeatures>((&net(|c| c.trained = 0.2.into()), None, None));
        clears::<CollapsedFeatures>((&net(|c| (c.reads, c.gives) = (3e-4.into(), 5e-5.into())), None, None)); // it fades
        clears::<CollapsedFeatures>((&net(|_| ()), Some(&training(&[0.7, 0.4], [[160, 40], [30, 170]])), None));
        let first = Some(MixingNode { operator: "aten.mean.dim".to_owned(), location: line(12).unwrap() });
        clears::<CollapsedFeatures>((&net(|_| ()), None, Some(&BatchMixing { samples: 4, mixed: true, first })));
    }

    #[test]
    fn outputs_that_differ_are_clear() {
        clears::<CollapsedFeatures>((&SampleDifferences { outputs: 0.02.into(), collapse: None, ..net(|_| ()) }, None, None));
    }
}
