//! The given labels against the same labels permuted (Zhang et al. 2017), by a reference learner.

use nanprobe_checks::evidence::{LabelContest, PermutedLabels};
use nanprobe_checks::progress::{LEARNS, way};
use nanprobe_checks::recipe::{Loss, Mode, ModelRecipe, Normalize, OptimizerKind, OptimizerRecipe, Recipe};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use tch::Kind;

use super::{Lab, ProbeError};
use crate::graph::{Builder, Conv, Graph, GraphError, Network, Value};
use crate::model::{scalar, seeded};
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
    // Both sides of a contest train at the same time: the reference learner draws nothing while it trains.
    let contest = |repetition: usize| -> Result<LabelContest, ProbeError> {
        let mut labels = samples.labels()?;
        labels.shuffle(&mut StdRng::seed_from_u64(lab.seed(repetition)));
        let permuted = samples.relabelled(&labels)?;
        let side = |train: &Samples| (lab.again(), train.shallow_clone(), held_out.shallow_clone());
        let sides = vec![side(&samples), side(&permuted)];
        let mut scores =
            lab.side_by_side(sides, |(lab, train, held_out)| learn(&lab, &train, &held_out, &recipe, shape, repetition))?.into_iter();
        let (Some(given), Some(permuted)) = (scores.next(), scores.next()) else { return Err(ProbeError::Missing("a contest's score")) };
        Ok(LabelContest { given, permuted })
    };
    let mut contests = vec![contest(0)?];
    // What is plain after one contest needs no other.
    while contests.len() < SEEDS && !plain(&contests[0], lab.train.classes()) {
        contests.push(contest(contests.len())?);
    }
    let side = shape.size;
    let learner = format!("a small batch-norm network with Adam 2e-3 on {side} px inputs of unit variance, shuffled");
    Ok(PermutedLabels { learner, steps: STEPS as u64, contests })
}

/// Whether the given labels are learned far beyond what chance could do.
fn plain(contest: &LabelContest, classes: usize) -> bool {
    way(contest.given.balanced_accuracy(), classes.max(2)) > LEARNS
}

fn learn(
    lab: &Lab,
    samples: &Samples,
    held_out: &Samples,
    recipe: &Recipe,
    shape: Shape,
    repetition: usize,
) -> Result<nanprobe_checks::evidence::Score, ProbeError> {
    let network = seeded(lab.seed(repetition), || Network::new(reference(shape), lab.device))?;
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
        model: ModelRecipe::named("reference"),
        loss: Loss::CrossEntropy,
        optimizer: OptimizerRecipe { kind: OptimizerKind::Adam, lr: 2e-3, momentum: 0.0, weight_decay: 0.0, groups: vec![] },
        batch_size: 32,
        shuffle: true,
        image_size: pixels.size()[3] as usize,
        normalize: Normalize::MeanStd { mean, std },
        trainable: vec![],
        training_mode: Mode::Train,
        evaluation_mode: Mode::Eval,
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
