//! The one training loop, and what it needs: samples, a sampler, a criterion, an optimizer, a score.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use nanprobe_checks::Real;
use nanprobe_checks::evidence::Score;
use nanprobe_checks::recipe::{Loss, Normalize, OptimizerKind, OptimizerRecipe, Recipe};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rayon::prelude::*;
use tch::{COptimizer, Device, Kind, Reduction, Tensor, no_grad};

use crate::graph::{GraphError, Mode, Network};
use crate::model::scalar;
use crate::worker::Cost;

/// What all trainings of this process have cost.
static COST: Mutex<Clock> = Mutex::new(Clock { steps: 0, seconds: 0.0, running: 0, since: None });

/// Counts steps, and the time during which at least one training runs.
struct Clock {
    steps: u64,
    seconds: f64,
    running: usize,
    since: Option<Instant>,
}

/// A training that runs, until it is dropped.
struct Running;

impl Running {
    fn start() -> Self {
        let mut clock = COST.lock().unwrap_or_else(PoisonError::into_inner);
        clock.running += 1;
        clock.since.get_or_insert_with(Instant::now);
        Self
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut clock = COST.lock().unwrap_or_else(PoisonError::into_inner);
        clock.running -= 1;
        if clock.running == 0 {
            clock.seconds += clock.since.take().map_or(0.0, |since| since.elapsed().as_secs_f64());
        }
    }
}

/// What all trainings of this process have cost so far.
pub fn cost() -> Cost {
    let clock = COST.lock().unwrap_or_else(PoisonError::into_inner);
    Cost { steps: clock.steps, seconds: clock.seconds }
}

/// Trains for some steps. Stops early, before the update, at a loss or gradient that is not finite.
pub fn train(
    network: &Network,
    samples: &Samples,
    recipe: &Recipe,
    sampler: &mut Sampler,
    steps: usize,
    hook: &mut dyn Hook,
) -> Result<Curve, GraphError> {
    let _running = Running::start();
    freeze(network, recipe)?;
    let mut optimizer = Optimizer::new(&recipe.optimizer, network)?;
    let mut curve = Curve::default();
    for step in 0..steps {
        let indices = sampler.next_batch();
        let (inputs, labels) = samples.batch(&indices, recipe.normalize)?;
        let outputs = network.forward(&inputs, recipe.training_mode.into(), None)?;
        let loss = criterion(recipe.loss, &outputs, &labels)?;
        optimizer.zero_grad()?;
        // Where nothing that trains leads to the loss there is no gradient, and nothing to step.
        if loss.requires_grad() {
            loss.f_backward()?;
        }
        let (loss, norm) = (scalar(&loss)?, gradient_norm(network)?);
        COST.lock().unwrap_or_else(PoisonError::into_inner).steps += 1;
        curve.loss.push(Real(loss));
        curve.accuracy.push(accuracy(recipe.loss, &outputs, &labels)?);
        curve.gradient_norm.push(Real(norm));
        if !loss.is_finite() || !norm.is_finite() {
            curve.stopped = Some(indices);
            break;
        }
        hook.before_update(step, network, &mut optimizer)?;
        optimizer.step()?;
        if !hook.after_update(step, network, loss)? {
            break;
        }
    }
    Ok(curve)
}

/// Looks at, or into, a training.
pub trait Hook {
    /// After the backward pass, before the update.
    fn before_update(&mut self, _step: usize, _network: &Network, _optimizer: &mut Optimizer) -> Result<(), GraphError> {
        Ok(())
    }

    /// After the update; false ends the training.
    fn after_update(&mut self, _step: usize, _network: &Network, _loss: f64) -> Result<bool, GraphError> {
        Ok(true)
    }
}

/// Nothing to look at.
impl Hook for () {}

/// What a training left behind.
#[derive(Default)]
pub struct Curve {
    /// Loss at each step.
    pub loss: Vec<Real>,
    /// Share of each step's batch that was predicted right, before the update.
    pub accuracy: Vec<f64>,
    /// Norm of the whole gradient at each step.
    pub gradient_norm: Vec<Real>,
    /// The batch at which loss or gradient was not finite, where it ended so.
    pub stopped: Option<Vec<i64>>,
}

/// Batches that an accuracy is averaged over before it counts: 320 samples of 32 a batch, 3 points of noise.
const WINDOW: usize = 10;

impl Curve {
    /// Steps until the accuracy on the batches was half-way from guessing among `classes` to perfect.
    pub fn half_way(&self, classes: usize) -> Option<u64> {
        let level = f64::midpoint(1.0 / classes.max(2) as f64, 1.0);
        let reached = |window: &[f64]| window.iter().sum::<f64>() / window.len() as f64 >= level;
        self.accuracy.windows(WINDOW).position(reached).map(|start| (start + WINDOW) as u64)
    }
}

