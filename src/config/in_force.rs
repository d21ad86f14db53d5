//! Every value in force, and where it is from: what `nanprobe config` shows.

use std::collections::BTreeMap;
use std::path::Path;

use nanprobe_checks::recipe::{LoopRecipe, Recipe};
use serde::Serialize;
use serde_json::{Value, json};

use super::file::ConfigFile;
use super::{ConfigError, FILE_NAME, Gate, RunOptions, over, recipe};
use crate::cli::{GateArgs, JobArgs};

/// Version of the JSON form.
pub const SCHEMA: &str = "nanprobe.config/1";

/// What is in force.
#[derive(Clone, Debug, Serialize)]
pub struct InForce {
    /// Version of this form.
    pub schema: &'static str,
    /// The `nanprobe.toml` that was read.
    pub file: Option<String>,
    /// Every value, table by table.
    pub values: Vec<Setting>,
    /// The plug-ins, which are programs that will be started.
    pub plugins: Vec<PluginInForce>,
    /// The findings that no longer count.
    pub accepted: Vec<AcceptInForce>,
}

/// One value.
#[derive(Clone, Debug, Serialize)]
pub struct Setting {
    /// Its table and key in `nanprobe.toml`.
    pub key: String,
    /// The value; null where there is none.
    pub value: Value,
    /// Where it is from.
    #[serde(flatten)]
    pub from: Origin,
}

/// Where a value is from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "from", rename_all = "kebab-case")]
pub enum Origin {
    /// A flag on the command line.
    Flag {
        /// Its name.
        flag: String,
    },
    /// A line of `nanprobe.toml`.
    File {
        /// From 1.
        line: usize,
    },
    /// Nobody said anything.
    Default,
}

/// A plug-in.
#[derive(Clone, Debug, Serialize)]
pub struct PluginInForce {
    /// Its name.
    pub name: String,
    /// The program and its arguments.
    pub command: Vec<String>,
    /// Where it runs.
    pub folder: String,
    /// Seconds for its answer.
    pub timeout: f64,
    /// Its own configuration.
    pub config: serde_json::Map<String, Value>,
    /// Whether `select` and `ignore` let it be asked.
    pub asked: bool,
    /// File and line that name it.
    pub place: String,
}

/// An accepted finding.
#[derive(Clone, Debug, Serialize)]
pub struct AcceptInForce {
    /// The check.
    pub check: String,
    /// Why.
    pub reason: String,
    /// Since when.
    pub date: String,
    /// Only at these modules.
    pub module: Option<String>,
    /// Only in this file.
    pub file: Option<String>,
    /// File and line of the entry.
    pub place: String,
}

/// One key: its table, its name, whether a flag gives it, and its value.
struct Row(&'static str, &'static str, fn(&JobArgs) -> bool, fn(&Known) -> Value);

/// What the values are read from.
struct Known<'a> {
    job: &'a JobArgs,
    run: &'a RunOptions,
    /// None without a model: what it is by default follows from that.
    recipe: Option<&'a Recipe>,
    /// The recipe of any model: all but what follows from the model.
    usual: &'a Recipe,
}

