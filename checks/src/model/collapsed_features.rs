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
    /// A head, a gate or a branch that starts near zero, dead and saturated units are not counted: other checks judge parameters and activations. Nor
    /// is a model that learns, nor one in which the difference fades over many layers, which is how gradients vanish.
    ///
    /// ## Reference
    /// Karpathy 2019, "A Recipe for Training Neural Networks", on inputs that must matter. The limits are ours.
    CollapsedFeatures, "model" / "collapsed-features"
}

/// Limits of [`CollapsedFeatures`].
#[derive(Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Relative deviation across samples below which they look alike. Ours: rounding leaves 1e-7, healthy outputs 4e-3 or more.
    pub alike: f64,
    /// How many times smaller it gets in one operator. Ours: healthy operators lessen it tenfold at most.
    pub fall: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { alike: 1e-5, fall: 100.0 }
    }
}

/// What usually makes samples alike in operators with such a name.
const FIXES: [(&[&str], &str); 4] = [
    (&["select", "getitem", "slice", "index", "gather"], "look at what is taken: of padded sequences `out[arange(n), lengths - 1]`"),
    (&["softmax", "norm"], "look at its `dim` and its input's shape: over a single value it gives a constant"),
    (&["sub", "mul", "cosine"], "look at both operands: each must follow from its own input, no factor be zero"),
    (&["aten.to", "aten._to", "div", "floor", "round", "trunc", "clamp"], "keep floats: a cast, a rounding or a bound makes them equal"),
];
/// Where it is none of these.
const FIX: &str = "print `x.std(0).mean()` and the shape before and after that line: where samples cease to differ is the mistake";

/// Why a collapse is left to another check.
fn excuse(found: &Collapse, mixing: Option<&BatchMixing>) -> Option<&'static str> {
    let mixed = mixing.and_then(|mixing| mixing.first.as_ref()).is_some_and(|first| first.location == found.location);
    let activation = !matches!(found.kind, None | Some(NodeKind::Norm)) && !found.operator.contains("softmax");
    let sum = ["aten.add", "aten.cat", "aten.stack"].iter().any(|sum| found.operator.starts_with(sum));
    let known = [
        (mixed, "there the batch is mixed"),
        (sum, "where they are small beside the rest"),
        (found.by_parameters, "which depends on first values of parameters"),
        (activation, "an activation, judged by its dead or saturated units"),
    ];
    known.into_iter().find_map(|(applies, why)| applies.then_some(why))
}

impl Check for CollapsedFeatures {
    type Needs = (SampleDifferences, Maybe<Training>, Maybe<BatchMixing>);
    type Limits = Limits;

    fn judge((differences, training, mixing): <Self::Needs as Needs>::Ref<'_>, limits: &Limits) -> Judgement {
        let (samples, outputs) = (count(differences.samples, "sample"), number(differences.outputs.0));
        let Some(found) = &differences.collapse else {
            return Judgement::clear(format!("outputs deviate by {outputs} of their size across {samples}"));
        };
        let fall = found.reads.0 / found.gives.0.max(f64::MIN_POSITIVE);
        let [before, after, trained] = [found.reads, found.gives, found.trained].map(|x| number(x.0));
        let measured = format!("relative deviation across {samples}: {before} before, {after} after; {trained} when trained");
        if let Some(excuse) = excuse(found, mixing) {
            return Judgement::clear(format!("samples look alike after `{}`, {excuse}", found.operator));
        }
        let lasts = found.gives.0 <= limits.alike && found.trained.0 <= limits.alike;
        if !lasts || fall.is_nan() || fall < limits.fall || learns(training) {
            return Judgement::clear(measured);
        }
        let fix = FIXES.iter().find(|(names, _)| names.iter().any(|name| found.operator.contains(name)));
        Finding {
            severity: Severity::Error,
            strength: beyond(fall, limits.fall, 2.0),
            message: format!("after `{}` all samples look alike, so no answer depends on the input", found.operator),
            measured,
            fix: fix.map_or(FIX, |(_, fix)| fix).to_owned(),
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
        let (operator, location, [reads, gives, trained]) =
            ("aten.select.int".to_owned(), line(12).unwrap(), [0.4, 0.0, 1e-9].map(Into::into));
        let mut collapse = Collapse { operator, kind: None, by_parameters: false, location, reads, gives, trained };
        edit(&mut collapse);
        SampleDifferences { samples: 23, inputs: 0.9.into(), outputs: 0.0.into(), collapse: Some(collapse) }
    }

    #[test]
    fn the_operator_that_leaves_no_difference_is_named_with_its_line() {
        let finding = suspects::<CollapsedFeatures>((&net(|_| ()), None, None));
        assert_eq!((finding.severity, finding.location), (Severity::Error, line(12)));
        assert!(finding.fix.contains("padded"), "{}", finding.fix);
        assert!(suspects::<CollapsedFeatures>((&net(|c| c.operator = "aten.sub.Tensor".to_owned()), None, None)).fix.contains("operands"));
    }

    #[test]
    fn parameters_activations_and_what_training_mends_are_clear() {
        clears::<CollapsedFeatures>((&net(|c| c.by_parameters = true), None, None));
        clears::<CollapsedFeatures>((&net(|c| c.kind = Some(NodeKind::Relu)), None, None));
        clears::<CollapsedFeatures>((&net(|c| c.operator = "aten.add.Tensor".to_owned()), None, None)); // a branch of 1e-6
        clears::<CollapsedFeatures>((&net(|c| c.trained = 0.2.into()), None, None));
        clears::<CollapsedFeatures>((&net(|c| (c.reads, c.gives) = (3e-5.into(), 5e-6.into())), None, None)); // it fades
        clears::<CollapsedFeatures>((&net(|_| ()), Some(&training(&[0.7, 0.4], [[160, 40], [30, 170]])), None));
        let first = Some(MixingNode { operator: "aten.mean.dim".to_owned(), location: line(12).unwrap() });
        clears::<CollapsedFeatures>((&net(|_| ()), None, Some(&BatchMixing { samples: 4, mixed: true, first })));
    }

    #[test]
    fn outputs_that_differ_are_clear() {
        clears::<CollapsedFeatures>((&SampleDifferences { outputs: 0.02.into(), collapse: None, ..net(|_| ()) }, None, None));
    }
}
