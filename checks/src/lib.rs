//! Evidence, checks and verdicts of nanprobe.
//!
//! A measurement (one file in [`evidence`]) is a fact about a training job. A check (one file in a
//! family folder) is a pure function from measurements to a [`Judgement`]. Nothing here trains
//! anything or needs libtorch, so stored evidence can be judged anywhere.

pub mod check;
pub mod data;
pub mod evaluation;
pub mod evidence;
pub mod labels;
pub mod model;
pub mod optimisation;
pub mod plugin;
pub mod progress;
pub mod real;
pub mod recipe;
pub mod remedy;
pub mod stats;
#[cfg(test)]
mod testing;
pub mod training_loop;
pub mod verdict;
pub mod words;

pub use check::{AnyCheck, Check, Describe, Needs};
pub use evidence::Evidence;
pub use real::Real;
pub use remedy::Remedy;
pub use verdict::{Finding, Judgement, Location, Outcome, Severity};

/// Every check, family by family: causes before what they bring about. Data and labels are what they are, whatever is done with them; a
/// loop that never steps makes all that is seen of the model, its optimisation and its results say nothing.
pub fn checks() -> impl Iterator<Item = &'static dyn AnyCheck> {
    [data::CHECKS, labels::CHECKS, training_loop::CHECKS, model::CHECKS, optimisation::CHECKS, evaluation::CHECKS]
        .into_iter()
        .flatten()
        .copied()
}

/// The check of that name.
pub fn find(name: &str) -> Option<&'static dyn AnyCheck> {
    checks().find(|check| check.name() == name)
}