/// Every key of a job that a flag can give too.
const ROWS: [Row; 33] = [
    Row("data", "data", |job| job.data.is_some(), |known| json!(known.job.data)),
    Row("data", "val", |job| job.val.is_some(), |known| json!(known.job.val)),
    Row("data", "classes", |job| !job.classes.is_empty(), |known| list(&known.job.classes)),
    Row("data", "labels", |job| job.labels.is_some(), |known| json!(known.job.labels)),
    Row("data", "format-hint", |job| job.format_hint.is_some(), |known| json!(known.job.format_hint)),
    Row("data", "samples", |job| job.samples.is_some(), |known| json!(known.run.samples)),
    Row("model", "model", |job| job.model.is_some(), |known| json!(known.job.model)),
    Row("model", "weights", |job| job.weights.is_some(), |known| json!(known.job.weights)),
    Row("model", "outputs", |job| job.outputs.is_some(), |known| json!(known.job.outputs)),
    Row("model", "output-activation", |job| job.output_activation.is_some(), |known| json!(known.job.output_activation)),
    Row("model", "detach", |job| !job.detach.is_empty(), |known| list(&known.job.detach)),
    Row("model", "init", |job| job.init.is_some(), |known| known.usual.model.init.to_string().into()),
    Row("model", "batch-norm-momentum", |job| job.batch_norm_momentum.is_some(), |known| json!(known.job.batch_norm_momentum)),
    Row("model", "reference", |job| job.reference.is_some(), |known| json!(known.job.reference)),
    Row("train", "loss", |job| job.loss.is_some(), |known| json!(known.usual.loss)),
    Row("train", "optimizer", |job| job.optimizer.is_some(), |known| json!(known.usual.optimizer.kind)),
    Row("train", "lr", |job| job.lr.is_some(), |known| json!(known.usual.optimizer.lr)),
    Row("train", "lr-group", |job| !job.lr_group.is_empty(), |known| groups(known.usual)),
    Row("train", "momentum", |job| job.momentum.is_some(), |known| json!(known.usual.optimizer.momentum)),
    Row("train", "weight-decay", |job| job.weight_decay.is_some(), |known| json!(known.usual.optimizer.weight_decay)),
    Row("train", "batch-size", |job| job.batch_size.is_some(), |known| json!(known.usual.batch_size)),
    Row("train", "shuffle", |job| job.shuffle || job.no_shuffle, |known| json!(known.usual.shuffle)),
    Row("train", "image-size", |job| job.image_size.is_some(), |known| json!(known.recipe.map(|recipe| recipe.image_size))),
    Row("train", "normalize", |job| job.normalize.is_some(), |known| json!(known.recipe.map(|recipe| recipe.normalize.to_string()))),
    Row("train", "trainable", |job| job.trainable.is_some(), |known| json!(known.usual.trainable)),
    Row("train", "training-mode", |job| job.training_mode.is_some(), |known| json!(known.usual.training_mode)),
    Row("train", "evaluation-mode", |job| job.evaluation_mode.is_some(), |known| json!(known.usual.evaluation_mode)),
    Row("train", "loop", |_| false, |known| sound_or(&known.usual.loop_)),
    Row("train", "device", |job| job.device.is_some(), |known| json!(known.run.device)),
    Row("train", "seed", |job| job.seed.is_some(), |known| json!(known.run.seed)),
    Row("train", "budget", |job| job.budget.is_some(), |known| format!("{}s", known.run.budget.as_secs_f64()).into()),
    Row("train", "quick", |job| job.quick, |known| json!(known.job.quick)),
    Row("train", "thorough", |job| job.thorough, |known| json!(known.job.thorough)),
];

fn list(items: &[String]) -> Value {
    if items.is_empty() { Value::Null } else { json!(items) }
}

/// A loop that does as it should is nothing that anybody said.
fn sound_or(given: &LoopRecipe) -> Value {
    if *given == LoopRecipe::default() { Value::Null } else { json!(given) }
}

fn groups(recipe: &Recipe) -> Value {
    let groups: serde_json::Map<String, Value> =
        recipe.optimizer.groups.iter().map(|group| (group.pattern.clone(), json!(group.lr))).collect();
    if groups.is_empty() { Value::Null } else { groups.into() }
}

/// What flags, `nanprobe.toml` and defaults come to, of a job that need not be complete.
pub fn in_force(job: &JobArgs, flags: &GateArgs, cwd: &Path) -> Result<InForce, ConfigError> {
    let file = ConfigFile::load(job.config.as_deref(), cwd)?;
    let gate = Gate::lay(Some(flags), &file)?;
    let merged = over(job.clone(), file.job.clone());
    let of_model = |name: &str| recipe::recipe(&merged, name);
    let recipe = merged.model.as_deref().map(of_model).transpose()?;
    // Any architecture that takes any size: what follows from the model is not read from this one.
    let usual = recipe.clone().map_or_else(|| of_model("small-cnn"), Ok)?;
    let run = RunOptions::of(&merged);
    let known = Known { job: &merged, run: &run, recipe: recipe.as_ref(), usual: &usual };

    let lines = &file.lines;
    let from = |given: bool, key: &str, flag: &str| match lines.get(key) {
        _ if given => Origin::Flag { flag: format!("--{flag}") },
        Some(line) => Origin::File { line: *line },
        None => Origin::Default,
    };
    let mut values: Vec<Setting> = ROWS
        .iter()
        .map(|Row(table, name, given, value)| {
            let key = format!("{table}.{name}");
            let flag = if *name == "shuffle" && job.no_shuffle { "no-shuffle" } else { name };
            let from = from(given(job), &key, flag);
            Setting { value: value(&known), key, from }
        })
        .collect();
    for (name, given, value) in [
        ("fail-on", flags.fail_on.is_some(), json!(gate.fail_on)),
        ("select", !flags.select.is_empty(), list(&gate.select)),
        ("ignore", !flags.ignore.is_empty(), list(&gate.ignore)),
    ] {
        let key = format!("gate.{name}");
        values.push(Setting { value, from: from(given, &key, name), key });
    }
    values.extend(limits(&file.limits, lines));

    let shown = |folder: &Path| if folder.as_os_str().is_empty() { ".".to_owned() } else { folder.display().to_string() };
    let plugins = file.plugins.into_iter().map(|plugin| PluginInForce {
        asked: gate.asks(&plugin.name),
        folder: shown(&plugin.folder),
        timeout: plugin.timeout.as_secs_f64(),
        name: plugin.name,
        command: plugin.command,
        config: plugin.config,
        place: plugin.place,
    });
    let accepted = file.accepts.into_iter().map(|accept| AcceptInForce {
        check: accept.check,
        reason: accept.reason,
        date: accept.date,
        module: accept.module,
        file: accept.file,
        place: accept.place,
    });
    Ok(InForce {
        schema: SCHEMA,
        file: file.origin.map(|path| path.display().to_string()),
        values,
        plugins: plugins.collect(),
        accepted: accepted.collect(),
    })
}

