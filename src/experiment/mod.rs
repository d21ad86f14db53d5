//! Experiments decide the verdict: the same short training with remedies applied, against the
//! untreated one and its noise.
//!
//! Faults mask each other, so the search goes from both ends: all remedies together (does anything
//! help?), each alone (which suffice?), and all but one (which are needed?). From these follow each
//! finding's status and the shortest list of fixes that reaches what all of them reach.

use std::time::{Duration, Instant};

use nanprobe_checks::Remedy;
use nanprobe_checks::evidence::{Training, TrainingRun};

use crate::diagnosis::{Effect, Status};

mod effect;

pub use effect::{accuracy, effect, helps};

/// More suspects than this are not tried: the weaker ones keep their suspicion.
const MOST_SUSPECTS: usize = 6;
/// Of what all remedies reach together, a list of fixes may leave this much, in balanced accuracy:
/// about one standard error of 400 held-out samples.
const TOLERANCE: f64 = 0.025;

/// A finding with a remedy that can be tried.
#[derive(Clone, Debug)]
pub struct Suspect {
    /// The check.
    pub check: &'static str,
    /// The edit.
    pub remedy: Remedy,
}

/// However noisy the seeds are, a list of fixes that leaves more than this is not done.
const MOST_NOISE: f64 = 0.1;

/// Who runs a training with remedies; none where it failed or no time is left.
pub type Trials<'a> = &'a mut dyn FnMut(&[Remedy]) -> Option<Vec<TrainingRun>>;

/// What the experiments say of one suspect.
#[derive(Clone, Debug)]
pub struct Decision {
    /// The check.
    pub check: &'static str,
    /// Confirmed, contributing, harmless, or suspected where nothing could be tried.
    pub status: Status,
    /// What its remedy bought.
    pub effect: Option<Effect>,
}

/// What the experiments say.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// One a suspect.
    pub decisions: Vec<Decision>,
    /// The fixes in order: positions among the suspects, with the balanced accuracy after each.
    pub path: Vec<(usize, f64)>,
}

/// Time for experiments.
pub struct Deadline {
    end: Instant,
    longest: Duration,
}

impl Deadline {
    /// Ends after `left`.
    pub fn new(left: Duration) -> Self {
        Self { end: Instant::now() + left, longest: Duration::ZERO }
    }

    /// Runs `work` if the longest so far would fit.
    pub fn run<T>(&mut self, work: impl FnOnce() -> Option<T>) -> Option<T> {
        let start = Instant::now();
        if start + self.longest > self.end {
            return None;
        }
        let done = work();
        self.longest = self.longest.max(start.elapsed());
        done
    }
}

/// Tries the suspects' remedies. `suspects` come most suspicious first.
pub fn experiment(baseline: &Training, suspects: &[Suspect], trials: Trials) -> Outcome {
    let tried = &suspects[..suspects.len().min(MOST_SUSPECTS)];
    let remedies = |chosen: &[usize]| chosen.iter().map(|&i| tried[i].remedy.clone()).collect::<Vec<_>>();
    let everyone: Vec<usize> = (0..tried.len()).collect();
    let all = if tried.len() > 1 { trials(&remedies(&everyone)) } else { None };
    let alone: Vec<Option<Vec<TrainingRun>>> = everyone.iter().map(|&i| trials(&remedies(&[i]))).collect();

    let mut decisions: Vec<Decision> = Vec::with_capacity(suspects.len());
    for (index, suspect) in tried.iter().enumerate() {
        let decided = |status, effect| Decision { check: suspect.check, status, effect };
        let single = alone[index].as_deref().and_then(|runs| effect(&baseline.runs, runs, vec![]));
        if single.as_ref().is_some_and(|single| helps(single, &suspect.remedy)) {
            decisions.push(decided(Status::Confirmed, single));
            continue;
        }
        let rest: Vec<usize> = everyone.iter().copied().filter(|&other| other != index).collect();
        let together = all.as_deref().filter(|all| accuracy(all) > accuracy(&baseline.runs) + TOLERANCE);
        let needed = together.and_then(|all| {
            let without = trials(&remedies(&rest))?;
            effect(&without, all, rest.iter().map(|&other| tried[other].check.to_owned()).collect())
        });
        decisions.push(match (single, needed) {
            (_, Some(needed)) if helps(&needed, &suspect.remedy) => decided(Status::Contributing, Some(needed)),
            (Some(single), _) => decided(Status::Harmless, Some(single)),
            (None, _) => decided(Status::Suspected, None),
        });
    }
    decisions.extend(suspects[tried.len()..].iter().map(|s| Decision { check: s.check, status: Status::Suspected, effect: None }));
    let path = path(baseline, &decisions, &alone, all.as_deref(), &mut |chosen| trials(&remedies(chosen)));
    Outcome { decisions, path }
}

