//! What the budget allows: image size, steps and seeds, from the measured time of one step.

use std::time::Instant;

use crate::config::Settings;
use crate::design::Design;
use crate::graph::{GraphError, Mode, Network};
use crate::model::{Treatment, build};
use crate::probe::ProbeError;
use crate::sampler::Sampler;
use crate::samples::Samples;
use crate::train::train;
use crate::zoo::Shape;
use nanprobe_checks::recipe::Recipe;
use tch::{Device, Kind, Tensor, no_grad};

/// Steps of one short training: 60 separate the usual faults from a healthy run (see docs/how-verdicts-are-made.md).
const MIN_STEPS: usize = 60;
/// More steps than this add little in a probe of 1,000 samples (4 epochs at batch 32).
const MAX_STEPS: usize = 120;
/// With fewer steps than this nothing can be told from a training.
const LEAST_STEPS: usize = 15;
/// Share of the budget that one training may take where not even the fewest trainings fit.
const BASELINE: f64 = 0.15;
/// Seeds of the baseline; experiments add more where two do not decide.
const SEEDS: usize = 2;
/// What a diagnosis with two suspects costs, in trainings: two each for the baseline and four experiments, one each for the sweep and the
/// mended job, less what is saved by training two seeds side by side.
const TRAININGS: f64 = 10.0;
/// What a training costs beside its steps, in steps: scoring 800 samples costs about a third of training on them.
const SCORING: f64 = 8.0;
/// A step's fixed costs make a larger picture cheaper than its area says: by this, at most, from 32 px on.
const OVERHEAD: f64 = 0.7;
/// Share of the budget that these trainings may take.
const SHARE: f64 = 0.85;
/// Sides that are tried where the asked one is too slow, in pixels.
const SIZES: [usize; 6] = [160, 128, 96, 64, 48, 32];

/// What the budget allows.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Side of the input in pixels.
    pub size: usize,
    /// Steps of one short training.
    pub steps: usize,
    /// Seeds of the baseline.
    pub seeds: usize,
    /// Steps of one learning-rate sweep.
    pub sweep_steps: usize,
    /// Seeds of the sweep.
    pub sweep_seeds: usize,
    /// What was lowered, in words.
    pub lowered: Vec<String>,
}

/// Finds the largest image size, then the most steps, that fit the budget.
///
/// Only the smallest size is timed first: the others follow from their area, and the largest that may fit is timed as well.
pub fn plan(settings: &Settings, job: &Timed, left: f64) -> Result<Plan, ProbeError> {
    let asked = job.shape.size as usize;
    let mut sizes = vec![asked];
    if !settings.given.image_size && job.few.is_none() {
        let smaller = SIZES.into_iter().filter(|size| *size < asked);
        if job.design.leaves_size_open() {
            let model = build(job.design, &Treatment::none(job.recipe), job.shape, job.device, 0)?;
            sizes.extend(smaller.take_while(|size| runs(&model.network, Shape { size: *size as i64, ..job.shape }, job.device)));
        } else {
            let weights = job.recipe.model.weights.is_some() || job.recipe.model.reference.is_some();
            for size in smaller {
                if job.design.takes(size, job.shape, weights)? {
                    sizes.push(size);
                }
            }
        }
    }
    let timed = |size: usize| seconds_per_step(job, Shape { size: size as i64, ..job.shape });
    let allowed = left * SHARE / (TRAININGS * (MIN_STEPS as f64 + SCORING));
    let smallest = sizes[sizes.len() - 1];
    let mut chosen = (smallest, timed(smallest)?);
    let least = |size: usize| OVERHEAD * chosen.1 * (size * size) as f64 / (smallest * smallest) as f64;
    if let Some(&size) = sizes.iter().find(|&&size| size > smallest && least(size) <= allowed) {
        let seconds = timed(size)?;
        if seconds <= allowed {
            chosen = (size, seconds);
        }
    }
    let (size, seconds) = chosen;
    let affordable = left * SHARE / seconds / TRAININGS - SCORING;
    let mut steps = (affordable as usize).clamp(MIN_STEPS, MAX_STEPS);
    let mut seeds = SEEDS;
    let mut lowered = Vec::new();
    // Where it is slow at any size, one seed and fewer steps leave time for experiments.
    let most = (left * BASELINE / seconds - SCORING).max(0.0) as usize;
    if steps > most {
        seeds = 1;
        steps = most.max(LEAST_STEPS);
        lowered.push(format!("{SEEDS} seeds of {MIN_STEPS} steps -> 1 of {steps} (one step takes {seconds:.2} s); --budget gives more"));
    }
    if size < asked {
        lowered.push(format!("image size {asked} -> {size} px (one step takes {seconds:.2} s); --image-size {asked} forbids it"));
    }
    let roomy = affordable >= MAX_STEPS as f64;
    Ok(Plan {
        size,
        steps,
        seeds,
        sweep_steps: if roomy { 100 } else { steps.min(MIN_STEPS) },
        sweep_seeds: if roomy { 2 } else { 1 },
        lowered,
    })
}

/// The job whose steps are timed.
pub struct Timed<'a> {
    /// Its model.
    pub design: &'a Design,
    /// How it is trained.
    pub recipe: &'a Recipe,
    /// What the model is built for.
    pub shape: Shape,
    /// Where it runs.
    pub device: Device,
    /// Samples, where they are there already.
    pub few: Option<&'a Samples>,
}

/// The faster of two training steps, on random pixels where there are no samples yet, after one to warm up.
fn seconds_per_step(job: &Timed, shape: Shape) -> Result<f64, ProbeError> {
    let recipe = job.recipe;
    let model = build(job.design, &Treatment::none(recipe), shape, job.device, 0)?;
    let batch = recipe.batch_size;
    let samples = match job.few {
        // Of a class that any model has an output for: whether it has one for each is judged later.
        Some(samples) => samples.relabelled(&vec![0; samples.len()])?,
        None => random_pixels(batch, shape, job.device)?,
    };
    let mut fastest = f64::INFINITY;
    for round in 0..3 {
        let start = Instant::now();
        train(&model.network, &samples, recipe, &mut Sampler::new(&samples, batch, false, 0), 1, &mut ())?;
        if round > 0 {
            fastest = fastest.min(start.elapsed().as_secs_f64());
        }
    }
    Ok(fastest)
}

/// Whether a network trains on pictures of that size: it may pool them away, or look up positions that it does not have.
fn runs(network: &Network, shape: Shape, device: Device) -> bool {
    let pixels = Tensor::f_rand([2, shape.channels, shape.size, shape.size], (Kind::Float, device)).map_err(GraphError::from);
    let outputs = pixels.and_then(|pixels| no_grad(|| network.forward(&[pixels], Mode::Train, None)));
    outputs.is_ok_and(|outputs| outputs.size() == [2, shape.outputs])
}

fn random_pixels(count: usize, shape: Shape, device: Device) -> Result<Samples, GraphError> {
    let pixels = Tensor::f_randint(256, [count as i64, shape.channels, shape.size, shape.size], (Kind::Uint8, Device::Cpu))?;
    let labels = Tensor::f_zeros([count as i64], (Kind::Int64, Device::Cpu))?;
    Samples::new(vec![pixels], labels, shape.outputs as usize, device)
}
