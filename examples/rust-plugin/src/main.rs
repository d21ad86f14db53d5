//! Batches of very few samples: noisy gradients, and batch norm that knows nothing.

use nanprobe_checks::evidence::BatchLabels;
use nanprobe_checks::plugin::{PluginError, serve};
use nanprobe_checks::stats::beyond;
use nanprobe_checks::{Check, Finding, Judgement, Severity, describe};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

describe! {
    /// Batches have very few samples.
    TinyBatches, "plugin" / "tiny-batches"
}

/// What stands under `[plugin.config]`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Fewest samples of a batch. Ours: below 8 batch norm's statistics are mostly noise.
    pub least: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { least: 8 }
    }
}

impl Check for TinyBatches {
    type Needs = BatchLabels;
    type Limits = Limits;

    fn judge(batches: &BatchLabels, limits: &Limits) -> Judgement {
        let measured = format!("{} samples a batch, at least {} are wanted", batches.batch_size, limits.least);
        if batches.batch_size >= limits.least {
            return Judgement::clear(measured);
        }
        Finding {
            severity: Severity::Warning,
            strength: beyond(batches.batch_size.max(1) as f64, limits.least as f64, 1.0),
            message: "batches are so small that each step follows a few samples".to_owned(),
            measured,
            fix: format!("use a batch size of {} or more", limits.least),
            remedy: None,
            location: None,
        }
        .into()
    }
}

fn main() -> Result<(), PluginError> {
    serve::<TinyBatches>()
}