/// The shortest list of fixes that reaches what all remedies reach: the best one alone first, then, while
/// something is missing, the one that adds most.
fn path(
    baseline: &Training,
    decisions: &[Decision],
    alone: &[Option<Vec<TrainingRun>>],
    all: Option<&[TrainingRun]>,
    trial: &mut dyn FnMut(&[usize]) -> Option<Vec<TrainingRun>>,
) -> Vec<(usize, f64)> {
    let counts = |i: &usize| matches!(decisions[*i].status, Status::Confirmed | Status::Contributing);
    let mut left: Vec<usize> = (0..alone.len()).filter(counts).collect();
    let reached = |i: usize| alone[i].as_deref().map_or(0.0, accuracy);
    let strongest = left.iter().copied().max_by(|a, b| reached(*a).total_cmp(&reached(*b)));
    let noise = strongest.and_then(|i| decisions[i].effect.as_ref()).map_or(TOLERANCE, |e| (e.interval.high - e.interval.low) / 2.0);
    let noise = noise.clamp(TOLERANCE, MOST_NOISE);
    // Among those that cannot be told apart the most suspicious comes first: the sort keeps the given order.
    let top = strongest.map_or(0.0, reached);
    left.sort_by_key(|&i| ((top - reached(i)) / noise) as i64);
    let best = all.map_or(0.0, accuracy).max(top);
    let mut path: Vec<(usize, f64)> = Vec::new();
    let mut now = accuracy(&baseline.runs);
    while now < best - noise && !left.is_empty() {
        let next = left.remove(0);
        let mut chosen: Vec<usize> = path.iter().map(|step| step.0).collect();
        chosen.push(next);
        let after = if path.is_empty() { Some(reached(next)) } else { trial(&chosen).as_deref().map(accuracy) };
        let Some(after) = after else { break };
        // The last that is left is taken even where it adds little by itself: it is needed by the others.
        if after > now + TOLERANCE / 2.0 || decisions[next].status == Status::Contributing {
            path.push((next, after));
            now = after;
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use nanprobe_checks::evidence::Score;

    fn runs(accuracy: f64) -> Vec<TrainingRun> {
        let right = (200.0 * accuracy) as u64;
        let score = Score { samples: 400, loss: 0.5.into(), confusion: vec![vec![right, 200 - right], vec![200 - right, right]] };
        let run = TrainingRun { seed: 0, loss: vec![0.69.into(); 60], gradient_norm: vec![], train: score.clone(), held_out: score };
        vec![run.clone(), run.clone(), run]
    }

    fn decide(checks: &[(&'static str, Remedy)], accuracy_of: impl Fn(&[Remedy]) -> f64) -> Outcome {
        let suspects: Vec<Suspect> = checks.iter().map(|(check, remedy)| Suspect { check, remedy: remedy.clone() }).collect();
        let baseline = Training { steps: 60, batch_size: 32, runs: runs(accuracy_of(&[])) };
        experiment(&baseline, &suspects, &mut |remedies| Some(runs(accuracy_of(remedies))))
    }

    #[test]
    fn the_one_that_helps_is_confirmed_and_the_other_is_harmless() {
        let outcome = decide(&[("a", Remedy::Shuffle), ("b", Remedy::Unfreeze)], |r| if r.contains(&Remedy::Shuffle) { 0.9 } else { 0.5 });
        assert_eq!(outcome.decisions.iter().map(|d| d.status).collect::<Vec<_>>(), [Status::Confirmed, Status::Harmless]);
        assert_eq!(outcome.path, [(0, 0.9)]);
    }

    #[test]
    fn two_that_mask_each_other_are_both_contributing_and_both_in_the_path() {
        let outcome = decide(&[("a", Remedy::Shuffle), ("b", Remedy::Unfreeze), ("c", Remedy::Reattach)], |r| {
            if r.contains(&Remedy::Shuffle) && r.contains(&Remedy::Unfreeze) { 0.86 } else { 0.48 }
        });
        let statuses: Vec<Status> = outcome.decisions.iter().map(|d| d.status).collect();
        assert_eq!(statuses, [Status::Contributing, Status::Contributing, Status::Harmless]);
        assert_eq!(outcome.path.iter().map(|step| step.0).collect::<Vec<_>>(), [0, 1]);
    }

    #[test]
    fn without_time_everything_stays_suspected() {
        let suspects = [Suspect { check: "a", remedy: Remedy::Shuffle }];
        let outcome = experiment(&Training { steps: 60, batch_size: 32, runs: runs(0.5) }, &suspects, &mut |_| None);
        assert_eq!(outcome.decisions[0].status, Status::Suspected);
        assert!(outcome.path.is_empty());
    }
}
