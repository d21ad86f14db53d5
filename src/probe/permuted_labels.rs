//! The given labels against the same labels permuted (Zhang et al. 2017), by a reference learner.

use nanprobe_checks::evidence::{LabelContest, PermutedLabels};
use nanprobe_checks::progress::{LEARNS, way};
use nanprobe_checks::recipe::{LoopRecipe, Loss, Mode, ModelRecipe, Normalize, OptimizerKind, OptimizerRecipe, Recipe};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use tch::{Kind, Tensor};

use super::{Lab, ProbeError};
use crate::graph::{Builder, Conv, Graph, GraphError, Network, Value};
use crate::model::{scalar, seeded};
use crate::sampler::Sampler;
use crate::samples::{Samples, is_float};
use crate::train::{evaluate, train};
use crate::zoo::Shape;

const STEPS: usize = 120;
const SEEDS: usize = 2;
/// Side of the reference learner's input in pixels: enough for most classes, and cheap.
const SIDE: i64 = 32;
/// Width of the other learner's embeddings and of its hidden layer.
const EMBEDDING: i64 = 32;
const HIDDEN: i64 = 64;
/// Values of an input that it takes as they are; larger pictures are averaged.
const FLAT: i64 = 4096;
/// Largest vocabulary that it embeds: larger ones than any tokenizer's are ids of another kind.
const VOCABULARY: i64 = 300_000;

pub fn measure(lab: &Lab) -> Result<PermutedLabels, ProbeError> {
    let (samples, held_out) = (shrink(&lab.train)?, shrink(&lab.held_out)?);
    let outputs = lab.train.classes().max(2) as i64;
    let (learner, graph, recipe) = if let Some(pixels) = samples.pixels() {
        let size = pixels.size();
        let shape = Shape { channels: size[1], size: size[3], outputs };
        let learner = format!("a small batch-norm network with Adam 2e-3 on {} px inputs of unit variance, shuffled", size[3]);
        (learner, of_pictures(shape), recipe(mean_and_deviation(pixels)?))
    } else {
        let learner = "a small batch-norm network with Adam 2e-3 on standardised values and averaged embeddings, shuffled";
        (learner.to_owned(), of_anything(&[&samples, &held_out], outputs)?, recipe(Normalize::Standardize))
    };
    // Both sides of a contest train at the same time: the reference learner draws nothing while it trains.
    let contest = |repetition: usize| -> Result<LabelContest, ProbeError> {
        let mut labels = samples.labels()?;
        labels.shuffle(&mut StdRng::seed_from_u64(lab.seed(repetition)));
        let permuted = samples.relabelled(&labels)?;
        let side = |train: &Samples| (lab.again(), train.shallow_clone(), held_out.shallow_clone());
        let sides = vec![side(&samples), side(&permuted)];
        let mut scores =
            lab.side_by_side(sides, |(lab, train, held_out)| learn(&lab, &train, &held_out, &recipe, &graph, repetition))?.into_iter();
        let (Some(given), Some(permuted)) = (scores.next(), scores.next()) else { return Err(ProbeError::Missing("a contest's score")) };
        Ok(LabelContest { given, permuted })
    };
    let mut contests = vec![contest(0)?];
    // What is plain after one contest needs no other.
    while contests.len() < SEEDS && !plain(&contests[0], lab.train.classes()) {
        contests.push(contest(contests.len())?);
    }
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
    graph: &Graph,
    repetition: usize,
) -> Result<nanprobe_checks::evidence::Score, ProbeError> {
    let network = seeded(lab.seed(repetition), || Network::new(graph.clone(), lab.device))?;
    // Balanced, so that labels of a rare class count for as much as any.
    let mut sampler = Sampler::balanced(samples, recipe.batch_size, lab.seed(repetition))?;
    train(&network, samples, recipe, &mut sampler, STEPS, &mut ())?;
    Ok(evaluate(&network, held_out, recipe)?)
}

/// Pictures of at most [`SIDE`] pixels, by averaging.
fn shrink(samples: &Samples) -> Result<Samples, GraphError> {
    match samples.pixels() {
        Some(pixels) if pixels.size()[2] > SIDE || pixels.size()[3] > SIDE => {
            let small = pixels.f_to_kind(Kind::Float)?.f_adaptive_avg_pool2d([SIDE, SIDE])?.f_round()?.f_to_kind(Kind::Uint8)?;
            Ok(samples.with_inputs(vec![small]))
        }
        _ => Ok(samples.shallow_clone()),
    }
}

fn mean_and_deviation(pixels: &Tensor) -> Result<Normalize, GraphError> {
    let floats = pixels.f_to_kind(Kind::Float)?;
    let mean = scalar(&floats.f_mean(Kind::Float)?)? / 255.0;
    let std = (scalar(&floats.f_std(false)?)? / 255.0).max(1e-3);
    Ok(Normalize::MeanStd { mean, std })
}

fn recipe(normalize: Normalize) -> Recipe {
    Recipe {
        model: ModelRecipe::named("reference"),
        loss: Loss::CrossEntropy,
        optimizer: OptimizerRecipe { kind: OptimizerKind::Adam, lr: 2e-3, momentum: 0.0, weight_decay: 0.0, groups: vec![] },
        batch_size: 32,
        shuffle: true,
        image_size: SIDE as usize,
        normalize,
        trainable: None,
        training_mode: Mode::Train,
        evaluation_mode: Mode::Eval,
        loop_: LoopRecipe::default(),
    }
}

/// A learner for any inputs: floats as they are, token ids as the mean of embeddings, float pictures averaged to a few pixels.
fn of_anything(samples: &[&Samples], outputs: i64) -> Result<Graph, GraphError> {
    let mut b = Builder::new("reference");
    let mut features = Vec::new();
    let mut width = 0;
    for (index, input) in samples[0].inputs().iter().enumerate() {
        let size = input.size();
        let values: i64 = size[1..].iter().product();
        let x = Value::Input(index);
        let whole = !is_float(input.kind());
        let (feature, count) = if whole {
            let largest =
                samples.iter().map(|s| scalar(&s.inputs()[index].f_max()?.f_to_kind(Kind::Double)?)).collect::<Result<Vec<_>, _>>()?;
            let vocabulary = largest.into_iter().fold(0.0, f64::max) as i64 + 1;
            (b.mean_embedding(&format!("embedding{index}"), x, size.len(), [vocabulary.clamp(1, VOCABULARY), EMBEDDING]), EMBEDDING)
        } else if size.len() == 4 && values > FLAT {
            let small = b.adaptive_avg_pool2d(&format!("pool{index}"), x, 8);
            (b.flatten(small), size[1] * 64)
        } else {
            (b.flatten(x), values)
        };
        features.push(feature);
        width += count;
    }
    let x = b.cat("features", &features, 1);
    let x = b.linear("hidden", x, width, HIDDEN, None);
    let x = b.batch_norm("bn", x, HIDDEN);
    let x = b.relu("relu", x);
    let x = b.linear("fc", x, HIDDEN, outputs, None);
    Ok(b.finish_with(x, samples[0].inputs().len()))
}

fn of_pictures(shape: Shape) -> Graph {
    let mut b = Builder::new("reference");
    let mut x = Value::Input(0);
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