/// The limits that the file sets.
fn limits(set: &BTreeMap<String, Value>, lines: &BTreeMap<String, usize>) -> Vec<Setting> {
    let of_check = |(check, limits): (&String, &Value)| {
        let keys: Vec<(String, Value)> =
            limits.as_object().into_iter().flatten().map(|(limit, value)| (format!("checks.{check}.{limit}"), value.clone())).collect();
        keys
    };
    let setting = |(key, value): (String, Value)| {
        let from = lines.get(&key).map_or(Origin::Default, |line| Origin::File { line: *line });
        Setting { key, value, from }
    };
    set.iter().flat_map(of_check).map(setting).collect()
}

impl Origin {
    /// In words, with the file's name.
    pub fn in_words(&self, file: Option<&str>) -> String {
        match self {
            Self::Flag { flag } => flag.clone(),
            Self::File { line } => format!("{}:{line}", file.unwrap_or(FILE_NAME)),
            Self::Default => "default".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::file::TABLES;
    use super::*;

    fn project(text: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE_NAME), text).unwrap();
        folder
    }

    fn get<'a>(in_force: &'a InForce, key: &str) -> (&'a Value, &'a Origin) {
        let setting = in_force.values.iter().find(|setting| setting.key == key).unwrap_or_else(|| panic!("no {key}"));
        (&setting.value, &setting.from)
    }

    #[test]
    fn every_key_that_the_file_may_have_is_shown() {
        let nothing = tempfile::tempdir().unwrap();
        let shown = in_force(&JobArgs::default(), &GateArgs::default(), nothing.path()).unwrap();
        for (table, keys) in TABLES.iter().filter(|(table, _)| !table.contains('.')) {
            for key in *keys {
                get(&shown, &format!("{table}.{key}"));
            }
        }
        assert!(shown.values.iter().all(|setting| setting.from == Origin::Default) && shown.file.is_none());
    }

    #[test]
    fn each_value_says_whether_a_flag_the_file_or_nobody_gives_it() {
        let text = "[model]\nmodel = \"mlp\"\n[train]\nlr = 0.5\nshuffle = false\noptimizer = \"adam\"\n[gate]\nfail-on = \"never\"\n\
                    [checks.dead-relu]\ndead_share = 0.5\n";
        let project = project(text);
        let job = JobArgs { lr: Some(0.25), no_shuffle: true, ..JobArgs::default() };
        let report = GateArgs { ignore: vec!["model".to_owned()], ..GateArgs::default() };
        let shown = in_force(&job, &report, project.path()).unwrap();
        let flag = |flag: &str| Origin::Flag { flag: flag.to_owned() };
        assert_eq!(get(&shown, "train.lr"), (&json!(0.25), &flag("--lr")));
        assert_eq!(get(&shown, "train.shuffle"), (&json!(false), &flag("--no-shuffle")));
        assert_eq!(get(&shown, "train.optimizer"), (&json!("adam"), &Origin::File { line: 6 }));
        assert_eq!(get(&shown, "train.normalize"), (&json!("0.5/0.5"), &Origin::Default), "as the model has it");
        assert_eq!(get(&shown, "gate.fail-on"), (&json!("never"), &Origin::File { line: 8 }));
        assert_eq!(get(&shown, "gate.ignore"), (&json!(["model"]), &flag("--ignore")));
        assert_eq!(get(&shown, "checks.dead-relu.dead_share"), (&json!(0.5), &Origin::File { line: 10 }));
    }

    #[test]
    fn what_follows_from_the_model_is_left_open_without_one() {
        let nothing = tempfile::tempdir().unwrap();
        let shown = in_force(&JobArgs::default(), &GateArgs::default(), nothing.path()).unwrap();
        assert_eq!((get(&shown, "train.image-size").0, get(&shown, "train.normalize").0), (&Value::Null, &Value::Null));
        assert_eq!(get(&shown, "train.lr").0, &json!(0.01));
    }
}