fn freeze(network: &Network, recipe: &Recipe) -> Result<(), GraphError> {
    for (parameter, tensor) in network.graph().parameters.iter().zip(network.parameters()) {
        let _ = tensor.f_set_requires_grad(recipe.trains(&parameter.name))?;
    }
    Ok(())
}

/// Euclidean norm of all gradients together; 0 where there is none.
pub fn gradient_norm(network: &Network) -> Result<f64, GraphError> {
    let mut norms = Vec::with_capacity(network.parameters().len());
    for tensor in network.parameters() {
        let gradient = tensor.grad();
        if gradient.defined() {
            norms.push(gradient.f_norm()?);
        }
    }
    if norms.is_empty() { Ok(0.0) } else { scalar(&Tensor::f_stack(&norms, 0)?.f_norm()?) }
}

/// Images in memory with their labels.
pub struct Samples {
    /// Pixels 0..255, uint8, [N, C, H, W].
    pixels: Tensor,
    /// Class indices, int64, [N].
    labels: Tensor,
    /// Number of classes in the data.
    classes: usize,
    device: Device,
}

impl Samples {
    /// Samples of `pixels` (uint8, [N, C, H, W]) and `labels` (int64, [N]); batches arrive on `device`.
    pub fn new(pixels: Tensor, labels: Tensor, classes: usize, device: Device) -> Self {
        Self { pixels, labels, classes, device }
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.labels.size().first().map_or(0, |&n| n as usize)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of classes in the data.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// All labels.
    pub fn labels(&self) -> Result<Vec<i64>, GraphError> {
        Ok(Vec::<i64>::try_from(&self.labels)?)
    }

    /// All pixels, uint8, [N, C, H, W].
    pub fn pixels(&self) -> &Tensor {
        &self.pixels
    }

    /// A digest of each sample's pixels: of a few thousand pictures no two that differ have the same 128 bits.
    pub fn digests(&self) -> Result<Vec<(u64, u64)>, GraphError> {
        let pixels = Vec::<u8>::try_from(self.pixels.f_flatten(0, -1)?)?;
        let with = |key: u8, picture: &[u8]| {
            let mut hasher = DefaultHasher::new();
            key.hash(&mut hasher);
            picture.hash(&mut hasher);
            hasher.finish()
        };
        let size = (pixels.len() / self.len().max(1)).max(1);
        Ok(pixels.par_chunks(size).map(|picture| (with(0, picture), with(1, picture))).collect())
    }

    /// The same samples, sharing memory.
    #[must_use]
    pub fn shallow_clone(&self) -> Self {
        self.repainted(self.pixels.shallow_clone())
    }

    /// Some of the samples.
    pub fn chosen(&self, indices: &[i64]) -> Result<Self, GraphError> {
        let index = Tensor::f_from_slice(indices)?;
        Ok(Self { pixels: self.pixels.f_index_select(0, &index)?, labels: self.labels.f_index_select(0, &index)?, ..*self })
    }

    /// The same samples with other labels.
    pub fn relabelled(&self, labels: &[i64]) -> Result<Self, GraphError> {
        Ok(Self { pixels: self.pixels.shallow_clone(), labels: Tensor::f_from_slice(labels)?, ..*self })
    }

    /// The same labels with other pixels of the same type.
    #[must_use]
    pub fn repainted(&self, pixels: Tensor) -> Self {
        Self { pixels, labels: self.labels.shallow_clone(), ..*self }
    }

    /// The inputs as the network receives them, float32 [B, C, H, W], and their labels, int64 [B].
    pub fn batch(&self, indices: &[i64], normalize: Normalize) -> Result<(Tensor, Tensor), GraphError> {
        let index = Tensor::f_from_slice(indices)?;
        let pixels = self.pixels.f_index_select(0, &index)?.f_to_device(self.device)?.f_to_kind(Kind::Float)?;
        let labels = self.labels.f_index_select(0, &index)?.f_to_device(self.device)?;
        let channels = pixels.size()[1];
        let affine = normalize.affine(channels as usize);
        let column = |values: Vec<f32>| Tensor::f_from_slice(&values)?.f_view([1, channels, 1, 1])?.f_to_device(self.device);
        let scale = column(affine.iter().map(|a| a.0 as f32).collect())?;
        let shift = column(affine.iter().map(|a| a.1 as f32).collect())?;
        Ok((pixels.f_mul(&scale)?.f_add(&shift)?, labels))
    }
}

/// `count` indices below `total`, evenly spaced.
pub fn spread(count: usize, total: usize) -> Vec<i64> {
    (0..count).map(|i| (i * total / count) as i64).collect()
}

/// In which order samples come.
pub struct Sampler {
    order: Vec<i64>,
    position: usize,
    batch_size: usize,
    kind: Order,
}

enum Order {
    AsListed,
    Shuffled(StdRng),
    /// Indices by class; each draw takes a class, then one of its samples.
    Balanced(StdRng, Vec<Vec<i64>>),
}

impl Sampler {
    /// The order of a `DataLoader` over the samples as listed, shuffled anew each epoch or not.
    pub fn new(samples: &Samples, batch_size: usize, shuffle: bool, seed: u64) -> Self {
        let order = (0..samples.len() as i64).collect();
        let kind = if shuffle { Order::Shuffled(StdRng::seed_from_u64(seed)) } else { Order::AsListed };
        let mut sampler = Self { order, position: 0, batch_size: batch_size.max(1), kind };
        sampler.begin_epoch();
        sampler
    }

