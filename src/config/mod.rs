//! What is in force: flags over `nanprobe.toml` over defaults.
//!
//! `nanprobe.toml` has the flags' names as keys under `[data]`, `[model]`, `[train]` and `[gate]`, and the
//! limits of single checks under `[checks.NAME]`. It is looked for in the working directory and above, so
//! that a project carries one and every command in it agrees.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nanprobe_checks::AnyCheck;
use nanprobe_checks::plugin::FAMILY;
use nanprobe_checks::recipe::Recipe;
use serde::{Deserialize, Serialize};

use crate::accept::Accept;
use crate::cli::{GateArgs, JobArgs};
use crate::data::{DataOptions, SourceKind};
pub use crate::exit::FailOn;
use crate::plugin::Plugin;

mod append;
mod entries;
mod error;
mod file;
mod in_force;
mod recipe;
mod section;
pub(crate) mod value;

pub use append::{NewAccept, accept};
pub use error::ConfigError;
use file::ConfigFile;
pub use in_force::{InForce, Origin, in_force};

/// The file's name.
pub const FILE_NAME: &str = "nanprobe.toml";
/// Training samples in the probe subset: 31 batches of 32, enough for a small net to learn in 60 steps.
pub const SAMPLES: usize = 1000;
/// Held-out samples: a 95% interval of about 10 points at an accuracy of 50%.
pub const HELD_OUT: usize = 400;
/// Time allowed.
pub const BUDGET: Duration = Duration::from_secs(120);
/// Most seeds of one experiment.
const SEEDS: usize = 8;
/// Budget and most seeds with --quick.
const QUICK: (Duration, usize) = (Duration::from_secs(30), 2);
/// Budget and most seeds with --thorough.
const THOROUGH: (Duration, usize) = (Duration::from_secs(600), 16);

/// Everything that a diagnosis is run by. It is handed to the measuring child process as JSON.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Settings {
    /// Where the samples are and what their labels are.
    #[serde(with = "DataForm")]
    pub data: DataOptions,
    /// What the training does.
    pub recipe: Recipe,
    /// What of the recipe was asked for.
    pub given: Given,
    /// How to measure.
    pub run: RunOptions,
    /// What counts.
    pub gate: Gate,
    /// Limits that differ from a check's defaults, by check.
    pub limits: BTreeMap<String, serde_json::Value>,
    /// The `nanprobe.toml` that was read.
    pub origin: Option<PathBuf>,
    /// Findings that no longer count. The measuring process has no use for them.
    #[serde(skip)]
    pub accepts: Vec<Accept>,
    /// Programs that judge beside the checks. Nor for these.
    #[serde(skip)]
    pub plugins: Vec<Plugin>,
}

/// What of the recipe the user asked for; the rest may follow from the data and the model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Given {
    /// The image size, so that lowering it to keep the budget is not an option.
    pub image_size: bool,
    /// The criterion, so that one inside the model is not used instead.
    pub loss: bool,
    /// How raw values become inputs.
    pub normalize: bool,
}

/// [`DataOptions`] as JSON.
#[derive(Serialize, Deserialize)]
#[serde(remote = "DataOptions")]
struct DataForm {
    path: PathBuf,
    val: Option<PathBuf>,
    classes: Vec<String>,
    labels: Option<String>,
    format_hint: Option<SourceKind>,
}

/// How to measure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunOptions {
    /// What all randomness follows from.
    pub seed: u64,
    /// Time allowed.
    pub budget: Duration,
    /// Most seeds of one experiment.
    pub seeds: usize,
    /// Training samples in the probe subset.
    pub samples: usize,
    /// Held-out samples in the probe subset.
    pub held_out: usize,
    /// `auto`, `cpu`, `cuda` or `cuda:N`.
    pub device: String,
}

impl RunOptions {
    /// What was said of it, and the defaults.
    fn of(job: &JobArgs) -> Self {
        let (budget, seeds) = match (job.quick, job.thorough) {
            (true, _) => QUICK,
            (_, true) => THOROUGH,
            _ => (BUDGET, SEEDS),
        };
        Self {
            seed: job.seed.unwrap_or(0),
            budget: job.budget.unwrap_or(budget),
            seeds,
            samples: job.samples.unwrap_or(SAMPLES),
            held_out: HELD_OUT,
            device: job.device.clone().unwrap_or_else(|| "auto".to_owned()),
        }
    }
}

