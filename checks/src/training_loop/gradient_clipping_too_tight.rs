//! Gradients that are clipped to next to nothing.

use serde::{Deserialize, Serialize};

use super::{Part, Seen, severity};
use crate::check::{Check, Maybe};
use crate::evidence::{LoopGradients, Training, TrainingLoop};
use crate::stats::beyond;
use crate::words::number;
use crate::{Finding, Judgement, Remedy, describe};

describe! {
    /// Gradients are clipped to a small fraction of their norm.
    ///
    /// ## What it looks for
    /// Clipping in more than half of the steps to a norm far below the median one. Much further below counts where the optimizer divides
    /// by the gradient's size, as Adam does.
    ///
    /// ## Why it matters
    /// Clipping is for the few steps whose gradient is out of proportion. If it cuts every gradient to a thousandth, it is a learning
    /// rate a thousand times lower, and the weights hardly move in the steps there are.
    ///
    /// ## What to do
    /// Clip near the norms that you see: `clip_grad_norm_` returns the norm before clipping, and 1.0 to 5.0 is usual. With a scaler
    /// call `scaler.unscale_(optimizer)` first, or the scaled gradient is what is clipped.
    ///
    /// ## False alarms
    /// A norm of 1.0 with gradients of 5, or 0.1 under Adam as detection transformers have it, passes. A learning rate raised to match is no
    /// fault: the experiment without clipping decides.
    ///
    /// ## Reference
    /// Pascanu, Mikolov and Bengio 2013, "On the difficulty of training recurrent neural networks": thresholds from half to ten times the
    /// average norm converge. Adam's update does not depend on the gradient's scale: Kingma and Ba 2015.
    GradientClippingTooTight, "loop" / "gradient-clipping-too-tight"
}

/// Limits of [`GradientClippingTooTight`].
#[derive(Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Norm clipped to over the median norm. Ours: a twenty-fifth of the least that Pascanu et al. 2013 call converging.
    pub ratio: f64,
    /// The same under an optimizer that divides by the gradient's size. Ours: only its eps of 1e-8 then notices the scale.
    pub ratio_if_adaptive: f64,
    /// Share of the steps that may be clipped so, 0..1. Ours: outliers are fewer.
    pub clipped_share: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { ratio: 0.02, ratio_if_adaptive: 1e-4, clipped_share: 0.5 }
    }
}

/// Optimizers whose step does not depend on the gradient's scale, by parts of their names in small letters.
const ADAPTIVE: [&str; 7] = ["adam", "rmsprop", "adagrad", "adadelta", "adafactor", "lamb", "lion"];

impl Check for GradientClippingTooTight {
    type Needs = (Seen, Part<LoopGradients>, Maybe<Training>);
    type Limits = Limits;

    fn judge((seen, gradients, training): (&TrainingLoop, &LoopGradients, Option<&Training>), limits: &Limits) -> Judgement {
        let median = gradients.median_norm.0;
        let Some(clip) = &gradients.clip else {
            return Judgement::clear(format!("gradients of norm {}, not clipped", number(median)));
        };
        let class = seen.optimizer.as_ref().map(|optimizer| super::short(&optimizer.class).to_lowercase()).unwrap_or_default();
        let limit = if ADAPTIVE.iter().any(|name| class.contains(name)) { limits.ratio_if_adaptive } else { limits.ratio };
        let ratio = clip.max_norm.0 / median;
        let often = clip.clipped as f64 > limits.clipped_share * seen.steps.max(1) as f64;
        let measured = format!(
            "clipped to norm {} in {} of {} steps; median norm {}",
            number(clip.max_norm.0),
            clip.clipped,
            seen.steps,
            number(median)
        );
        if !often || ratio >= limit || ratio.is_nan() {
            return Judgement::clear(measured);
        }
        Finding {
            severity: severity(training),
            strength: beyond(ratio, limit, 3.0),
            message: "gradients are clipped to a small part of their norm, so the weights hardly move".to_owned(),
            measured,
            fix: format!("raise `max_norm` in `clip_grad_norm_` to about {}, or do not clip", number(median)),
            remedy: Some(Remedy::Unclip),
            location: clip.location.clone().or_else(|| seen.step_line()),
        }
        .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::LoopClip;
    use crate::testing::{clears, sound_loop, suspects};

    fn clipped(optimizer: &str, max_norm: f64, clipped: u64) -> (TrainingLoop, LoopGradients) {
        let mut seen = sound_loop();
        optimizer.clone_into(&mut seen.optimizer.as_mut().unwrap().class);
        let clip = LoopClip { max_norm: max_norm.into(), clipped, location: None };
        (seen, LoopGradients { median_norm: 5.0.into(), clip: Some(clip), ..sound_loop().gradients.unwrap() })
    }

    #[test]
    fn clipping_every_step_to_a_thousandth_is_suspected_and_can_be_left_out() {
        let (seen, gradients) = clipped("torch.optim.sgd.SGD", 0.001, 40);
        let finding = suspects::<GradientClippingTooTight>((&seen, &gradients, None));
        assert_eq!(finding.remedy, Some(Remedy::Unclip));
        assert_eq!(finding.measured, "clipped to norm 0.001 in 40 of 40 steps; median norm 5");
        assert!(finding.location.is_some(), "where the step is, for want of a place");
    }

    #[test]
    fn usual_clipping_and_rare_clipping_are_clear() {
        for (optimizer, max_norm, times) in
            [("SGD", 1.0, 40), ("SGD", 0.1, 40), ("SGD", 0.001, 4), ("torch.optim.adamw.AdamW", 0.01, 40), ("SGD", f64::NAN, 40)]
        {
            let (seen, gradients) = clipped(optimizer, max_norm, times);
            clears::<GradientClippingTooTight>((&seen, &gradients, None));
        }
        clears::<GradientClippingTooTight>((&sound_loop(), &LoopGradients { clip: None, ..sound_loop().gradients.unwrap() }, None));
    }
}
