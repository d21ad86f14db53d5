//! Experiments decide the verdict: the same short training with remedies applied, against the
//! untreated one and its noise.
//!
//! Faults mask each other, so the search goes from both ends: all remedies together (does anything
//! help?), each alone (which suffice?), and one after the other left out (which are needed?). From these follow each
//! finding's status and the shortest list of fixes that reaches what all of them reach.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::ops::Range;

use nanprobe_checks::evidence::TrainingRun;
use nanprobe_checks::{Real, Remedy};

use crate::diagnosis::{Criterion, Effect, Longer, Status};

mod arms;
mod bench;
mod effect;

use arms::Arms;
pub use bench::Bench;
pub use effect::accuracy;
use effect::{helps, open};

/// More suspects than this are not tried: the weaker ones keep their suspicion.
const MOST_SUSPECTS: usize = 6;
/// Of what all remedies reach together, a list of fixes may leave this much, in balanced accuracy:
/// about one standard error of 400 held-out samples.
pub const TOLERANCE: f64 = 0.025;
/// However noisy the seeds are, a list of fixes that leaves more than this is not done.
const MOST_NOISE: f64 = 0.1;

/// A check's name: a built-in one's, or one that a plug-in brings.
pub type CheckName = Cow<'static, str>;

/// A finding with a remedy that can be tried.
#[derive(Clone, Debug)]
pub struct Suspect {
    /// The check.
    pub check: CheckName,
    /// The edit.
    pub remedy: Remedy,
    /// Its place in the chain of causes: data first, then labels, model, optimisation, evaluation.
    pub place: usize,
}

/// Who runs a training with remedies on some seeds; none where no time is left, no runs where the remedies fail.
pub type Trainer<'a> = &'a mut dyn FnMut(&[Remedy], Range<usize>) -> Option<Vec<TrainingRun>>;

/// What the experiments say of one suspect.
#[derive(Clone, Debug)]
pub struct Decision {
    /// The check.
    pub check: CheckName,
    /// Confirmed, contributing, harmless, or suspected where nothing could be tried or the seeds do not agree.
    pub status: Status,
    /// What its remedy bought.
    pub effect: Option<Effect>,
    /// Training loss of the first seed with the remedy alone; empty where it was not trained.
    pub loss: Vec<Real>,
}

/// A fix, and where the job stands with it and those before it.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The check.
    pub check: CheckName,
    /// The edit.
    pub remedy: Remedy,
    /// Balanced accuracy after it.
    pub accuracy: f64,
}

/// What the experiments say.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// One a suspect.
    pub decisions: Vec<Decision>,
    /// The fixes in order.
    pub path: Vec<Step>,
    /// The trainings with all of them.
    pub mended: Vec<TrainingRun>,
}

impl Outcome {
    /// Takes a later round in, made on top of this one: a decision replaces what was decided before only if it found more.
    pub fn extend(&mut self, later: Self) {
        self.path.extend(later.path);
        self.mended = later.mended;
        for decision in later.decisions {
            match self.decisions.iter_mut().find(|old| old.check == decision.check) {
                Some(old) if decision.status < old.status => *old = decision,
                Some(_) => {}
                None => self.decisions.push(decision),
            }
        }
    }

    /// Says of what was found that it was found on top of an earlier round's fixes.
    pub fn on_top_of(&mut self, earlier: &Self) {
        if earlier.path.is_empty() {
            return;
        }
        let fixed: Vec<String> = earlier.path.iter().map(|step| step.check.to_string()).collect();
        for decision in &mut self.decisions {
            if decision.status == Status::Confirmed {
                decision.status = Status::Contributing;
            }
            if let Some(effect) = &mut decision.effect {
                effect.with.splice(0..0, fixed.iter().cloned());
            }
        }
    }

    /// The fix of a check that only makes a training faster is none: it leaves the list, and what it bought says how far the
    /// training gets without it in more steps.
    pub fn only_slower(&mut self, check: &str, longer: Longer) {
        self.path.retain(|step| step.check != check);
        for effect in self.decisions.iter_mut().filter(|decision| decision.check == check).filter_map(|decision| decision.effect.as_mut()) {
            effect.longer = Some(longer);
        }
    }

    /// Says of every effect that it was seen while a few samples were learned by heart. What shows nothing there is not harmless: it
    /// may matter for the rest.
    pub fn of_learning_by_heart(&mut self) {
        for decision in &mut self.decisions {
            match &mut decision.effect {
                // What is only learned by heart sooner says nothing either.
                Some(effect) if decision.status < Status::Suspected && effect.decided_by == Criterion::HeldOut => {
                    effect.decided_by = Criterion::ByHeart;
                }
                _ => decision.effect = None,
            }
        }
        self.decisions.retain(|decision| decision.effect.is_some());
    }
}

