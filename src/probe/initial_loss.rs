//! The loss before training.

use nanprobe_checks::evidence::InitialLoss;
use nanprobe_checks::recipe::Loss;
use tch::no_grad;

use super::{Lab, ProbeError};
use crate::graph::Mode;
use crate::model::scalar;
use crate::sampler::Sampler;
use crate::train::loss_of;

const BATCHES: usize = 4;

pub fn measure(lab: &Lab) -> Result<InitialLoss, ProbeError> {
    let recipe = lab.recipe();
    let network = lab.model(0)?.network;
    // Shuffled whatever the recipe says: the first batches of sorted data hold one class.
    let mut sampler = Sampler::new(&lab.train, recipe.batch_size, true, lab.seed(0));
    let mut losses = [0.0; 2];
    let mut samples = 0;
    no_grad(|| -> Result<(), ProbeError> {
        for _ in 0..BATCHES {
            let indices = sampler.next_batch();
            let (inputs, labels) = lab.train.batch(&indices, recipe.normalize)?;
            // Evaluation first: the forward pass in training mode changes batch norm's statistics.
            for (sum, mode) in losses.iter_mut().zip([Mode::Evaluate, Mode::Train]) {
                let (_, loss) = loss_of(&network, recipe, &inputs, &labels, mode, None)?;
                *sum += scalar(&loss)? * indices.len() as f64;
            }
            samples += indices.len();
        }
        Ok(())
    })?;
    let [evaluation_loss, loss] = losses.map(|sum| sum / samples as f64);
    let uninformed = match recipe.loss {
        // Summed or weighted otherwise, a criterion of the user's own has another scale.
        _ if network.graph().criterion.as_ref().is_some_and(|own| own.used && !own.mean) => None,
        Loss::CrossEntropy | Loss::Nll => Some((lab.shape.outputs as f64).ln()),
        Loss::BceWithLogits | Loss::Bce => Some(std::f64::consts::LN_2),
        Loss::Mse | Loss::Exported => None,
    };
    Ok(InitialLoss {
        criterion: recipe.loss,
        samples: samples as u64,
        loss: loss.into(),
        uninformed: uninformed.map(Into::into),
        evaluation_loss: evaluation_loss.into(),
    })
}
