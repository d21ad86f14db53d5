//! Planted faults: a small data set and a training with one known mistake, for `nanprobe demo` and the tests.
//!
//! A fixture (`fixtures/faults/NAME.toml`, one a check but for those of the loop) is what its mistake makes different from the healthy
//! training in `fixtures/healthy/base.toml`: keys of a `nanprobe.toml`, and under `[plant]` what is wrong with
//! the data or the weights. [`Fixture::prepare`] writes data, weights and a `nanprobe.toml`, and resolves the
//! settings as for a user's own folder. The pictures are drawn by [`shapes`], so nothing is downloaded.

mod dataset;
mod error;
mod fixture;
mod shapes;
mod weights;

pub use error::DemoError;
pub use fixture::Fixture;

use crate::config::value::suggest;

/// The fault that is planted when none is named: the commonest of all. The first of [`faults`].
pub const DEFAULT_FAULT: &str = "unshuffled-batches";

/// Fixtures of a folder, by name.
type Sources = &'static [(&'static str, &'static str)];

macro_rules! embedded {
    ($folder:literal, [$($name:literal),+ $(,)?]) => {
        &[$(($name, include_str!(concat!("../../fixtures/", $folder, "/", $name, ".toml")))),+]
    };
}

/// One a check, in the checks' order; what goes wrong in a loop is no recipe, its faults are scripts in fixtures/loops.
const FAULTS: Sources = embedded!(
    "faults",
    [
        "unshuffled-batches",
        "single-class-data",
        "class-imbalance",
        "unreadable-images",
        "constant-inputs",
        "unnormalized-inputs",
        "label-out-of-range",
        "labels-disagree-with-names",
        "conflicting-labels",
        "uninformative-labels",
        "weights-not-loaded",
        "non-finite-values",
        "batch-mixing",
        "collapsed-features",
        "bad-initialization",
        "symmetric-initialization",
        "dead-first-layer",
        "dead-relu",
        "saturated-activations",
        "activation-on-logits",
        "gradients-missing",
        "frozen-parameters",
        "vanishing-gradient",
        "exploding-gradient",
        "learning-rate-too-low",
        "learning-rate-too-high",
        "excessive-regularization",
        "optimizer-mismatch",
        "train-eval-mismatch",
        "initial-loss-off-chance",
        "collapsed-predictions",
    ]
);

/// Models that a fixture uses, as torch.export wrote them; `fixtures/write_models.py` makes them.
const MODELS: &[(&str, &[u8])] = &[
    ("batch-mixing", include_bytes!("../../fixtures/models/batch-mixing.pt2")),
    ("collapsed-features", include_bytes!("../../fixtures/models/collapsed-features.pt2")),
];

/// Trainings in which there is nothing to find, however unusual they look. All others are laid over the first.
const HEALTHY: Sources = embedded!("healthy", ["base", "log-softmax-with-nll", "adam-on-unit-inputs", "mild-imbalance", "batch-norm"]);

/// The faults that can be planted, [`DEFAULT_FAULT`] first.
pub fn faults() -> Result<Vec<Fixture>, DemoError> {
    read(FAULTS)
}

/// Trainings without a fault.
pub fn healthy() -> Result<Vec<Fixture>, DemoError> {
    read(HEALTHY)
}

/// The fault of that name.
pub fn find(name: &str) -> Result<Fixture, DemoError> {
    match FAULTS.iter().find(|(known, _)| *known == name) {
        Some((name, text)) => Fixture::read(name, text, base()),
        None => Err(DemoError::Unknown { given: name.to_owned(), hint: suggest(name, FAULTS.iter().map(|(known, _)| *known)) }),
    }
}

fn read(sources: Sources) -> Result<Vec<Fixture>, DemoError> {
    sources.iter().map(|(name, text)| Fixture::read(name, text, base())).collect()
}

fn base() -> &'static str {
    HEALTHY[0].1
}

#[cfg(test)]
mod tests;