/// Which checks are judged, and which findings set the exit code.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gate {
    /// The severity from which a finding sets the exit code.
    pub fail_on: FailOn,
    /// Names of the checks or families to judge; empty means all.
    pub select: Vec<String>,
    /// Names of the checks or families to leave out.
    pub ignore: Vec<String>,
}

impl Gate {
    /// Whether a check is to be judged; one of a plug-in also goes by the plug-in's name. Ignoring outweighs selecting.
    pub fn includes(&self, check: &str, family: &str) -> bool {
        let plugin = check.split_once('/').map_or(check, |(plugin, _)| plugin);
        let named = |names: &[String]| names.iter().any(|name| [check, family, plugin].contains(&name.as_str()));
        (self.select.is_empty() || named(&self.select)) && !named(&self.ignore)
    }

    /// Whether a plug-in is to be asked: any of its checks may be judged.
    pub fn asks(&self, plugin: &str) -> bool {
        let one_of_its = |name: &String| name.split_once('/').is_some_and(|(of, _)| of == plugin);
        let ignored = self.ignore.iter().any(|name| name == plugin || name == FAMILY);
        !ignored && (self.includes(plugin, FAMILY) || self.select.iter().any(one_of_its))
    }

    fn lay(flags: Option<&GateArgs>, file: &ConfigFile) -> Result<Self, ConfigError> {
        let over = |flag: &'static str, given: &[String], of_file: &[String]| match given
            .iter()
            .find_map(|name| selector(name, &file.plugins).err())
        {
            Some(problem) => Err(ConfigError::Flag { flag, problem }),
            None => Ok(if given.is_empty() { of_file } else { given }.to_vec()),
        };
        let (select, ignore) = flags.map_or((&[][..], &[][..]), |flags| (&flags.select, &flags.ignore));
        Ok(Self {
            fail_on: flags.and_then(|flags| flags.fail_on).or(file.fail_on).unwrap_or_default(),
            select: over("select", select, &file.select)?,
            ignore: over("ignore", ignore, &file.ignore)?,
        })
    }
}

impl Settings {
    /// What flags, `nanprobe.toml` and defaults come to. `cwd` is the working directory of the process, to
    /// which the flags' paths are relative; a file's are relative to its folder.
    pub fn resolve(job: &JobArgs, flags: Option<&GateArgs>, cwd: &Path) -> Result<Self, ConfigError> {
        Self::lay(job, flags, ConfigFile::load(job.config.as_deref(), cwd)?)
    }

    /// What flags and defaults come to, whatever `nanprobe.toml` lies about: a demo is the same everywhere.
    pub fn of_flags(job: &JobArgs, flags: Option<&GateArgs>) -> Result<Self, ConfigError> {
        Self::lay(job, flags, ConfigFile::default())
    }

    fn lay(job: &JobArgs, flags: Option<&GateArgs>, file: ConfigFile) -> Result<Self, ConfigError> {
        let gate = Gate::lay(flags, &file)?;
        let ConfigFile { origin, job: base, limits, accepts, plugins, .. } = file;
        let job = over(job.clone(), base);
        let missing = |what, key, example| ConfigError::Missing { what, key, example, origin: origin.clone() };
        let path = job.data.clone().ok_or_else(|| missing("data", "data", "./train"))?;
        let model = job.model.clone().ok_or_else(|| missing("model", "model", "resnet18"))?;
        Ok(Self {
            recipe: recipe::recipe(&job, &model)?,
            run: RunOptions::of(&job),
            data: DataOptions { path, val: job.val, classes: job.classes, labels: job.labels, format_hint: job.format_hint },
            given: Given { image_size: job.image_size.is_some(), loss: job.loss.is_some(), normalize: job.normalize.is_some() },
            gate,
            limits,
            origin,
            accepts,
            plugins,
        })
    }
}

