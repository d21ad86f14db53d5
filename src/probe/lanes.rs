//! Independent trainings side by side: two on one thread each finish sooner than one after the other on two.

use std::ops::Range;
use std::thread;

use tch::Device;

use super::{Lab, ProbeError};
use crate::graph::knowledge::draws_random_numbers;

impl Lab {
    /// Does `work` once for each repetition, several at a time where that changes no result: trainings that draw
    /// random numbers as they go share one generator, so they take turns.
    pub fn each<T: Send>(
        &self,
        repetitions: Range<usize>,
        work: impl Fn(&Self, usize) -> Result<T, ProbeError> + Sync,
    ) -> Result<Vec<T>, ProbeError> {
        let graph = self.design.graph(self.shape)?;
        if draws_random_numbers(&graph) {
            return repetitions.map(|repetition| work(self, repetition)).collect();
        }
        let labs = repetitions.map(|repetition| (self.again(), repetition)).collect();
        self.side_by_side(labs, |(lab, repetition)| work(&lab, repetition))
    }

    /// Does `work` on each item, as many at a time as there are processors. An item must share no tensor that is written to.
    pub fn side_by_side<I: Send, T: Send>(
        &self,
        items: Vec<I>,
        work: impl Fn(I) -> Result<T, ProbeError> + Sync,
    ) -> Result<Vec<T>, ProbeError> {
        let lanes = items.len().min(lanes(self.device));
        if lanes < 2 {
            return items.into_iter().map(work).collect();
        }
        let (alone, work) = (self.threads, &work);
        tch::set_num_threads((alone / lanes).max(1) as i32);
        let mut items = items.into_iter();
        let mut results = Vec::with_capacity(items.len());
        loop {
            let now: Vec<I> = items.by_ref().take(lanes).collect();
            if now.is_empty() {
                break;
            }
            thread::scope(|scope| {
                let started: Vec<_> = now.into_iter().map(|item| scope.spawn(move || work(item))).collect();
                results
                    .extend(started.into_iter().map(|lane| lane.join().unwrap_or(Err(ProbeError::Missing("a training that broke off")))));
            });
        }
        tch::set_num_threads(alone as i32);
        results.into_iter().collect()
    }
}

/// Processors that trainings may take: one where the user has said how many threads to use, or where a GPU does the work.
fn lanes(device: Device) -> usize {
    if device == Device::Cpu && std::env::var_os("OMP_NUM_THREADS").is_none() {
        thread::available_parallelism().map_or(1, std::num::NonZero::get)
    } else {
        1
    }
}
