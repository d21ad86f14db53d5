//! What a remedy bought, with its interval.

use nanprobe_checks::evidence::TrainingRun;
use nanprobe_checks::progress::{LEARNS, way};
use nanprobe_checks::stats::Interval;
use nanprobe_checks::{Real, Remedy};

use crate::diagnosis::{Criterion, Effect};

/// Differences smaller than this are of no interest, in balanced accuracy.
const LEAST: f64 = 0.02;
/// A gain as large as this is not called harmless as long as the interval admits it.
const MATERIAL: f64 = 0.1;
/// A training loss that falls to this share of the untreated one counts where accuracy does not move yet.
const FASTER: f64 = 0.7;
/// Below this, as a share of the way from guessing to perfect, a training has not begun to learn.
const STUCK: f64 = 0.1;
/// A remedy with which learning takes this share of the steps counts where the accuracy after the last step is the same.
const QUICKER: f64 = 0.5;

/// How wide an interval is, in standard errors.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Confidence(f64);

impl Confidence {
    /// 95% over all looks together (Bonferroni): seeds are added until the interval decides, so it is looked at repeatedly.
    pub fn after_looks(looks: usize) -> Self {
        Self(match looks {
            0 | 1 => 1.960,
            2 => 2.241,
            3 => 2.394,
            _ => 2.576,
        })
    }
}

/// Held-out balanced accuracy, mean over the runs; 0 without runs.
pub fn accuracy(runs: &[TrainingRun]) -> f64 {
    runs.iter().map(|run| run.held_out.balanced_accuracy()).sum::<f64>() / runs.len().max(1) as f64
}

/// The paired difference over the seeds that both have; none where they share no seed.
///
/// The variance is the larger of what the seeds show and what drawing the held-out samples implies
/// (binomial, each arm by itself): three seeds that happen to agree are not a certainty.
pub fn effect(before: &[TrainingRun], after: &[TrainingRun], remedy: &Remedy, with: Vec<String>, confidence: Confidence) -> Option<Effect> {
    let pairs: Vec<(&TrainingRun, &TrainingRun)> = before.iter().zip(after).collect();
    let &(first, _) = pairs.first()?;
    let n = pairs.len() as f64;
    let differences: Vec<f64> = pairs.iter().map(|(b, a)| a.held_out.balanced_accuracy() - b.held_out.balanced_accuracy()).collect();
    let mean = differences.iter().sum::<f64>() / n;
    let between_seeds = differences.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
    let (p, q) = (accuracy(before), accuracy(after));
    let sampling = (p * (1.0 - p) + q * (1.0 - q)) / first.held_out.samples.max(1) as f64;
    let half = confidence.0 * (between_seeds.max(sampling) / n).sqrt();
    let loss = |runs: Vec<&TrainingRun>| runs.iter().map(|run| run.final_loss()).sum::<f64>() / n;
    let half_way = |runs: Vec<&TrainingRun>| runs.iter().map(|run| run.half_way).sum::<Option<u64>>().map(|sum| Real(sum as f64 / n));
    let (befores, afters): (Vec<&TrainingRun>, Vec<&TrainingRun>) = pairs.into_iter().unzip();
    let mut effect = Effect {
        before: p.into(),
        after: q.into(),
        interval: Interval { low: mean - half, high: mean + half },
        loss_before: loss(befores.clone()).into(),
        loss_after: loss(afters.clone()).into(),
        half_way_before: half_way(befores.clone()),
        half_way_after: half_way(afters.clone()),
        decided_by: Criterion::HeldOut,
        longer: None,
        seeds: befores.len() as u64,
        with,
    };
    let classes = first.held_out.confusion.len().max(2);
    if !gains(&effect) {
        if comparable_loss(remedy) && loss_falls(&effect) {
            effect.decided_by = Criterion::Loss;
        } else if comparable_batches(remedy) && way(p, classes) >= LEARNS && quicker(&effect, &befores, &afters) {
            effect.decided_by = Criterion::Speed;
        }
    }
    Some(effect)
}

/// Whether the accuracy gained is beyond noise.
fn gains(effect: &Effect) -> bool {
    effect.interval.low > 0.0 && effect.after.0 - effect.before.0 >= LEAST
}

/// Whether the loss falls in a model that has not begun to learn.
fn loss_falls(effect: &Effect) -> bool {
    // Half is guessing for two classes, and more than guessing for more: stricter there.
    let stuck = effect.before.0 < 0.5 + STUCK / 2.0;
    stuck && effect.loss_after.0 < FASTER * effect.loss_before.0 && effect.after.0 > effect.before.0
}

