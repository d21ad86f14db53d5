//! What a remedy bought, with its interval.

use nanprobe_checks::Remedy;
use nanprobe_checks::evidence::TrainingRun;
use nanprobe_checks::stats::Interval;

use crate::diagnosis::Effect;

/// Differences smaller than this are of no interest, in balanced accuracy.
const LEAST: f64 = 0.02;
/// A gain as large as this is not called harmless as long as the interval admits it.
const MATERIAL: f64 = 0.1;
/// A training loss that falls to this share of the untreated one counts where accuracy does not move yet.
const FASTER: f64 = 0.7;
/// Below this, as a share of the way from guessing to perfect, a training has not begun to learn.
const STUCK: f64 = 0.1;

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
pub fn effect(before: &[TrainingRun], after: &[TrainingRun], with: Vec<String>, confidence: Confidence) -> Option<Effect> {
    let pairs: Vec<(&TrainingRun, &TrainingRun)> = before.iter().zip(after).collect();
    let (first, _) = pairs.first()?;
    let n = pairs.len() as f64;
    let differences: Vec<f64> = pairs.iter().map(|(b, a)| a.held_out.balanced_accuracy() - b.held_out.balanced_accuracy()).collect();
    let mean = differences.iter().sum::<f64>() / n;
    let between_seeds = differences.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
    let (p, q) = (accuracy(before), accuracy(after));
    let sampling = (p * (1.0 - p) + q * (1.0 - q)) / first.held_out.samples.max(1) as f64;
    let half = confidence.0 * (between_seeds.max(sampling) / n).sqrt();
    let loss = |runs: Vec<&TrainingRun>| runs.iter().map(|run| run.final_loss()).sum::<f64>() / n;
    Some(Effect {
        before: p.into(),
        after: q.into(),
        interval: Interval { low: mean - half, high: mean + half },
        loss_before: loss(pairs.iter().map(|pair| pair.0).collect()).into(),
        loss_after: loss(pairs.iter().map(|pair| pair.1).collect()).into(),
        seeds: pairs.len() as u64,
        with,
    })
}

/// Whether an effect is beyond noise: in accuracy, or, for a model that has not begun to learn, in a training loss of the
/// same criterion.
pub fn helps(effect: &Effect, remedy: &Remedy) -> bool {
    let accuracy = effect.interval.low > 0.0 && effect.after.0 - effect.before.0 >= LEAST;
    let comparable = !matches!(remedy, Remedy::DropOutputActivation | Remedy::Loss { .. } | Remedy::Shuffle | Remedy::BalanceClasses);
    // Half is guessing for two classes, and more than guessing for more: stricter there.
    let stuck = effect.before.0 < 0.5 + STUCK / 2.0;
    let faster = comparable && stuck && effect.loss_after.0 < FASTER * effect.loss_before.0 && effect.after.0 > effect.before.0;
    accuracy || faster
}

/// Whether more seeds may show that it helps: the difference is of interest, and its interval holds zero.
pub fn undecided(effect: &Effect) -> bool {
    effect.interval.low <= 0.0 && effect.after.0 - effect.before.0 >= LEAST
}

/// Whether it stays open if no more seeds can be had: on average it helps, and the interval admits that it helps much.
pub fn open(effect: &Effect) -> bool {
    undecided(effect) && effect.interval.high >= MATERIAL
}