/// Tries the suspects' remedies on top of `base`, whose runs are `baseline`. `suspects` come worst first.
pub fn experiment(base: &[Remedy], baseline: &[TrainingRun], suspects: &[Suspect], most_seeds: usize, train: Trainer) -> Outcome {
    let tried = &suspects[..suspects.len().min(MOST_SUSPECTS)];
    let mut arms = Arms::new(base, baseline, tried, most_seeds, train);
    let before = accuracy(baseline);
    let everyone: Vec<usize> = (0..tried.len()).collect();
    let all = if tried.len() > 1 { arms.accuracy(&everyone) } else { None };
    let alone: Vec<Option<Effect>> = everyone.iter().map(|&i| arms.effect(&[], &[i], i)).collect();
    let confirmed = |i: usize| alone[i].as_ref().is_some_and(helps);
    let suffices = |i: &usize| confirmed(*i) && alone[*i].as_ref().is_some_and(|e| all.is_none_or(|all| e.after.0 >= all - TOLERANCE));
    // Where one remedy alone reaches what all reach, no other is needed.
    let together = all.is_some_and(|all| all > before + TOLERANCE) && !everyone.iter().any(suffices);
    let needed = if together { needed(tried, &everyone, &mut arms) } else { vec![] };
    let mut decisions: Vec<Decision> = Vec::with_capacity(suspects.len());
    for (index, suspect) in tried.iter().enumerate() {
        let need = needed.iter().find(|(i, _)| *i == index).map(|(_, effect)| effect.clone());
        let (status, effect) = match (alone[index].clone(), need) {
            (single, _) if confirmed(index) => (Status::Confirmed, single),
            (_, Some(need)) => (Status::Contributing, Some(need)),
            (Some(single), None) if open(&single) => (Status::Suspected, Some(single)),
            (Some(single), None) => (Status::Harmless, Some(single)),
            (None, None) => (Status::Suspected, None),
        };
        let loss = arms.runs(&[index]).into_iter().next().map(|run| run.loss).unwrap_or_default();
        decisions.push(Decision { check: suspect.check.clone(), status, effect, loss });
    }
    decisions.extend(suspects[tried.len()..].iter().map(|s| Decision {
        check: s.check.clone(),
        status: Status::Suspected,
        effect: None,
        loss: vec![],
    }));
    let path = path(before, all, &decisions, &alone, &mut arms);
    let step = |(i, accuracy): (usize, f64)| Step { check: tried[i].check.clone(), remedy: tried[i].remedy.clone(), accuracy };
    let mut fixed: Vec<usize> = path.iter().map(|(i, _)| *i).collect();
    fixed.sort_unstable();
    Outcome { decisions, path: path.into_iter().map(step).collect(), mended: arms.runs(&fixed) }
}

/// The suspects without whose remedies the others fall short, each with what it buys: remedies are left out one after the other, effects
/// before causes, so that of two that can stand for each other the cause stays.
fn needed(tried: &[Suspect], everyone: &[usize], arms: &mut Arms) -> Vec<(usize, Effect)> {
    let mut order = everyone.to_vec();
    order.sort_by_key(|&i| Reverse(tried[i].place));
    let mut kept = everyone.to_vec();
    let mut needed = Vec::new();
    for index in order {
        let rest: Vec<usize> = kept.iter().copied().filter(|&other| other != index).collect();
        match arms.effect(&rest, &kept, index) {
            Some(effect) if helps(&effect) => needed.push((index, effect)),
            Some(_) => kept = rest,
            // No time, or a training that failed: it stays, undecided.
            None => {}
        }
    }
    needed
}

