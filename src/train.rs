//! The one training loop, and what it needs: a criterion, an optimizer, a score.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use nanprobe_checks::Real;
use nanprobe_checks::evidence::Score;
use nanprobe_checks::recipe::{Loss, OptimizerKind, OptimizerRecipe, Recipe};
use tch::{COptimizer, Device, Kind, Reduction, Tensor, no_grad};

use crate::graph::{GraphError, Mode, Network, Observer};
use crate::model::scalar;
use crate::sampler::Sampler;
use crate::samples::{Samples, spread};
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
        let (outputs, loss) = loss_of(network, recipe, &inputs, &labels, recipe.training_mode.into(), None)?;
        if recipe.loop_.clear_gradients {
            optimizer.zero_grad()?;
        }
        // Where nothing that trains leads to the loss there is no gradient, and nothing to step.
        if recipe.loop_.backward && loss.requires_grad() {
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
        if let Some(most) = recipe.loop_.clip_norm.filter(|most| norm > *most) {
            scale_gradients(network, most / norm)?;
        }
        if recipe.loop_.lr_decay != 1.0 {
            optimizer.scale_learning_rates(recipe.loop_.lr_decay.powi(step as i32))?;
        }
        hook.before_update(step, network, &mut optimizer)?;
        if recipe.loop_.step {
            optimizer.step()?;
        }
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

/// Multiplies every gradient by a factor.
fn scale_gradients(network: &Network, factor: f64) -> Result<(), GraphError> {
    no_grad(|| {
        for tensor in network.parameters() {
            let mut gradient = tensor.grad();
            if gradient.defined() {
                let _ = gradient.f_mul_scalar_(factor)?;
            }
        }
        Ok(())
    })
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

/// The outputs for some inputs, and the loss: by the graph's own criterion where it has one, else by the recipe's.
pub fn loss_of(
    network: &Network,
    recipe: &Recipe,
    inputs: &[Tensor],
    labels: &Tensor,
    mode: Mode,
    observer: Option<Observer>,
) -> Result<(Tensor, Tensor), GraphError> {
    let (outputs, own) = network.forward_with_loss(inputs, labels, mode, observer)?;
    let loss = own.map_or_else(|| criterion(recipe.loss, &outputs, labels), Ok)?;
    Ok((outputs, loss))
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
        Loss::Exported => return Err(GraphError::NoCriterion),
    })
}

/// The class indices that `outputs` [B, K] say: the largest output, or the side of the threshold.
pub fn predictions(loss: Loss, outputs: &Tensor) -> Result<Tensor, GraphError> {
    if outputs.size()[1] > 1 {
        return Ok(outputs.f_argmax(1, false)?);
    }
    let single = outputs.f_squeeze_dim(1)?;
    Ok(match loss {
        Loss::BceWithLogits | Loss::Exported => single.f_gt(0.0)?.f_to_kind(Kind::Int64)?,
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
            let (outputs, loss) = loss_of(network, recipe, &inputs, &labels, recipe.evaluation_mode.into(), None)?;
            total += scalar(&loss)? * indices.len() as f64;
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
