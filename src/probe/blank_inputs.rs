//! Real inputs against constant ones (Karpathy 2019, "input-independent baseline").

use nanprobe_checks::evidence::{BlankInputs, TrainingRun};
use tch::{Kind, Tensor};

use super::{Lab, ProbeError};
use crate::graph::GraphError;
use crate::sampler::Sampler;
use crate::samples::{Samples, is_float};
use crate::train::{evaluate, train};

pub fn measure(lab: &Lab) -> Result<BlankInputs, ProbeError> {
    let (blank_train, blank_held_out) = (blank(&lab.train)?, blank(&lab.held_out)?);
    let real = lab.first_run.as_ref().ok_or(ProbeError::Missing("the training by your recipe"))?;
    let recipe = lab.recipe();
    let network = lab.model(0)?.network;
    let mut sampler = Sampler::new(&blank_train, recipe.batch_size, recipe.shuffle, lab.seed(0));
    let curve = train(&network, &blank_train, recipe, &mut sampler, lab.plan.steps, &mut ())?;
    let score = evaluate(&network, &blank_held_out, recipe)?;
    let blank =
        TrainingRun { seed: lab.seed(0), loss: curve.loss, gradient_norm: vec![], half_way: None, train: score.clone(), held_out: score };
    Ok(BlankInputs {
        steps: lab.plan.steps as u64,
        real_loss: real.final_loss().into(),
        blank_loss: blank.final_loss().into(),
        real_accuracy: real.held_out.balanced_accuracy().into(),
        blank_accuracy: blank.held_out.balanced_accuracy().into(),
    })
}

/// Every input replaced by the mean input; by the first one where it is token ids, which have no mean.
fn blank(samples: &Samples) -> Result<Samples, GraphError> {
    let blanked = |input: &Tensor| {
        let kind = input.kind();
        let one = if kind == Kind::Uint8 || is_float(kind) {
            input.f_to_kind(Kind::Float)?.f_mean_dim([0i64].as_slice(), true, Kind::Float)?.f_to_kind(kind)?
        } else {
            input.f_narrow(0, 0, 1)?
        };
        Ok(one.f_expand_as(input)?.f_contiguous()?)
    };
    Ok(samples.with_inputs(samples.inputs().iter().map(blanked).collect::<Result<_, GraphError>>()?))
}
