//! A model that answers one class.

use serde::{Deserialize, Serialize};

use crate::check::{Check, Maybe};
use crate::evidence::{ClassCounts, ParameterKind, Parameters, Score, Training, TrainingRun};
use crate::stats::between;
use crate::words::{count, percent};
use crate::{Finding, Judgement, Severity, describe};

describe! {
    /// After training the model answers one class for nearly everything.
    ///
    /// ## What it looks for
    /// A confusion matrix with one full column: one class has nearly all answers on held-out samples, far more than its share of them.
    ///
    /// ## Why it matters
    /// An accuracy of 50% on two classes has two very different forms: answers at random, and one answer always. The second says
    /// that the output does not depend on the input, which points to a dead or saturated network, a rate too high, batches
    /// sorted by class or a strong imbalance, rather than to a task too hard.
    ///
    /// ## What to do
    /// It is a symptom: mend the other findings first. Print `confusion_matrix(labels, predictions)` and the logits of a few
    /// samples: equal logits mean a dead network; logits that differ by sample but favour one class, an imbalance or a bias.
    ///
    /// ## False alarms
    /// On imbalanced data the frequent class rightly has most answers; the limit lies well above its share. In the first steps every network
    /// favours one class. With batch norm, evaluation lags behind training for some dozens of steps: that is a note.
    ///
    /// ## Reference
    /// The limits are ours. UMLAUT and DeepDiagnosis watch accuracy alone, which does not tell the two forms apart.
    CollapsedPredictions, "evaluation" / "collapsed-predictions"
}

/// Limits of [`CollapsedPredictions`].
#[derive(Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Share of the answers that one class may have. traintools' share for a dominated batch.
    pub share: f64,
    /// And on imbalanced data: the way from its share of the samples to all of them. Ours.
    pub excess: f64,
    /// Held-out samples needed. Ours: fewer fall to one class by chance.
    pub samples: u64,
    /// Training loss over the loss on the same samples in evaluation mode below which batch norm lags. Ours: healthy
    /// ResNet-50 and VGG-16 with batch norm reach 0.6 after 25 steps.
    pub lag: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { share: 0.95, excess: 0.8, samples: 20, lag: 0.8 }
    }
}

/// The class with most answers, their share, and the limit to it; none where too little was held out.
fn dominance(score: &Score, limits: &Limits) -> Option<(usize, f64, f64)> {
    let sizes: Vec<u64> = score.confusion.iter().map(|row| row.iter().sum()).collect();
    let total: u64 = sizes.iter().sum();
    let (share, class) = score.dominant_prediction();
    let own = sizes.get(class).copied().unwrap_or(0) as f64 / total.max(1) as f64;
    let classes = sizes.iter().filter(|size| **size > 0).count();
    (classes >= 2 && total >= limits.samples).then(|| (class, share, limits.share.max(own + limits.excess * (1.0 - own))))
}

impl Check for CollapsedPredictions {
    type Needs = (Training, Maybe<ClassCounts>, Maybe<Parameters>);
    type Limits = Limits;

    fn judge((training, counts, parameters): (&Training, Option<&ClassCounts>, Option<&Parameters>), limits: &Limits) -> Judgement {
        let runs: Vec<_> = training.runs.iter().filter_map(|run| dominance(&run.held_out, limits)).collect();
        let Some(samples) = training.runs.first().map(|run| run.held_out.samples).filter(|_| !runs.is_empty()) else {
            return Judgement::clear("too few held-out samples of two classes to tell");
        };
        let collapsed: Vec<_> = runs.iter().filter(|(_, share, limit)| share > limit).collect();
        let mean = runs.iter().map(|(_, share, _)| share).sum::<f64>() / runs.len() as f64;
        let measured = format!(
            "one class has {} of the answers ({}, {} of {} collapsed)",
            percent(mean),
            count(samples, "held-out sample"),
            collapsed.len(),
            count(runs.len() as u64, "seed")
        );
        let Some((class, ..)) = collapsed.first().filter(|_| 2 * collapsed.len() >= runs.len()) else {
            return Judgement::clear(measured);
        };
        let name = counts.and_then(|counts| counts.classes.get(*class)).map_or_else(|| class.to_string(), |class| class.name.clone());
        let excess = collapsed.iter().map(|(_, share, limit)| between(*share, *limit, 1.0)).sum::<f64>() / collapsed.len() as f64;
        let normalised = parameters.is_some_and(|p| p.tensors.iter().any(|t| t.kind == ParameterKind::NormWeight));
        let lags = normalised && training.mean(TrainingRun::final_loss) < limits.lag * training.mean(|run| run.train.loss.0);
        Finding {
            severity: if lags { Severity::Note } else { Severity::Warning },
            strength: excess.clamp(0.0, 1.0),
            message: if lags {
                format!("in evaluation mode the model answers `{name}` whatever it is shown, although the training loss fell")
            } else if collapsed.iter().all(|(other, ..)| other == class) {
                format!("the model answers `{name}` whatever it is shown")
            } else {
                format!("the model answers one class whatever it is shown, `{name}` or another by seed")
            },
            measured,
            fix: if lags {
                "train longer before `model.eval()`: batch norm's running statistics lag behind (`momentum`, batch size)"
            } else {
                "mend the other findings first; print `confusion_matrix(labels, predictions)` and some logits"
            }
            .to_owned(),
            remedy: None,
            location: None,
        }
        .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::ParameterStatistics;
    use crate::testing::{clears, suspects, tensor, training};

    #[test]
    fn one_full_column_is_a_collapse() {
        let finding = suspects::<CollapsedPredictions>((&training(&[0.7], [[200, 0], [198, 2]]), None, None));
        assert_eq!(finding.severity, Severity::Warning);
        assert!(finding.message.contains("`0`"), "{}", finding.message);
    }

    #[test]
    fn batch_norm_that_lags_in_evaluation_mode_is_a_note() {
        let norm = ParameterStatistics { kind: ParameterKind::NormWeight, ..tensor("bn1", 0) };
        let parameters = Parameters { from_weights: false, tensors: vec![norm] };
        let fell = training(&[0.7, 0.3, 0.2], [[200, 0], [198, 2]]); // evaluated at 0.6
        assert_eq!(suspects::<CollapsedPredictions>((&fell, None, Some(&parameters))).severity, Severity::Note);
    }

    #[test]
    fn answers_at_random_and_honest_majorities_are_clear() {
        clears::<CollapsedPredictions>((&training(&[0.7], [[100, 100], [100, 100]]), None, None));
        clears::<CollapsedPredictions>((&training(&[0.7], [[384, 0], [6, 10]]), None, None)); // 96% to 4%, most of it right
        clears::<CollapsedPredictions>((&training(&[0.7], [[400, 0], [0, 0]]), None, None));
        clears::<CollapsedPredictions>((&training(&[0.7], [[5, 0], [5, 0]]), None, None));
    }
}
