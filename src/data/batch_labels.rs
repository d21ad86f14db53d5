//! The measurement `batch-labels`: how mixed one epoch's batches are, exactly, without decoding anything.

use nanprobe_checks::Real;
use nanprobe_checks::evidence::BatchLabels;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use super::listing::Listing;

/// Batches whose histograms are kept.
const MAX_HISTOGRAMS: usize = 64;
/// Random orders are drawn until about so many batches are averaged, for few batches vary by chance.
const RANDOM_BATCHES: usize = 1024;
/// Orders drawn at most.
const MAX_ORDERS: usize = 64;

/// Label histograms of the batches that the user's loader gives over one epoch of the whole listing, the
/// last and smaller batch included as by default in PyTorch, and how the same labels mix in random order.
pub fn batch_labels(listing: &Listing, batch_size: usize, shuffle: bool, seed: u64) -> BatchLabels {
    let batch_size = batch_size.max(1);
    let classes = listing.classes.len();
    let mut rng = StdRng::seed_from_u64(seed);
    let mut order = listing.labels.clone();
    if shuffle {
        order.shuffle(&mut rng);
    }
    let batches = order.len().div_ceil(batch_size);
    let histograms = order.chunks(batch_size).take(MAX_HISTOGRAMS).map(|batch| histogram(batch, classes)).collect();
    let seen = mixing(&order, batch_size, classes);
    let orders = (RANDOM_BATCHES / batches.max(1)).clamp(1, MAX_ORDERS);
    let mut random = Mixing::default();
    for _ in 0..orders {
        order.shuffle(&mut rng);
        let one = mixing(&order, batch_size, classes);
        random.dominance += one.dominance / orders as f64;
        random.single_class += one.single_class / orders as f64;
    }
    BatchLabels {
        batch_size: batch_size as u64,
        shuffled: shuffle,
        batches: batches as u64,
        histograms,
        dominance: Real(seen.dominance),
        shuffled_dominance: Real(random.dominance),
        single_class_share: Real(seen.single_class),
        shuffled_single_class_share: Real(random.single_class),
    }
}

/// Means over the batches of an order of labels.
#[derive(Default)]
struct Mixing {
    /// Share of the largest class.
    dominance: f64,
    /// Batches of one class only.
    single_class: f64,
}

fn mixing(order: &[u32], batch_size: usize, classes: usize) -> Mixing {
    let batches = order.len().div_ceil(batch_size).max(1) as f64;
    order.chunks(batch_size).fold(Mixing::default(), |sum, batch| {
        let largest = histogram(batch, classes).into_iter().max().unwrap_or(0);
        let share = f64::from(largest) / batch.len() as f64;
        Mixing { dominance: sum.dominance + share / batches, single_class: sum.single_class + f64::from(u8::from(share == 1.0)) / batches }
    })
}

fn histogram(labels: &[u32], classes: usize) -> Vec<u32> {
    let mut counts = vec![0; classes];
    for &label in labels {
        counts[label as usize] += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::DataOptions;
    use crate::data::testing::Tree;

    fn sorted(cats: usize, dogs: usize) -> Listing {
        let files: Vec<String> = (0..cats).map(|i| format!("cat/{i}.jpg")).chain((0..dogs).map(|i| format!("dog/{i}.jpg"))).collect();
        Listing::open(Tree::of(&files).path(), &DataOptions::default()).unwrap()
    }

    #[test]
    fn unshuffled_batches_of_a_folder_are_of_one_class() {
        let batches = batch_labels(&sorted(20, 12), 8, false, 0);
        assert_eq!((batches.batches, batches.histograms), (4, vec![vec![8, 0], vec![8, 0], vec![4, 4], vec![0, 8]]));
        assert_eq!((*batches.dominance, *batches.single_class_share), (0.875, 0.75));
        assert!((0.6..0.75).contains(&*batches.shuffled_dominance), "{}", batches.shuffled_dominance);
        assert!(*batches.shuffled_single_class_share < 0.1);
    }

    #[test]
    fn shuffled_batches_are_as_mixed_as_random_ones() {
        let batches = batch_labels(&sorted(400, 400), 32, true, 0);
        assert!((*batches.dominance - *batches.shuffled_dominance).abs() < 0.03, "{batches:?}");
        assert_eq!(batches, batch_labels(&sorted(400, 400), 32, true, 0));
    }

    #[test]
    fn the_last_batch_may_be_smaller_and_a_size_of_zero_is_one() {
        let batches = batch_labels(&sorted(3, 2), 4, false, 0);
        assert_eq!(batches.histograms, [vec![3, 1], vec![0, 1]]);
        assert_eq!(batch_labels(&sorted(3, 2), 0, false, 0).batches, 5);
    }
}
