//! Labels that say nothing about the inputs.

use serde::{Deserialize, Serialize};

use crate::check::{Check, Maybe};
use crate::data::constant_inputs::{self, ConstantInputs};
use crate::evidence::{InputStatistics, LabelContest, PermutedLabels, Score, Training};
use crate::progress::learns;
use crate::stats::between;
use crate::words::{count, percent};
use crate::{Finding, Judgement, Severity, describe};

describe! {
    /// The labels carry no information about the inputs.
    ///
    /// ## What it looks for
    /// A small reference network with a sound recipe of its own, trained once on the given labels and once on the same labels
    /// shuffled: does the first do better on held-out samples than guessing, beyond the noise of so many samples?
    ///
    /// ## Why it matters
    /// If labels and inputs are paired at random, nothing in model, loss or optimizer can help: every setting ends at chance.
    /// This is the control that tells wrong labels from a broken pipeline.
    ///
    /// ## What to do
    /// Look at twenty images with their labels. Usual causes: inputs shuffled without their labels, a table sorted or filtered
    /// after the images were listed, `zip` of two listings in different order, an augmentation that destroys the class.
    ///
    /// ## False alarms
    /// A task too hard for a small network in few steps (fine-grained classes, tiny objects) looks alike. Where your own training learns,
    /// or the inputs are all alike (constant-inputs), this is clear; where the interval admits a fifth of the way to perfect, a warning.
    ///
    /// ## Reference
    /// Ojala and Garriga 2010, "Permutation Tests for Studying Classifier Performance"; Zhang et al. 2017 train on random labels.
    UninformativeLabels, "labels" / "uninformative-labels"
}

/// Limits of [`UninformativeLabels`].
#[derive(Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Standard errors above guessing that count as better: one-sided 95% (Ojala and Garriga 2010 use p < 0.05).
    pub standard_errors: f64,
    /// Way from guessing to perfect that must be excluded for an error. Ours: Fashion-MNIST shirts reach 0.6.
    pub excluded: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { standard_errors: 1.645, excluded: 0.2 }
    }
}

/// Guessing's balanced accuracy over the classes that occur, and its standard error; none for fewer than two classes.
/// Whatever the class sizes, answers that do not depend on the input score 1/classes; the error is the largest they
/// can have where classes are of one size.
fn guessing(score: &Score) -> Option<(f64, f64)> {
    let sizes: Vec<f64> = score.confusion.iter().map(|row| row.iter().sum::<u64>() as f64).filter(|size| *size > 0.0).collect();
    let rate = 1.0 / sizes.len() as f64;
    let variance: f64 = sizes.iter().map(|size| rate * (1.0 - rate) / size).sum::<f64>() * rate * rate;
    (sizes.len() >= 2).then(|| (rate, variance.sqrt()))
}

impl Check for UninformativeLabels {
    type Needs = (PermutedLabels, Maybe<Training>, Maybe<InputStatistics>);
    type Limits = Limits;

    fn judge((labels, training, inputs): (&PermutedLabels, Option<&Training>, Option<&InputStatistics>), limits: &Limits) -> Judgement {
        let alike = inputs.and_then(|inputs| ConstantInputs::judge(inputs, &constant_inputs::Limits::default()).finding().cloned());
        if alike.is_some_and(|finding| finding.severity == Severity::Error) {
            return Judgement::clear("inputs do not differ, so labels cannot be judged");
        }
        let Some((guess, error)) = labels.contests.first().and_then(|contest| guessing(&contest.given)) else {
            return Judgement::clear("no held-out samples of two classes to compare");
        };
        let mean = |score: fn(&LabelContest) -> &Score| {
            labels.contests.iter().map(|contest| score(contest).balanced_accuracy()).sum::<f64>() / labels.contests.len() as f64
        };
        let (given, permuted, margin) = (mean(|c| &c.given), mean(|c| &c.permuted), limits.standard_errors * error);
        let measured = format!(
            "balanced accuracy {}, shuffled labels {}, guessing {} + {} noise ({})",
            percent(given),
            percent(permuted),
            percent(guess),
            percent(margin),
            count(labels.contests.len() as u64, "seed"),
        );
        if given > guess + margin || learns(training) {
            return Judgement::clear(measured);
        }
        let excluded = given + margin < guess + limits.excluded * (1.0 - guess);
        Finding {
            severity: if excluded { Severity::Error } else { Severity::Warning },
            strength: between(guess + margin - given, 0.0, margin),
            message: "the labels carry no information about the inputs: shuffled ones are learned as well".to_owned(),
            measured,
            fix: "look at samples with their labels; keep inputs and labels paired when shuffling or filtering".to_owned(),
            remedy: None,
            location: None,
        }
        .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{clears, score, suspects, training};

    fn contest(given: [[u64; 2]; 2]) -> PermutedLabels {
        let contest = LabelContest { given: score(given), permuted: score([[97, 103], [104, 96]]) };
        PermutedLabels { learner: "small-cnn".to_owned(), steps: 60, contests: vec![contest] }
    }

    #[test]
    fn chance_on_four_hundred_samples_is_an_error_and_on_forty_a_warning() {
        assert_eq!(suspects::<UninformativeLabels>((&contest([[100, 100], [105, 95]]), None, None)).severity, Severity::Error);
        assert_eq!(suspects::<UninformativeLabels>((&contest([[11, 9], [10, 10]]), None, None)).severity, Severity::Warning);
    }

    #[test]
    fn a_constant_answer_to_unbalanced_data_is_not_better_than_guessing() {
        suspects::<UninformativeLabels>((&contest([[380, 0], [20, 0]]), None, None));
    }

    #[test]
    fn labels_that_are_learned_by_either_network_are_clear() {
        clears::<UninformativeLabels>((&contest([[160, 40], [30, 170]]), None, None));
        clears::<UninformativeLabels>((&contest([[100, 100], [105, 95]]), Some(&training(&[0.7], [[160, 40], [30, 170]])), None));
    }
}