/// What judging stored evidence, or explaining a check, is run by.
#[derive(Clone, Debug, Default)]
pub struct GateSettings {
    /// What counts.
    pub gate: Gate,
    /// Limits that differ from a check's defaults, by check.
    pub limits: BTreeMap<String, serde_json::Value>,
    /// The `nanprobe.toml` that was read.
    pub origin: Option<PathBuf>,
    /// Findings that no longer count.
    pub accepts: Vec<Accept>,
    /// Programs that judge beside the checks.
    pub plugins: Vec<Plugin>,
}

impl GateSettings {
    /// What flags, `nanprobe.toml` (the one given, else the nearest) and defaults come to.
    pub fn resolve(flags: Option<&GateArgs>, config: Option<&Path>, cwd: &Path) -> Result<Self, ConfigError> {
        let file = ConfigFile::load(config, cwd)?;
        let gate = Gate::lay(flags, &file)?;
        let ConfigFile { limits, origin, accepts, plugins, .. } = file;
        Ok(Self { gate, limits, origin, accepts, plugins })
    }
}

/// Flags over what the file says.
fn over(flags: JobArgs, file: JobArgs) -> JobArgs {
    fn list<T>(flags: Vec<T>, file: Vec<T>) -> Vec<T> {
        if flags.is_empty() { file } else { flags }
    }
    let order = if flags.shuffle || flags.no_shuffle { &flags } else { &file };
    let (shuffle, no_shuffle) = (order.shuffle, order.no_shuffle);
    JobArgs {
        data: flags.data.or(file.data),
        val: flags.val.or(file.val),
        classes: list(flags.classes, file.classes),
        labels: flags.labels.or(file.labels),
        format_hint: flags.format_hint.or(file.format_hint),
        samples: flags.samples.or(file.samples),
        model: flags.model.or(file.model),
        weights: flags.weights.or(file.weights),
        outputs: flags.outputs.or(file.outputs),
        output_activation: flags.output_activation.or(file.output_activation),
        detach: list(flags.detach, file.detach),
        init: flags.init.or(file.init),
        batch_norm_momentum: flags.batch_norm_momentum.or(file.batch_norm_momentum),
        reference: flags.reference.or(file.reference),
        loss: flags.loss.or(file.loss),
        optimizer: flags.optimizer.or(file.optimizer),
        lr: flags.lr.or(file.lr),
        lr_group: list(flags.lr_group, file.lr_group),
        momentum: flags.momentum.or(file.momentum),
        weight_decay: flags.weight_decay.or(file.weight_decay),
        batch_size: flags.batch_size.or(file.batch_size),
        no_shuffle,
        shuffle,
        image_size: flags.image_size.or(file.image_size),
        normalize: flags.normalize.or(file.normalize),
        trainable: flags.trainable.or(file.trainable),
        training_mode: flags.training_mode.or(file.training_mode),
        evaluation_mode: flags.evaluation_mode.or(file.evaluation_mode),
        // No flag says it.
        training_loop: file.training_loop,
        device: flags.device.or(file.device),
        seed: flags.seed.or(file.seed),
        budget: flags.budget.or(file.budget),
        // A flag of the two overrides the file's.
        quick: flags.quick || (!flags.thorough && file.quick),
        thorough: flags.thorough || (!flags.quick && file.thorough),
        config: flags.config,
    }
}

/// Whether `--select` and `--ignore` take that name: a family's, a check's, a plug-in's or one of its checks'.
fn selector(name: &str, plugins: &[Plugin]) -> Result<(), String> {
    let plugin = name.split_once('/').map_or(name, |(plugin, _)| plugin);
    if names().contains(&name) || plugins.iter().any(|one| one.name == plugin) {
        return Ok(());
    }
    let known = names().into_iter().chain(plugins.iter().map(|plugin| plugin.name.as_str()));
    Err(format!("unknown check or family `{name}`; {}", value::suggest(name, known)))
}

/// Every name that is taken: families, then checks.
fn names() -> Vec<&'static str> {
    let mut names: Vec<&'static str> = Vec::new();
    for check in nanprobe_checks::checks() {
        if !names.contains(&check.family()) {
            names.push(check.family());
        }
    }
    names.push(FAMILY);
    names.extend(nanprobe_checks::checks().map(AnyCheck::name));
    names
}

#[cfg(test)]
mod tests;
