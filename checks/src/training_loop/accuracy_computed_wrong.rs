//! An accuracy that is not one.

use serde::{Deserialize, Serialize};

use super::Part;
use crate::check::Check;
use crate::evidence::LoopMetric;
use crate::stats::between;
use crate::words::{number, percent};
use crate::{Finding, Judgement, Severity, describe};

describe! {
    /// The accuracy that is reported is not the model's.
    ///
    /// ## What it looks for
    /// The answer of your accuracy function against the share of the same samples whose largest output is at their target.
    ///
    /// ## Why it matters
    /// A model that has learned can stand at 50% on the screen: `argmax(0)` asks which sample, not which class; `outputs > 0.5` of logits,
    /// a comparison that broadcasts, a sum divided by the number of batches or of all samples. Every change made to the model is then
    /// made for nothing.
    ///
    /// ## What to do
    /// `(outputs.argmax(1) == targets).float().mean()`; for one output `((outputs > 0).long() == targets.long())`, both of shape (N).
    /// Over batches add up what is right and divide by the number of samples.
    ///
    /// ## False alarms
    /// Per cent and counts of right answers are recognised and pass. A function that averages over batches differs a little where the last
    /// one is smaller. Balanced accuracy, F1 or top-5 are other quantities: give the accuracy function, or ignore this.
    ///
    /// ## Reference
    /// torch.argmax, on its `dim`: the dimension that is reduced. 57% of practitioners met faults of validation (Humbatova et al. 2020).
    AccuracyComputedWrong, "loop" / "accuracy-computed-wrong"
}

/// Limits of [`AccuracyComputedWrong`].
#[derive(Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Difference between the two, 0..1. Ours: the mean over batches with a smaller last one differs by less.
    pub difference: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { difference: 0.05 }
    }
}

/// The reported number as a share: it may be in per cent, or a count of right answers.
fn share(metric: &LoopMetric) -> f64 {
    let (reported, recomputed) = (metric.reported.0, metric.recomputed.0);
    let units = [1.0, 100.0, metric.samples as f64].into_iter().filter(|unit| *unit == 1.0 || reported > 1.0 && *unit > 1.0);
    let shares = units.map(|unit| reported / unit);
    shares.min_by(|a, b| (a - recomputed).abs().total_cmp(&(b - recomputed).abs())).unwrap_or(reported)
}

impl Check for AccuracyComputedWrong {
    type Needs = Part<LoopMetric>;
    type Limits = Limits;

    fn judge(metric: &LoopMetric, limits: &Limits) -> Judgement {
        let (share, recomputed) = (share(metric), metric.recomputed.0);
        let (reported, samples) = (number(metric.reported.0), metric.samples);
        let measured = format!("reported {reported}, but {} of the same {samples} samples are right", percent(recomputed));
        let difference = (share - recomputed).abs();
        if samples == 0 || !recomputed.is_finite() || difference <= limits.difference {
            return Judgement::clear(measured.replace("but ", ""));
        }
        Finding {
            // One that says too much hides a fault; one that says too little is what keeps it at chance.
            severity: if share > recomputed { Severity::Warning } else { Severity::Error },
            strength: between(difference, limits.difference, 0.5),
            message: "the accuracy is computed wrongly: it is not that of the model's outputs".to_owned(),
            measured,
            fix: "compare `outputs.argmax(1)` with the targets, and divide what is right by the number of samples".to_owned(),
            remedy: None,
            location: metric.location.clone(),
        }
        .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{clears, sound_loop, suspects};

    fn metric(reported: f64, recomputed: f64) -> LoopMetric {
        LoopMetric { reported: reported.into(), recomputed: recomputed.into(), samples: 400, ..sound_loop().metric.unwrap() }
    }

    #[test]
    fn an_accuracy_that_hides_what_was_learned_is_an_error() {
        let finding = suspects::<AccuracyComputedWrong>(&metric(0.5, 0.93));
        assert_eq!((finding.severity, finding.remedy), (Severity::Error, None));
        assert_eq!(finding.measured, "reported 0.5, but 93% of the same 400 samples are right");
        for (reported, recomputed) in [(50.0, 0.93), (200.0, 0.93), (f64::NAN, 0.93), (0.029, 0.93)] {
            assert_eq!(suspects::<AccuracyComputedWrong>(&metric(reported, recomputed)).severity, Severity::Error, "{reported}");
        }
        assert_eq!(suspects::<AccuracyComputedWrong>(&metric(1.0, 0.5)).severity, Severity::Warning);
        assert_eq!(suspects::<AccuracyComputedWrong>(&metric(1.0, 0.0)).severity, Severity::Warning);
    }

    #[test]
    fn the_same_in_any_unit_is_clear() {
        for reported in [0.93, 93.0, 372.0, 0.92] {
            clears::<AccuracyComputedWrong>(&metric(reported, 0.93));
        }
        clears::<AccuracyComputedWrong>(&LoopMetric { samples: 0, ..metric(0.5, 0.93) });
    }
}
