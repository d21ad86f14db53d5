//! Real inputs against constant ones (Karpathy 2019, "input-independent baseline").

use nanprobe_checks::evidence::BlankInputs;
use tch::Kind;

use super::{Lab, ProbeError};
use crate::graph::GraphError;
use crate::train::{Samples, Sampler, evaluate, train};

pub fn measure(lab: &Lab) -> Result<BlankInputs, ProbeError> {
    let (blank_train, blank_held_out) = (blank(&lab.train)?, blank(&lab.held_out)?);
    let (real_loss, real_accuracy) = contest(lab, &lab.train, &lab.held_out)?;
    let (blank_loss, blank_accuracy) = contest(lab, &blank_train, &blank_held_out)?;
    Ok(BlankInputs {
        steps: lab.plan.steps as u64,
        real_loss: real_loss.into(),
        blank_loss: blank_loss.into(),
        real_accuracy: real_accuracy.into(),
        blank_accuracy: blank_accuracy.into(),
    })
}

/// Every input replaced by the mean input.
fn blank(samples: &Samples) -> Result<Samples, GraphError> {
    let pixels = samples.pixels();
    let mean = pixels.f_to_kind(Kind::Float)?.f_mean_dim([0i64].as_slice(), true, Kind::Float)?.f_to_kind(Kind::Uint8)?;
    Ok(samples.repainted(mean.f_expand_as(pixels)?.f_contiguous()?))
}

/// Final training loss and held-out balanced accuracy.
fn contest(lab: &Lab, samples: &Samples, held_out: &Samples) -> Result<(f64, f64), ProbeError> {
    let recipe = lab.recipe();
    let network = lab.model(0)?.network;
    let mut sampler = Sampler::new(samples, recipe.batch_size, recipe.shuffle, lab.seed(0));
    let curve = train(&network, samples, recipe, &mut sampler, lab.plan.steps, &mut ())?;
    let last = &curve.loss[curve.loss.len() - (curve.loss.len() / 10).max(1)..];
    let loss = last.iter().map(|loss| loss.0).sum::<f64>() / last.len() as f64;
    Ok((loss, evaluate(&network, held_out, recipe)?.balanced_accuracy()))
}
