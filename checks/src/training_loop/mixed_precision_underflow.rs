//! Gradients too small for half precision.

use serde::{Deserialize, Serialize};

use super::{Part, Seen, falls};
use crate::check::Check;
use crate::evidence::{LoopGradients, TrainingLoop};
use crate::stats::between;
use crate::words::percent;
use crate::{Finding, Judgement, Severity, describe};

describe! {
    /// Gradients vanish in half precision because the loss is not scaled.
    ///
    /// ## What it looks for
    /// A loss computed in float16, under autocast or with `model.half()`, without a `GradScaler`, and gradients of which most values are
    /// exactly zero.
    ///
    /// ## Why it matters
    /// float16 has nothing between 0 and 6e-8, and gradients of a mean loss are often smaller: they become zero. Layers that lose
    /// theirs stand still, and the training is slower than in float32 or does not learn at all.
    ///
    /// ## What to do
    /// `scaler = torch.amp.GradScaler()`; then `scaler.scale(loss).backward()`, `scaler.step(optimizer)`, `scaler.update()`. Or use
    /// `dtype=torch.bfloat16`, whose range is that of float32. Keep the parameters in float32.
    ///
    /// ## False alarms
    /// Dead units, and the rows of an embedding that a batch does not use, have gradients that are zero in any precision. The engine
    /// trains in float32, so no experiment decides: compare one run without autocast, or with a scaler.
    ///
    /// ## Reference
    /// Micikevicius et al. 2018, "Mixed Precision Training", on loss scaling: some networks do not train in float16 without it. torch.amp,
    /// "Gradient Scaling". 70% zero gradients as a sign of dead units: AutoTrainer.
    MixedPrecisionUnderflow, "loop" / "mixed-precision-underflow"
}

/// Limits of [`MixedPrecisionUnderflow`].
#[derive(Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Share of the gradients' values that may be exactly zero, 0..1. Ours: below AutoTrainer's 0.7; a weight's gradient is only zero
    /// if its unit is silent for the whole batch.
    pub zero_share: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { zero_share: 0.5 }
    }
}

impl Check for MixedPrecisionUnderflow {
    type Needs = (Seen, Part<LoopGradients>);
    type Limits = Limits;

    fn judge((seen, gradients): (&TrainingLoop, &LoopGradients), limits: &Limits) -> Judgement {
        let (zero, half) = (gradients.zero_share.0, gradients.precision == "float16");
        let scaler = if gradients.scaled { "a loss scaler" } else { "no loss scaler" };
        let measured = format!("{} of the gradient values are zero, {} with {scaler}", percent(zero), super::short(&gradients.precision));
        if !half || gradients.scaled || zero <= limits.zero_share || zero.is_nan() {
            return Judgement::clear(measured);
        }
        Finding {
            severity: if falls(&seen.losses) { Severity::Warning } else { Severity::Error },
            strength: between(zero, limits.zero_share, 1.0),
            message: "gradients are too small for float16 and become zero, because the loss is not scaled".to_owned(),
            measured,
            fix: "scale the loss with `torch.amp.GradScaler`, or use `autocast(dtype=torch.bfloat16)`".to_owned(),
            remedy: None,
            location: seen.loss_line(),
        }
        .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{clears, sound_loop, suspects};

    fn gradients(precision: &str, scaled: bool, zero_share: f64) -> LoopGradients {
        LoopGradients { precision: precision.to_owned(), scaled, zero_share: zero_share.into(), ..sound_loop().gradients.unwrap() }
    }

    #[test]
    fn unscaled_gradients_that_are_zero_in_float16_are_suspected() {
        let flat = TrainingLoop { losses: vec![0.69.into(); 40], ..sound_loop() };
        let finding = suspects::<MixedPrecisionUnderflow>((&flat, &gradients("float16", false, 0.9)));
        assert_eq!((finding.severity, finding.remedy), (Severity::Error, None));
        let finding = suspects::<MixedPrecisionUnderflow>((&sound_loop(), &gradients("float16", false, 0.6)));
        assert_eq!(finding.severity, Severity::Warning, "its losses fall");
    }

    #[test]
    fn scaled_or_wider_or_mostly_nonzero_gradients_are_clear() {
        for (precision, scaled, zero_share) in
            [("float16", true, 0.9), ("bfloat16", false, 0.9), ("float32", false, 0.9), ("float16", false, 0.4)]
        {
            clears::<MixedPrecisionUnderflow>((&sound_loop(), &gradients(precision, scaled, zero_share)));
        }
    }
}
