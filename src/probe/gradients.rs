//! The gradient of each parameter before training, and its first updates.

use nanprobe_checks::Real;
use nanprobe_checks::evidence::{Gradients, ParameterGradient};
use tch::{Kind, Tensor, no_grad};

use super::{Lab, ProbeError};
use crate::graph::knowledge::{detaches, parameter_depths, unused_parameters};
use crate::graph::{GraphError, Network, Node};
use crate::model::{real, scalar};
use crate::sampler::Sampler;
use crate::train::{Hook, Optimizer, gradient_norm, loss_of};

/// Samples the gradients are averaged over.
const SAMPLES: usize = 64;
/// Steps the update ratio is averaged over.
const UPDATES: usize = 3;

/// Gradients before any step; every parameter differentiated, whether or not the recipe trains it.
pub fn measure(lab: &Lab) -> Result<Gradients, ProbeError> {
    let recipe = lab.recipe();
    let network = lab.model(0)?.network;
    let indices = Sampler::new(&lab.train, SAMPLES, true, lab.seed(0)).next_batch();
    let (inputs, labels) = lab.train.batch(&indices, recipe.normalize)?;
    let (_, loss) = loss_of(&network, recipe, &inputs, &labels, recipe.training_mode.into(), None)?;
    if loss.requires_grad() {
        loss.f_backward().map_err(GraphError::from)?;
    }
    let depths = parameter_depths(network.graph());
    let parameters = (network.graph().parameters.iter().zip(network.parameters()).zip(depths))
        .map(|((parameter, tensor), depth)| {
            let gradient = tensor.grad();
            let reached = gradient.defined();
            let zero = Real(0.0);
            Ok(ParameterGradient {
                name: parameter.name.clone(),
                kind: parameter.kind,
                depth,
                count: parameter.shape.iter().product::<i64>() as u64,
                trainable: recipe.trains(&parameter.name),
                lr: recipe.optimizer.lr_of(&parameter.name).into(),
                reached,
                norm: if reached { real(&gradient.f_norm()?)? } else { zero },
                mean_abs: if reached { real(&gradient.f_abs()?.f_mean(Kind::Float)?)? } else { zero },
                weight_norm: real(&tensor.f_norm()?)?,
                update_ratio: None,
            })
        })
        .collect::<Result<_, GraphError>>()?;
    let detached = detaches(network.graph()).map(Node::location).collect();
    let unused = unused_parameters(network.graph());
    Ok(Gradients { samples: indices.len() as u64, total_norm: gradient_norm(&network)?.into(), parameters, detached, unused })
}

/// Watches a training's first steps: |update| / |parameter| of each parameter.
#[derive(Default)]
pub struct Updates {
    before: Vec<Tensor>,
    /// Sum of the ratios, one a parameter; none where it is zero or not trained.
    sums: Vec<Option<f64>>,
    steps: usize,
}

impl Updates {
    /// Writes the mean ratios into the gradients.
    pub fn complete(&self, gradients: &mut Gradients) {
        for (parameter, sum) in gradients.parameters.iter_mut().zip(&self.sums) {
            parameter.update_ratio = sum.filter(|_| self.steps > 0).map(|sum| Real(sum / self.steps as f64));
        }
    }
}

impl Hook for Updates {
    fn before_update(&mut self, step: usize, network: &Network, _: &mut Optimizer) -> Result<(), GraphError> {
        if step < UPDATES {
            self.before = network.parameters().iter().map(|p| Ok(p.f_detach_copy()?)).collect::<Result<_, GraphError>>()?;
        }
        Ok(())
    }

    fn after_update(&mut self, step: usize, network: &Network, _: f64) -> Result<bool, GraphError> {
        if step >= UPDATES {
            return Ok(true);
        }
        self.sums.resize(network.parameters().len(), Some(0.0));
        self.steps += 1;
        no_grad(|| {
            for ((before, after), sum) in self.before.iter().zip(network.parameters()).zip(&mut self.sums) {
                let size = scalar(&before.f_norm()?)?;
                let update = scalar(&after.f_sub(before)?.f_norm()?)?;
                *sum = sum.filter(|_| size > 0.0 && after.requires_grad()).map(|sum| sum + update / size);
            }
            Ok(true)
        })
    }
}
