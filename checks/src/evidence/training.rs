//! Short trainings by the user's recipe.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::real::Real;
use crate::stats::{Interval, wilson};

/// The same short training over several seeds, on the same samples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Training {
    /// Steps each run was allowed.
    pub steps: u64,
    /// Samples per step.
    pub batch_size: u64,
    /// One entry a seed.
    pub runs: Vec<TrainingRun>,
}

/// One short training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TrainingRun {
    /// Seed of initialisation, order and dropout.
    pub seed: u64,
    /// Training loss at each step; shorter than `steps` where it became not finite.
    pub loss: Vec<Real>,
    /// Norm of the whole gradient at each step.
    pub gradient_norm: Vec<Real>,
    /// Steps until the accuracy on the batches, averaged over ten of them, was half-way from guessing to perfect. None where it
    /// never was, and where unshuffled batches make it say nothing.
    #[serde(default)]
    pub half_way: Option<u64>,
    /// On the probe subset's training samples, in evaluation mode, after the last step.
    pub train: Score,
    /// On the held-out samples, in evaluation mode, after the last step.
    pub held_out: Score,
}

/// How well a model does on some samples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Score {
    /// Number of samples.
    pub samples: u64,
    /// Mean loss by the recipe's criterion.
    pub loss: Real,
    /// `confusion[label][prediction]`, counts; a sample whose label is not a class is not in it.
    pub confusion: Vec<Vec<u64>>,
}

impl Score {
    fn correct(&self) -> u64 {
        self.confusion.iter().enumerate().map(|(label, row)| row.get(label).copied().unwrap_or(0)).sum()
    }

    fn counted(&self) -> u64 {
        self.confusion.iter().flatten().sum()
    }

    /// Share of samples predicted right, 0..1; 0 without samples.
    pub fn accuracy(&self) -> f64 {
        self.correct() as f64 / self.counted().max(1) as f64
    }

    /// Mean over the classes that occur of the share predicted right, 0..1.
    pub fn balanced_accuracy(&self) -> f64 {
        let recalls: Vec<f64> = self
            .confusion
            .iter()
            .enumerate()
            .filter_map(|(label, row)| {
                let total: u64 = row.iter().sum();
                (total > 0).then(|| row.get(label).copied().unwrap_or(0) as f64 / total as f64)
            })
            .collect();
        recalls.iter().sum::<f64>() / recalls.len().max(1) as f64
    }

    /// 95% Wilson interval of the accuracy.
    pub fn interval(&self) -> Interval {
        wilson(self.correct(), self.counted())
    }

    /// Largest share of the predictions that one class has, 0..1, and that class.
    pub fn dominant_prediction(&self) -> (f64, usize) {
        let width = self.confusion.iter().map(Vec::len).max().unwrap_or(0);
        let column = |class: usize| self.confusion.iter().filter_map(|row| row.get(class)).sum::<u64>();
        let (count, class) =
            (0..width).map(|class| (column(class), class)).max_by_key(|(count, class)| (*count, usize::MAX - class)).unwrap_or((0, 0));
        (count as f64 / self.counted().max(1) as f64, class)
    }
}

impl TrainingRun {
    /// Mean loss over the last tenth of the steps (at least 5), or NaN where the run ended in one.
    pub fn final_loss(&self) -> f64 {
        mean(&self.loss[self.loss.len().saturating_sub((self.loss.len() / 10).max(5))..])
    }

    /// Mean loss over the first three steps.
    pub fn first_loss(&self) -> f64 {
        mean(&self.loss[..self.loss.len().min(3)])
    }

    /// Whether the loss stayed finite.
    pub fn finite(&self) -> bool {
        self.loss.iter().all(|loss| loss.is_finite()) && !self.loss.is_empty()
    }
}

fn mean(values: &[Real]) -> f64 {
    values.iter().map(|x| x.0).sum::<f64>() / values.len() as f64
}

impl Training {
    /// Mean over the runs of a figure; NaN without runs.
    pub fn mean(&self, figure: impl Fn(&TrainingRun) -> f64) -> f64 {
        self.runs.iter().map(figure).sum::<f64>() / self.runs.len() as f64
    }

    /// Held-out accuracy and its 95% Wilson interval over the samples of one run, averaged over the runs:
    /// the runs share their samples, so more seeds do not narrow it.
    pub fn accuracy(&self) -> (f64, Interval) {
        let low = self.mean(|run| run.held_out.interval().low);
        let high = self.mean(|run| run.held_out.interval().high);
        (self.mean(|run| run.held_out.accuracy()), Interval { low, high })
    }
}
