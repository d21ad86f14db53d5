//! Whether batch norm's running statistics can arrive within a probe.
//!
//! After `n` steps at a momentum `m` a share of (1 - m)^n of their first values is left. At the 0.01 of MobileNetV3 that is half after the sixty steps
//! of a probe and nothing after a few epochs: a sound model that only looks as if evaluation mode did not fit it.

use nanprobe_checks::recipe::{Mode, Recipe};

use crate::graph::{Graph, edit, knowledge::batch_norm_momenta};

/// Share of the first values below which the statistics have arrived. Ours: what evaluation mode then loses drowns in the noise of 400 samples.
const LEFT: f64 = 0.05;
/// Epochs that the user's own training may be expected to have. Ours: fine-tuning takes some ten, torchvision's references take ninety.
const EPOCHS: f64 = 30.0;

/// Steps that the slowest statistics of a model need, where a probe has fewer and the user's own training has as many: there the probe scores
/// with statistics taken anew. Where not even the training has as many, they are the user's fault and stay as they are.
pub fn late(mut graph: Graph, recipe: &Recipe, probe: usize, samples: usize) -> Option<u64> {
    if let Some(momentum) = recipe.model.batch_norm_momentum {
        edit::set_batch_norm_momentum(&mut graph, momentum);
    }
    let slowest = batch_norm_momenta(&graph).into_iter().filter(|_| recipe.training_mode == Mode::Train).reduce(f64::min)?;
    let needed = if slowest < 1.0 { LEFT.ln() / (1.0 - slowest).ln() } else { 1.0 };
    let own = EPOCHS * samples as f64 / recipe.batch_size.max(1) as f64;
    // A momentum of 0 never gets there.
    (needed > probe as f64 && needed <= own).then(|| needed.ceil() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Settings;
    use crate::zoo::{self, Shape};

    fn needed(momentum: f64, probe: usize, samples: usize) -> Option<u64> {
        let flags = crate::cli::JobArgs { data: Some(".".into()), model: Some("small-cnn-bn".to_owned()), ..Default::default() };
        let mut recipe = Settings::of_flags(&flags, None).unwrap().recipe;
        recipe.model.batch_norm_momentum = Some(momentum);
        late(zoo::build("small-cnn-bn", Shape { channels: 1, size: 28, outputs: 2 }).unwrap(), &recipe, probe, samples)
    }

    #[test]
    fn statistics_are_late_in_a_probe_that_is_shorter_than_the_training() {
        assert_eq!(needed(0.01, 60, 25_000), Some(299));
        assert_eq!(needed(0.1, 20, 1000), Some(29));
        assert_eq!(needed(0.1, 60, 1000), None);
    }

    #[test]
    fn statistics_that_the_training_itself_is_too_short_for_are_not_excused() {
        assert_eq!(needed(0.001, 120, 750), None);
        assert_eq!(needed(0.0, 120, 25_000), None);
        assert_eq!(needed(0.99, 120, 750), None);
    }
}
