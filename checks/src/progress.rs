//! How far a short training got: what separates a symptom that costs something from one that does not.

use crate::evidence::Training;

/// How far above guessing the held-out balanced accuracy must be for a training to count as learning, as a
/// share of the way from guessing to perfect. Ours: measured on Fashion-MNIST, 60 steps, healthy runs of small
/// networks reach 0.55 to 0.7 and broken ones stay within 0.1 of 0 (400 samples: one deviation is 0.05).
pub const LEARNS: f64 = 0.25;

/// Where the held-out balanced accuracy stands between guessing (0) and perfect (1), averaged over the seeds.
/// None where fewer than two classes were held out.
pub fn learned(training: &Training) -> Option<f64> {
    let classes = training.runs.first()?.held_out.confusion.iter().filter(|row| row.iter().any(|count| *count > 0)).count();
    (classes >= 2).then(|| way(training.mean(|run| run.held_out.balanced_accuracy()), classes))
}

/// Where a balanced accuracy stands between guessing among `classes`, two or more, (0) and perfect (1).
pub fn way(balanced_accuracy: f64, classes: usize) -> f64 {
    let guess = 1.0 / classes as f64;
    (balanced_accuracy - guess) / (1.0 - guess)
}

/// Whether the training is known to learn.
pub fn learns(training: Option<&Training>) -> bool {
    training.and_then(learned).is_some_and(|learned| learned >= LEARNS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::training;

    #[test]
    fn guessing_is_nought_and_perfection_one() {
        assert_eq!(learned(&training(&[0.7], [[50, 50], [50, 50]])), Some(0.0));
        assert_eq!(learned(&training(&[0.7], [[100, 0], [0, 100]])), Some(1.0));
        assert_eq!(learned(&training(&[0.7], [[100, 0], [0, 0]])), None);
        assert!(!learns(None));
    }
}