/// The shortest list of fixes that reaches what all remedies reach, as positions among the suspects: the best one alone first,
/// then, while something is missing, the one that adds most.
fn path(before: f64, all: Option<f64>, decisions: &[Decision], alone: &[Option<Effect>], arms: &mut Arms) -> Vec<(usize, f64)> {
    let counts = |i: &usize| matches!(decisions[*i].status, Status::Confirmed | Status::Contributing);
    let mut left: Vec<usize> = (0..alone.len()).filter(counts).collect();
    let reached = |i: usize| alone[i].as_ref().map_or(0.0, |effect| effect.after.0);
    let strongest = left.iter().copied().max_by(|a, b| reached(*a).total_cmp(&reached(*b)));
    let noise = strongest.and_then(|i| decisions[i].effect.as_ref()).map_or(TOLERANCE, |e| (e.interval.high - e.interval.low) / 2.0);
    let noise = noise.clamp(TOLERANCE, MOST_NOISE);
    // Among those that cannot be told apart the worst comes first, then the earlier cause: the sort keeps the given order.
    let top = strongest.map_or(0.0, reached);
    left.sort_by_key(|&i| ((top - reached(i)) / noise) as i64);
    let best = all.unwrap_or(0.0).max(top);
    let mut path: Vec<(usize, f64)> = Vec::new();
    let mut now = before;
    while now < best - noise && !left.is_empty() {
        let next = left.remove(0);
        let mut chosen: Vec<usize> = path.iter().map(|step| step.0).chain([next]).collect();
        chosen.sort_unstable();
        let after = if path.is_empty() { Some(reached(next)) } else { arms.accuracy(&chosen) };
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

    fn runs(accuracy: f64, seeds: Range<usize>) -> Vec<TrainingRun> {
        let right = (200.0 * accuracy) as u64;
        let score = Score { samples: 400, loss: 0.5.into(), confusion: vec![vec![right, 200 - right], vec![200 - right, right]] };
        let run = |seed| TrainingRun {
            seed,
            loss: vec![0.69.into(); 60],
            gradient_norm: vec![],
            half_way: None,
            train: score.clone(),
            held_out: score.clone(),
        };
        seeds.map(|seed| run(seed as u64)).collect()
    }

    fn decide(checks: &[(&'static str, Remedy)], accuracy_of: impl Fn(&[Remedy]) -> f64) -> Outcome {
        let suspects: Vec<Suspect> = checks
            .iter()
            .enumerate()
            .map(|(place, (check, remedy))| Suspect { check: (*check).into(), remedy: remedy.clone(), place })
            .collect();
        experiment(&[], &runs(accuracy_of(&[]), 0..2), &suspects, 4, &mut |remedies, seeds| Some(runs(accuracy_of(remedies), seeds)))
    }

    #[test]
    fn the_one_that_helps_is_confirmed_and_the_other_is_harmless() {
        let outcome = decide(&[("a", Remedy::Shuffle), ("b", Remedy::Unfreeze)], |r| if r.contains(&Remedy::Shuffle) { 0.9 } else { 0.5 });
        assert_eq!(outcome.decisions.iter().map(|d| d.status).collect::<Vec<_>>(), [Status::Confirmed, Status::Harmless]);
        assert_eq!(outcome.path, [Step { check: "a".into(), remedy: Remedy::Shuffle, accuracy: 0.9 }]);
    }

    #[test]
    fn two_that_mask_each_other_are_both_contributing_and_both_in_the_path() {
        let outcome = decide(&[("a", Remedy::Shuffle), ("b", Remedy::Unfreeze), ("c", Remedy::Reattach)], |r| {
            if r.contains(&Remedy::Shuffle) && r.contains(&Remedy::Unfreeze) { 0.86 } else { 0.48 }
        });
        let statuses: Vec<Status> = outcome.decisions.iter().map(|d| d.status).collect();
        assert_eq!(statuses, [Status::Contributing, Status::Contributing, Status::Harmless]);
        assert_eq!(outcome.path.iter().map(|step| step.check.as_ref()).collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn of_two_that_can_stand_for_each_other_beside_a_third_the_cause_is_needed() {
        let outcome = decide(&[("cause", Remedy::Unfreeze), ("effect", Remedy::BalanceClasses), ("other", Remedy::Shuffle)], |r| {
            let one = r.contains(&Remedy::Unfreeze) || r.contains(&Remedy::BalanceClasses);
            if one && r.contains(&Remedy::Shuffle) { 0.86 } else { 0.48 }
        });
        assert_eq!(outcome.path.iter().map(|step| step.check.as_ref()).collect::<Vec<_>>(), ["cause", "other"]);
        assert_eq!(outcome.decisions[1].status, Status::Harmless);
    }

    #[test]
    fn without_time_everything_stays_suspected() {
        let suspects = [Suspect { check: "a".into(), remedy: Remedy::Shuffle, place: 0 }];
        let outcome = experiment(&[], &runs(0.5, 0..2), &suspects, 4, &mut |_, _| None);
        assert_eq!(outcome.decisions[0].status, Status::Suspected);
        assert!(outcome.path.is_empty());
    }

    #[test]
    fn seeds_are_added_where_two_do_not_decide_and_only_there() {
        let mut most = [0, 0];
        let suspects = [
            Suspect { check: "a".into(), remedy: Remedy::Shuffle, place: 0 },
            Suspect { check: "b".into(), remedy: Remedy::Unfreeze, place: 1 },
        ];
        experiment(&[], &runs(0.5, 0..2), &suspects, 4, &mut |remedies, seeds| {
            let (slot, accuracy) = match remedies {
                [Remedy::Shuffle] => (0, 0.55),
                [Remedy::Unfreeze] => (1, 0.5),
                _ => return Some(runs(0.5, seeds)),
            };
            most[slot] = most[slot].max(seeds.end);
            Some(runs(accuracy, seeds))
        });
        assert_eq!(most, [4, 2]);
    }

    #[test]
    fn a_remedy_that_fails_is_a_result_and_the_others_are_still_tried() {
        let suspects = [
            Suspect { check: "a".into(), remedy: Remedy::Shuffle, place: 0 },
            Suspect { check: "b".into(), remedy: Remedy::Unfreeze, place: 1 },
        ];
        let outcome = experiment(&[], &runs(0.5, 0..2), &suspects, 4, &mut |remedies, seeds| {
            Some(if remedies.contains(&Remedy::Shuffle) { vec![] } else { runs(0.9, seeds) })
        });
        assert_eq!(outcome.decisions.iter().map(|d| d.status).collect::<Vec<_>>(), [Status::Suspected, Status::Confirmed]);
        assert_eq!(outcome.path.len(), 1);
    }
}
