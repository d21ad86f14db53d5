//! From a recipe to a network with its first values, and what remedies change on the way.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use nanprobe_checks::evidence::ParameterKind;
use nanprobe_checks::recipe::{self, Init, Recipe};
use nanprobe_checks::{Real, Remedy};
use tch::{Device, Tensor};
use thiserror::Error;

use crate::architecture::UnknownModel;
use crate::design::Design;
use crate::graph::weights::{Loaded, WeightsError, load};
use crate::graph::{ExportedError, Fill, GraphError, Network, edit};
use crate::zoo::Shape;

/// Why a model cannot be built.
#[derive(Debug, Error)]
pub enum ModelError {
    /// No such architecture.
    #[error(transparent)]
    Unknown(#[from] UnknownModel),
    /// The exported model cannot be used.
    #[error(transparent)]
    Exported(#[from] ExportedError),
    /// It takes other inputs than pictures of the data set.
    #[error("`{model}` cannot take these samples: {problem}")]
    Input {
        /// The model.
        model: String,
        /// Why, and the way out.
        problem: String,
    },
    /// The weights file cannot be used.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The graph cannot be run.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// A pattern of the recipe that fits nothing.
    #[error("{option} `{pattern}` matches no {what} of `{model}`; it has {some}")]
    NoMatch {
        /// The option.
        option: &'static str,
        /// The pattern.
        pattern: String,
        /// `module` or `parameter`.
        what: &'static str,
        /// The model.
        model: String,
        /// A few names that exist.
        some: String,
    },
}

/// A job with remedies applied: the recipe, and what no recipe can say.
#[expect(clippy::struct_excessive_bools, reason = "each is a remedy of its own, in force or not")]
#[derive(Clone, Debug, PartialEq)]
pub struct Treatment {
    /// The recipe to train by.
    pub recipe: Recipe,
    /// Whether activations behind the last layer are taken off.
    pub drop_output_activation: bool,
    /// Parameters to draw anew by the architecture's own initialisation; one `*` for all.
    pub reinitialize: Vec<String>,
    /// Whether every class is drawn equally often.
    pub balance: bool,
    /// Training samples to leave out, by position.
    pub drop: Vec<u64>,
    /// Whether the gradient passes where the model detaches it.
    pub reattach: bool,
    /// Whether batch norm's statistics are taken anew before the model is evaluated.
    pub calibrate: bool,
    /// Whether the recipe's criterion is used even where the model has one of its own.
    pub plain_criterion: bool,
    /// Whether the held-out inputs are given the training inputs' mean and deviation.
    pub prepare_held_out: bool,
}

impl Treatment {
    /// No treatment.
    pub fn none(recipe: &Recipe) -> Self {
        Self {
            recipe: recipe.clone(),
            drop_output_activation: false,
            reinitialize: vec![],
            balance: false,
            drop: vec![],
            reattach: false,
            calibrate: false,
            plain_criterion: false,
            prepare_held_out: false,
        }
    }

    /// Several remedies, applied in order.
    pub fn of<'a>(recipe: &Recipe, remedies: impl IntoIterator<Item = &'a Remedy>) -> Self {
        let mut treatment = Self::none(recipe);
        remedies.into_iter().for_each(|remedy| treatment.apply(remedy));
        treatment
    }

    fn apply(&mut self, remedy: &Remedy) {
        let recipe = &mut self.recipe;
        match remedy {
            Remedy::Shuffle => recipe.shuffle = true,
            Remedy::BalanceClasses => self.balance = true,
            Remedy::DropSamples { samples } => {
                self.drop.extend(samples);
                self.drop.sort_unstable();
            }
            Remedy::Normalize { to } => recipe.normalize = *to,
            Remedy::Optimizer { to } => recipe.optimizer = to.clone(),
            Remedy::Unfreeze => {
                recipe.trainable = None;
                recipe.optimizer.groups.retain(|group| group.lr > 0.0);
            }
            Remedy::Reattach => {
                recipe.model.detach.clear();
                self.reattach = true;
            }
            Remedy::DropOutputActivation => self.drop_output_activation = true,
            Remedy::Loss { to } => (recipe.loss, self.plain_criterion) = (*to, true),
            Remedy::SetModes => (recipe.training_mode, recipe.evaluation_mode) = (recipe::Mode::Train, recipe::Mode::Eval),
            Remedy::Backward => recipe.loop_.backward = true,
            Remedy::Step => recipe.loop_.step = true,
            Remedy::ClearGradients => recipe.loop_.clear_gradients = true,
            Remedy::Unclip => recipe.loop_.clip_norm = None,
            Remedy::KeepLearningRate => recipe.loop_.lr_decay = 1.0,
            // Where no pattern is given, all are trained already.
            Remedy::TrainAlso { parameters } => {
                recipe.trainable.iter_mut().for_each(|trained| trained.extend(parameters.iter().cloned()));
            }
            Remedy::PrepareHeldOutAlike => self.prepare_held_out = true,
            Remedy::CalibrateBatchNorm => self.calibrate = true,
            Remedy::LoadWeights { path } => (recipe.model.weights, recipe.model.init) = (Some(path.clone()), Init::Default),
            Remedy::Reinitialize { parameters } if parameters.is_empty() => self.reinitialize = vec!["*".to_owned()],
            Remedy::Reinitialize { parameters } => self.reinitialize.extend(parameters.iter().cloned()),
        }
    }

    fn reinitializes(&self, parameter: &str) -> bool {
        self.reinitialize.iter().any(|name| name == "*" || name == parameter)
    }
}

/// A network and where its values came from.
pub struct Model {
    /// The network.
    pub network: Network,
    /// What the weights file gave, where there is one.
    pub loaded: Option<Loaded>,
}

/// Builds the network of a treated recipe. Everything random follows from `seed`.
pub fn build(design: &Design, treatment: &Treatment, shape: Shape, device: Device, seed: u64) -> Result<Model, ModelError> {
    let recipe = &treatment.recipe;
    let mut graph = design.graph(shape)?;
    if let Some(own) = &mut graph.criterion {
        own.used = own.kind == recipe.loss && !treatment.plain_criterion;
    }
    if let Some(activation) = recipe.model.output_activation {
        edit::append_activation(&mut graph, activation);
    }
    if let Some(momentum) = recipe.model.batch_norm_momentum {
        edit::set_batch_norm_momentum(&mut graph, momentum);
    }
    for pattern in &recipe.model.detach {
        if edit::detach(&mut graph, pattern) == 0 {
            let modules = graph.nodes.iter().map(|node| node.module.as_str());
            return Err(no_match("detach", pattern, "module", &graph.name, modules));
        }
    }
    for (option, pattern) in recipe
        .trainable
        .iter()
        .flatten()
        .map(|pattern| ("trainable", pattern))
        .chain(recipe.optimizer.groups.iter().map(|group| ("lr-group", &group.pattern)))
    {
        if !graph.parameters.iter().any(|p| recipe::matches(pattern, &p.name)) && !design.ignores(pattern) {
            let names = graph.parameters.iter().map(|p| p.name.as_str());
            return Err(no_match(option, pattern, "parameter", &graph.name, names));
        }
    }
    if treatment.reattach {
        edit::reattach(&mut graph);
    }
    if treatment.drop_output_activation {
        edit::drop_trailing_activations(&mut graph);
    }

    let (mut network, fresh) = seeded(seed, || {
        let mut network = Network::new(graph, device)?;
        let given = if let Design::Exported(exported) = design { &exported.parameters[..] } else { &[] };
        if let Design::Exported(exported) = design {
            network.set_buffers(&exported.buffers)?;
        }
        // Where it is not known how the user's code draws a parameter, its fresh values are the given ones.
        let mut fresh: Vec<Tensor> = copies(&network)?;
        for (index, values) in given.iter().enumerate() {
            network.set_parameter(index, values)?;
            if network.graph().parameters[index].fill == Fill::Stored {
                fresh[index] = values.shallow_clone();
            }
        }
        initialize(&mut network, recipe.model.init)?;
        Ok::<_, GraphError>((network, fresh))
    })?;
    let loaded = recipe.model.weights.as_deref().map(|path: &Path| load(&mut network, path)).transpose()?;
    for (index, values) in fresh.iter().enumerate() {
        if treatment.reinitializes(&network.graph().parameters[index].name) {
            network.set_parameter(index, values)?;
        }
    }
    Ok(Model { network, loaded })
}

/// Does `work` with libtorch's generator at `seed`, and nobody else drawing from it meanwhile.
pub fn seeded<T>(seed: u64, work: impl FnOnce() -> T) -> T {
    static GENERATOR: Mutex<()> = Mutex::new(());
    let _alone = GENERATOR.lock().unwrap_or_else(PoisonError::into_inner);
    tch::manual_seed(seed as i64);
    work()
}

fn copies(network: &Network) -> Result<Vec<Tensor>, GraphError> {
    network.parameters().iter().map(|p| Ok(p.f_detach_copy()?)).collect()
}

fn no_match<'a>(option: &'static str, pattern: &str, what: &'static str, model: &str, names: impl Iterator<Item = &'a str>) -> ModelError {
    let mut some: Vec<&str> = names.collect();
    some.dedup();
    let shown = some.iter().take(3).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let some = if some.len() > 3 { format!("{shown} and {} more", some.len() - 3) } else { shown };
    ModelError::NoMatch { option, pattern: pattern.to_owned(), what, model: model.to_owned(), some }
}

