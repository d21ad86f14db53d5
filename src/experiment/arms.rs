//! The trainings of an experiment, each made once: sets of remedies, and their runs over the seeds.

use std::collections::BTreeMap;
use std::ops::Range;

use nanprobe_checks::Remedy;
use nanprobe_checks::evidence::TrainingRun;

use super::effect::{Confidence, accuracy, effect, helps, undecided};
use super::{Suspect, Trainer};
use crate::diagnosis::Effect;

/// Trainings by the set of suspects whose remedies they apply.
pub struct Arms<'a> {
    base: &'a [Remedy],
    suspects: &'a [Suspect],
    train: Trainer<'a>,
    /// How many seeds to look at, look by look.
    looks: Vec<usize>,
    runs: BTreeMap<Vec<usize>, Vec<TrainingRun>>,
}

impl<'a> Arms<'a> {
    /// Arms over a baseline that has `base` applied already.
    pub fn new(base: &'a [Remedy], baseline: &[TrainingRun], suspects: &'a [Suspect], most_seeds: usize, train: Trainer<'a>) -> Self {
        let runs = BTreeMap::from([(vec![], baseline.to_vec())]);
        // As many as the baseline has, then twice as many as before.
        let first = baseline.len().max(1);
        let looks =
            std::iter::successors(Some(first), |seeds| Some(seeds * 2)).take_while(|seeds| *seeds <= most_seeds.max(first)).collect();
        Self { base, suspects, train, looks, runs }
    }

    /// The balanced accuracy with a set of remedies; none where it could not be trained.
    pub fn accuracy(&mut self, set: &[usize]) -> Option<f64> {
        self.extend(set, self.looks[0]).then(|| accuracy(&self.runs[set])).filter(|_| !self.runs[set].is_empty())
    }

    /// The trainings with a set of remedies, as far as they were made.
    pub fn runs(&self, set: &[usize]) -> Vec<TrainingRun> {
        self.runs.get(set).cloned().unwrap_or_default()
    }

    /// What the second set buys over the first: seeds are added until the interval decides, or the last is used.
    pub fn effect(&mut self, before: &[usize], after: &[usize], of: usize) -> Option<Effect> {
        let with: Vec<String> = before.iter().map(|&i| self.suspects[i].check.to_string()).collect();
        let confidence = Confidence::after_looks(self.looks.len());
        let mut latest = None;
        for seeds in self.looks.clone() {
            if !(self.extend(after, seeds) && self.extend(before, seeds)) {
                break;
            }
            let (b, a) = (&self.runs[before], &self.runs[after]);
            let remedy = &self.suspects[of].remedy;
            latest = effect(&b[..b.len().min(seeds)], &a[..a.len().min(seeds)], remedy, with.clone(), confidence);
            if !latest.as_ref().is_some_and(|effect| undecided(effect) && !helps(effect)) {
                break;
            }
        }
        latest
    }

    /// Trains a set on more seeds, up to `seeds`; false where there is no time left.
    fn extend(&mut self, set: &[usize], seeds: usize) -> bool {
        let have = self.runs.get(set).map_or(0, Vec::len);
        // A set that failed has no runs and is not tried again.
        if have >= seeds || (self.runs.contains_key(set) && have == 0) {
            return true;
        }
        let remedies: Vec<Remedy> = self.base.iter().chain(set.iter().map(|&i| &self.suspects[i].remedy)).cloned().collect();
        let missing: Range<usize> = have..seeds;
        let Some(runs) = (self.train)(&remedies, missing) else { return false };
        self.runs.entry(set.to_vec()).or_default().extend(runs);
        true
    }
}
