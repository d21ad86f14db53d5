//! A loader that gives batches once and then no more.

use serde::{Deserialize, Serialize};

use super::Part;
use crate::check::Check;
use crate::evidence::LoopLoader;
use crate::stats::between;
use crate::{Finding, Judgement, Severity, describe};

describe! {
    /// The training loader is empty from its second pass on.
    ///
    /// ## What it looks for
    /// Passes over the training loader that gave no batch, among those that were begun.
    ///
    /// ## Why it matters
    /// Each further epoch does nothing: no error, no step, the same accuracy printed again. The training ends after a handful of steps, whatever
    /// the number of epochs says.
    ///
    /// ## What to do
    /// Make what is iterated anew for each pass: in an `IterableDataset` create the generator, the open file or the `map` object within
    /// `__iter__`, not in `__init__`. A list of batches can be walked often, an iterator once.
    ///
    /// ## False alarms
    /// A pass that is begun and broken off before its first batch counts as empty. The last pass is not counted, for it may still be running.
    ///
    /// ## Reference
    /// torch.utils.data.IterableDataset: `__iter__` is called for every pass and must return a fresh iterator.
    LoaderRunsDry, "loop" / "loader-runs-dry"
}

/// Limits of [`LoaderRunsDry`].
#[derive(Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Share of the passes that gave nothing, 0..1. Ours: one of two passes, the last of which is not counted, is half.
    pub share: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { share: 0.4 }
    }
}

impl Check for LoaderRunsDry {
    type Needs = Part<LoopLoader>;
    type Limits = Limits;

    fn judge(loader: &LoopLoader, limits: &Limits) -> Judgement {
        let measured = format!("{} of {} passes over the training loader gave no batch", loader.empty_passes, loader.passes);
        let share = loader.empty_passes as f64 / loader.passes.max(1) as f64;
        if share < limits.share {
            return Judgement::clear(measured);
        }
        Finding {
            severity: Severity::Error,
            strength: between(share, 0.0, 1.0),
            message: "the training loader is empty after its first pass, so all further epochs do nothing".to_owned(),
            measured,
            fix: "make the generator, file or iterator anew in the data set's `__iter__`, once for each pass".to_owned(),
            remedy: None,
            location: loader.location.clone(),
        }
        .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{clears, sound_loop, suspects};

    fn passes(passes: u64, empty_passes: u64) -> LoopLoader {
        LoopLoader { passes, empty_passes, ..sound_loop().loader.unwrap() }
    }

    #[test]
    fn epochs_without_a_batch_are_an_error_at_the_loader() {
        let finding = suspects::<LoaderRunsDry>(&passes(20, 18));
        assert_eq!((finding.severity, finding.location), (Severity::Error, sound_loop().loader.unwrap().location));
        suspects::<LoaderRunsDry>(&passes(3, 2));
    }

    #[test]
    fn a_pass_that_was_broken_off_is_clear() {
        clears::<LoaderRunsDry>(&passes(5, 1));
        clears::<LoaderRunsDry>(&passes(1, 0));
        clears::<LoaderRunsDry>(&passes(0, 0));
    }
}
