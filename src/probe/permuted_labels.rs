//! The given labels against the same labels permuted (Zhang et al. 2017), by a reference learner.

use nanprobe_checks::evidence::{LabelContest, PermutedLabels};
use nanprobe_checks::recipe::{Init, Loss, ModelRecipe, Normalize, OptimizerKind, OptimizerRecipe, Recipe};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use tch::Kind;

use super::{Lab, ProbeError};
use crate::graph::{Builder, Conv, Graph, GraphError, Network, Value};
use crate::model::scalar;
use crate::train::{Sampler, Samples, evaluate, train};
use crate::zoo::Shape;

const STEPS: usize = 120;
const SEEDS: usize = 2;
/// Side of the reference learner's input in pixels: enough for most classes, and cheap.
const SIDE: i64 = 32;

pub fn measure(lab: &Lab) -> Result<PermutedLabels, ProbeError> {
    let (samples, held_out) = (shrink(&lab.train)?, shrink(&lab.held_out)?);
    let recipe = recipe(samples.pixels())?;
    let shape = Shape { size: samples.pixels().size()[3], outputs: lab.train.classes().max(2) as i64, ..lab.shape };
    let mut contests = Vec::new();
    for repetition in 0..SEEDS {
        let mut labels = samples.labels()?;
        let given = learn(lab, &samples, &held_out, &recipe, shape, repetition)?;
        labels.shuffle(&mut StdRng::seed_from_u64(lab.seed(repetition)));
        let permuted = learn(lab, &samples.relabelled(&labels)?, &held_out, &recipe, shape, repetition)?;
        contests.push(LabelContest { given, permuted });
    }
    let side = shape.size;
    let learner = format!("a small batch-norm network with Adam 2e-3 on {side} px inputs of unit variance, shuffled");
    Ok(PermutedLabels { learner, steps: STEPS as u64, contests })
}

fn learn(
    lab: &Lab,
    samples: &Samples,
    held_out: &Samples,
    recipe: &Recipe,
    shape: Shape,
    repetition: usize,
) -> Result<nanprobe_checks::evidence::Score, ProbeError> {
    tch::manual_seed(lab.seed(repetition) as i64);
    let network = Network::new(reference(shape), lab.device)?;
    // Balanced, so that labels of a rare class count for as much as any.
    let mut sampler = Sampler::balanced(samples, recipe.batch_size, lab.seed(repetition))?;
    train(&network, samples, recipe, &mut sampler, STEPS, &mut ())?;
    Ok(evaluate(&network, held_out, recipe)?)
}

/// Inputs of at most [`SIDE`] pixels, by averaging.
fn shrink(samples: &Samples) -> Result<Samples, GraphError> {
    let pixels = samples.pixels();
    if pixels.size()[3] <= SIDE {
        return Ok(samples.repainted(pixels.shallow_clone()));
    }
    let small = pixels.f_to_kind(Kind::Float)?.f_adaptive_avg_pool2d([SIDE, SIDE])?.f_round()?.f_to_kind(Kind::Uint8)?;
    Ok(samples.repainted(small))
}

fn recipe(pixels: &tch::Tensor) -> Result<Recipe, GraphError> {
    let floats = pixels.f_to_kind(Kind::Float)?;
    let mean = scalar(&floats.f_mean(Kind::Float)?)? / 255.0;
    let std = (scalar(&floats.f_std(false)?)? / 255.0).max(1e-3);
    Ok(Recipe {
        model: ModelRecipe {
            name: "reference".to_owned(),
            weights: None,
            init: Init::Default,
            outputs: None,
            output_activation: None,
            detach: vec![],
        },
        loss: Loss::CrossEntropy,
        optimizer: OptimizerRecipe { kind: OptimizerKind::Adam, lr: 2e-3, momentum: 0.0, weight_decay: 0.0, groups: vec![] },
        batch_size: 32,
        shuffle: true,
        image_size: pixels.size()[3] as usize,
        normalize: Normalize::MeanStd { mean, std },
        trainable: vec![],
    })
}

fn reference(shape: Shape) -> Graph {
    let mut b = Builder::new("reference");
    let mut x = Value::Input;
    let mut input = shape.channels;
    for (position, width) in [16, 32, 64].into_iter().enumerate() {
        x = b.conv2d(&format!("conv{position}"), x, Conv::new(input, width, 3).padding(1).no_bias().fan_out());
        x = b.batch_norm(&format!("bn{position}"), x, width);
        x = b.relu(&format!("relu{position}"), x);
        x = b.max_pool2d(&format!("pool{position}"), x, 2, 2, 0);
        input = width;
    }
    x = b.adaptive_avg_pool2d("avgpool", x, 2);
    x = b.flatten(x);
    x = b.linear("fc", x, input * 4, shape.outputs, None);
    b.finish(x)
}