    /// Every class equally often, as `WeightedRandomSampler` with weights of 1/count.
    pub fn balanced(samples: &Samples, batch_size: usize, seed: u64) -> Result<Self, GraphError> {
        let mut by_class = vec![Vec::new(); samples.classes()];
        for (index, label) in samples.labels()?.into_iter().enumerate() {
            if let Some(class) = usize::try_from(label).ok().and_then(|label| by_class.get_mut(label)) {
                class.push(index as i64);
            }
        }
        by_class.retain(|class| !class.is_empty());
        let order = vec![0; samples.len()];
        let mut sampler =
            Self { order, position: 0, batch_size: batch_size.max(1), kind: Order::Balanced(StdRng::seed_from_u64(seed), by_class) };
        sampler.begin_epoch();
        Ok(sampler)
    }

    fn begin_epoch(&mut self) {
        self.position = 0;
        match &mut self.kind {
            Order::AsListed => {}
            Order::Shuffled(rng) => self.order.shuffle(rng),
            Order::Balanced(rng, classes) => {
                for slot in &mut self.order {
                    let class = &classes[rng.random_range(0..classes.len())];
                    *slot = class[rng.random_range(0..class.len())];
                }
            }
        }
    }

    /// The next batch's indices. A last batch of one sample is left out: batch norm cannot train on it.
    pub fn next_batch(&mut self) -> Vec<i64> {
        let left = self.order.len() - self.position;
        if left == 0 || (left == 1 && self.position > 0) {
            self.begin_epoch();
        }
        let end = (self.position + self.batch_size).min(self.order.len());
        let batch = self.order[self.position..end].to_vec();
        self.position = end;
        batch
    }
}

/// The mean loss of `outputs` [B, K] against class indices `labels` [B]; what torch.nn's criteria
/// compute, with one-hot targets where the criterion takes no indices.
pub fn criterion(loss: Loss, outputs: &Tensor, labels: &Tensor) -> Result<Tensor, GraphError> {
    const IGNORE: i64 = -100; // torch's own default: no class has that index
    let none = None::<&Tensor>;
    let targets = || -> Result<Tensor, GraphError> {
        let width = outputs.size()[1];
        let targets = if width == 1 { labels.f_unsqueeze(1)? } else { labels.f_one_hot(width)? };
        Ok(targets.f_to_kind(Kind::Float)?)
    };
    Ok(match loss {
        Loss::CrossEntropy => outputs.f_cross_entropy_loss(labels, none, Reduction::Mean, IGNORE, 0.0)?,
        Loss::Nll => outputs.f_nll_loss(labels, none, Reduction::Mean, IGNORE)?,
        Loss::BceWithLogits => outputs.f_binary_cross_entropy_with_logits(&targets()?, none, none, Reduction::Mean)?,
        Loss::Bce => outputs.f_binary_cross_entropy(&targets()?, none, Reduction::Mean)?,
        Loss::Mse => outputs.f_mse_loss(&targets()?, Reduction::Mean)?,
    })
}

/// The class indices that `outputs` [B, K] say: the largest output, or the side of the threshold.
pub fn predictions(loss: Loss, outputs: &Tensor) -> Result<Tensor, GraphError> {
    if outputs.size()[1] > 1 {
        return Ok(outputs.f_argmax(1, false)?);
    }
    let single = outputs.f_squeeze_dim(1)?;
    Ok(match loss {
        Loss::BceWithLogits => single.f_gt(0.0)?.f_to_kind(Kind::Int64)?,
        Loss::Bce | Loss::CrossEntropy | Loss::Nll => single.f_gt(0.5)?.f_to_kind(Kind::Int64)?,
        Loss::Mse => single.f_round()?.f_clamp_min(0)?.f_to_kind(Kind::Int64)?,
    })
}

/// The share of a batch that is predicted right.
fn accuracy(loss: Loss, outputs: &Tensor, labels: &Tensor) -> Result<f64, GraphError> {
    scalar(&predictions(loss, outputs)?.f_eq_tensor(labels)?.f_to_kind(Kind::Float)?.f_mean(Kind::Float)?)
}

/// Samples per batch where nothing is trained.
const EVALUATION_BATCH: usize = 128;

/// Takes batch norm's statistics anew from a batch of the samples, spread over them.
pub fn calibrate(network: &Network, samples: &Samples, recipe: &Recipe) -> Result<(), GraphError> {
    let indices = spread(EVALUATION_BATCH.min(samples.len()), samples.len());
    let (inputs, _) = samples.batch(&indices, recipe.normalize)?;
    no_grad(|| network.forward(&inputs, Mode::Calibrate, None)).map(drop)
}

/// How well a network does on some samples, in the recipe's mode of evaluation.
pub fn evaluate(network: &Network, samples: &Samples, recipe: &Recipe) -> Result<Score, GraphError> {
    no_grad(|| {
        let classes = samples.classes();
        let mut confusion: Vec<Vec<u64>> = Vec::new();
        let mut total = 0.0;
        let all: Vec<i64> = (0..samples.len() as i64).collect();
        for indices in all.chunks(EVALUATION_BATCH) {
            let (inputs, labels) = samples.batch(indices, recipe.normalize)?;
            let outputs = network.forward(&inputs, recipe.evaluation_mode.into(), None)?;
            total += scalar(&criterion(recipe.loss, &outputs, &labels)?)? * indices.len() as f64;
            // As wide as the model: it may answer a class that the data does not have.
            let width = classes.max(outputs.size()[1] as usize);
            confusion.resize(classes, vec![0; width]);
            let predicted = Vec::<i64>::try_from(predictions(recipe.loss, &outputs)?.f_to_device(Device::Cpu)?)?;
            let labels = Vec::<i64>::try_from(labels.f_to_device(Device::Cpu)?)?;
            for (label, predicted) in labels.into_iter().zip(predicted) {
                let row = usize::try_from(label).ok().and_then(|label| confusion.get_mut(label));
                if let Some(row) = row {
                    row[usize::try_from(predicted).unwrap_or(0).min(width - 1)] += 1;
                }
            }
        }
        Ok(Score { samples: samples.len() as u64, loss: Real(total / samples.len().max(1) as f64), confusion })
    })
}

/// libtorch's optimizer with one group a learning rate.
pub struct Optimizer {
    inner: COptimizer,
    /// The recipe's rate of each group.
    rates: Vec<f64>,
}

impl Optimizer {
    /// The recipe's optimizer over the parameters that require gradients.
    pub fn new(recipe: &OptimizerRecipe, network: &Network) -> Result<Self, GraphError> {
        let OptimizerRecipe { kind, lr, momentum, weight_decay, .. } = *recipe;
        // The constants are torch.optim's defaults.
        let mut inner = match kind {
            OptimizerKind::Sgd => COptimizer::sgd(lr, momentum, 0.0, weight_decay, false),
            OptimizerKind::Adam => COptimizer::adam(lr, 0.9, 0.999, weight_decay, 1e-8, false),
            OptimizerKind::AdamW => COptimizer::adamw(lr, 0.9, 0.999, weight_decay, 1e-8, false),
            OptimizerKind::RmsProp => COptimizer::rms_prop(lr, 0.99, 1e-8, weight_decay, momentum, false),
        }?;
        let mut rates: Vec<f64> = Vec::new();
        for (parameter, tensor) in network.graph().parameters.iter().zip(network.parameters()) {
            if !tensor.requires_grad() {
                continue;
            }
            let lr = recipe.lr_of(&parameter.name);
            let group = rates.iter().position(|rate| rate.to_bits() == lr.to_bits()).unwrap_or_else(|| {
                rates.push(lr);
                rates.len() - 1
            });
            inner.add_parameters(tensor, group)?;
        }
        for (group, lr) in rates.iter().enumerate() {
            inner.set_learning_rate_group(group, *lr)?;
        }
        Ok(Self { inner, rates })
    }

    /// Multiplies every group's own rate by a factor.
    pub fn scale_learning_rates(&mut self, factor: f64) -> Result<(), GraphError> {
        for (group, lr) in self.rates.iter().enumerate() {
            self.inner.set_learning_rate_group(group, lr * factor)?;
        }
        Ok(())
    }

    /// Clears the gradients.
    pub fn zero_grad(&self) -> Result<(), GraphError> {
        Ok(self.inner.zero_grad()?)
    }

    /// Updates the parameters by their gradients.
    pub fn step(&self) -> Result<(), GraphError> {
        Ok(self.inner.step()?)
    }
}