/// Whether every seed learns in fewer steps than any does without, by far, and not worse.
fn quicker(effect: &Effect, before: &[&TrainingRun], after: &[&TrainingRun]) -> bool {
    let Some(slowest) = after.iter().map(|run| run.half_way).collect::<Option<Vec<u64>>>().and_then(|steps| steps.into_iter().max()) else {
        return false;
    };
    // One that never got there needs all its steps at least.
    let quickest = before.iter().map(|run| run.half_way.unwrap_or(run.loss.len() as u64)).min().unwrap_or(0);
    effect.after.0 >= effect.before.0 - LEAST && slowest as f64 <= QUICKER * quickest as f64
}

/// Whether a loss means the same with and without the remedy.
fn comparable_loss(remedy: &Remedy) -> bool {
    comparable_batches(remedy) && !matches!(remedy, Remedy::DropOutputActivation | Remedy::Loss { .. })
}

/// Whether the accuracy on a batch means the same with and without the remedy.
fn comparable_batches(remedy: &Remedy) -> bool {
    !matches!(remedy, Remedy::Shuffle | Remedy::BalanceClasses | Remedy::DropSamples { .. })
}

/// Whether an effect is beyond noise, by whatever criterion.
pub fn helps(effect: &Effect) -> bool {
    match effect.decided_by {
        Criterion::HeldOut | Criterion::ByHeart => gains(effect),
        Criterion::Loss | Criterion::Speed => true,
    }
}

/// Whether more seeds may show that it helps: the difference is of interest, and its interval holds zero.
pub fn undecided(effect: &Effect) -> bool {
    effect.interval.low <= 0.0 && effect.after.0 - effect.before.0 >= LEAST
}

/// Whether it stays open if no more seeds can be had: on average it helps, and the interval admits that it helps much.
pub fn open(effect: &Effect) -> bool {
    undecided(effect) && effect.interval.high >= MATERIAL
}

#[cfg(test)]
mod tests {
    use super::*;
    use nanprobe_checks::evidence::Score;

    /// A run of 60 steps on two classes of 200 held-out samples each.
    fn run(accuracy: f64, half_way: Option<u64>, loss: f64) -> TrainingRun {
        let right = (200.0 * accuracy) as u64;
        let score = Score { samples: 400, loss: 0.5.into(), confusion: vec![vec![right, 200 - right], vec![200 - right, right]] };
        TrainingRun { seed: 0, loss: vec![loss.into(); 60], gradient_norm: vec![], half_way, train: score.clone(), held_out: score }
    }

    fn decided(before: &[TrainingRun; 2], after: &[TrainingRun; 2], remedy: &Remedy) -> Effect {
        effect(before, after, remedy, vec![], Confidence::after_looks(3)).unwrap()
    }

    #[test]
    fn where_accuracy_is_the_same_the_steps_it_takes_decide() {
        let slow = [run(0.96, Some(40), 0.3), run(0.97, None, 0.3)];
        let fast = [run(0.97, Some(12), 0.1), run(0.96, Some(20), 0.1)];
        let remedy = Remedy::DropOutputActivation;
        let faster = decided(&slow, &fast, &remedy);
        assert_eq!((faster.decided_by, helps(&faster)), (Criterion::Speed, true));
        assert_eq!((faster.half_way_before, faster.half_way_after), (None, Some(Real(16.0))));
        for (before, after, remedy) in [
            // A little faster, or in one of two seeds only.
            (slow.clone(), [run(0.97, Some(30), 0.1), run(0.96, Some(30), 0.1)], &remedy),
            (slow.clone(), [run(0.97, Some(12), 0.1), run(0.96, None, 0.1)], &remedy),
            // Faster, and worse in the end.
            (slow.clone(), [run(0.80, Some(12), 0.1), run(0.80, Some(12), 0.1)], &remedy),
            // Batches of another order, or of other samples, say nothing.
            (slow.clone(), fast.clone(), &Remedy::Shuffle),
            (slow, fast, &Remedy::DropSamples { samples: vec![1] }),
        ] {
            assert!(!helps(&decided(&before, &after, remedy)));
        }
    }

    #[test]
    fn what_does_not_learn_is_not_judged_by_its_speed() {
        let [before, after] = [[run(0.5, None, 0.7), run(0.5, None, 0.7)], [run(0.5, Some(10), 0.6), run(0.5, Some(10), 0.6)]];
        assert!(!helps(&decided(&before, &after, &Remedy::Unfreeze)));
    }

    #[test]
    fn a_loss_that_falls_counts_where_nothing_is_learned_yet_and_both_mean_the_same() {
        let stuck = [run(0.5, None, 0.7), run(0.5, None, 0.7)];
        let falling = [run(0.51, None, 0.3), run(0.51, None, 0.3)];
        assert_eq!(decided(&stuck, &falling, &Remedy::Unfreeze).decided_by, Criterion::Loss);
        assert!(!helps(&decided(&stuck, &falling, &Remedy::DropOutputActivation)));
    }
}
