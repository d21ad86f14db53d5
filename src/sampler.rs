//! In which order samples are trained on.

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

use crate::graph::GraphError;
use crate::samples::Samples;

/// In which order samples come.
pub struct Sampler {
    order: Vec<i64>,
    position: usize,
    batch_size: usize,
    kind: Order,
}

enum Order {
    AsListed,
    Shuffled(StdRng),
    /// Indices by class; each draw takes a class, then one of its samples.
    Balanced(StdRng, Vec<Vec<i64>>),
}

impl Sampler {
    /// The order of a `DataLoader` over the samples as listed, shuffled anew each epoch or not.
    pub fn new(samples: &Samples, batch_size: usize, shuffle: bool, seed: u64) -> Self {
        let order = (0..samples.len() as i64).collect();
        let kind = if shuffle { Order::Shuffled(StdRng::seed_from_u64(seed)) } else { Order::AsListed };
        let mut sampler = Self { order, position: 0, batch_size: batch_size.max(1), kind };
        sampler.begin_epoch();
        sampler
    }

    /// Every class equally often, as `WeightedRandomSampler` with weights of 1/count.
    pub fn balanced(samples: &Samples, batch_size: usize, seed: u64) -> Result<Self, GraphError> {
        let mut by_class = vec![Vec::new(); samples.classes()];
        for (index, label) in samples.labels()?.into_iter().enumerate() {
            if let Some(class) = usize::try_from(label).ok().and_then(|label| by_class.get_mut(label)) {
                class.push(index as i64);
            }
        }
        by_class.retain(|class| !class.is_empty());
        let order = vec![0; samples.len()];
        let mut sampler =
            Self { order, position: 0, batch_size: batch_size.max(1), kind: Order::Balanced(StdRng::seed_from_u64(seed), by_class) };
        sampler.begin_epoch();
        Ok(sampler)
    }

    fn begin_epoch(&mut self) {
        self.position = 0;
        match &mut self.kind {
            Order::AsListed => {}
            Order::Shuffled(rng) => self.order.shuffle(rng),
            Order::Balanced(rng, classes) => {
                for slot in &mut self.order {
                    let class = &classes[rng.random_range(0..classes.len())];
                    *slot = class[rng.random_range(0..class.len())];
                }
            }
        }
    }

    /// The next batch's indices. A last batch of one sample is left out: batch norm cannot train on it.
    pub fn next_batch(&mut self) -> Vec<i64> {
        let left = self.order.len() - self.position;
        if left == 0 || (left == 1 && self.position > 0) {
            self.begin_epoch();
        }
        let end = (self.position + self.batch_size).min(self.order.len());
        let batch = self.order[self.position..end].to_vec();
        self.position = end;
        batch
    }
}