/// Overwrites weights and biases of linear and convolution layers as the recipe's init says.
fn initialize(network: &mut Network, init: Init) -> Result<(), GraphError> {
    if init == Init::Default {
        return Ok(());
    }
    for index in 0..network.parameters().len() {
        let kind = network.graph().parameters[index].kind;
        let values = network.parameters()[index].f_detach()?;
        let mut values = values.f_zeros_like()?;
        match (kind, init) {
            (ParameterKind::Bias, _) | (ParameterKind::Weight, Init::Zeros) => {}
            (ParameterKind::Weight, Init::Normal { std }) => drop(values.f_normal_(0.0, std)?),
            (ParameterKind::Weight, Init::Uniform { low, high }) => drop(values.f_uniform_(low, high)?),
            (ParameterKind::Weight, Init::Constant { value }) => drop(values.f_fill_(value)?),
            _ => continue,
        }
        network.set_parameter(index, &values)?;
    }
    Ok(())
}

/// A scalar tensor's value; what it holds is never worth an abort.
pub fn scalar(tensor: &Tensor) -> Result<f64, GraphError> {
    Ok(tensor.f_to_kind(tch::Kind::Double)?.f_double_value(&[])?)
}

/// The same as evidence.
pub fn real(tensor: &Tensor) -> Result<Real, GraphError> {
    scalar(tensor).map(Real)
}
