//! `nanprobe.toml`: finding it and reading it into the form that flags have.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use nanprobe_checks::Evidence;
use nanprobe_checks::recipe::LoopRecipe;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::ConfigError;
use super::section::{Section, Source, as_json};
use super::value::{self, suggest};
use super::{FILE_NAME, entries, selector};
use crate::accept::Accept;
use crate::architecture;
use crate::cli::JobArgs;
use crate::data::SourceKind;
use crate::exit::FailOn;
use crate::plugin::Plugin;

/// The table within `[train]` that says what the loop does otherwise than it should.
const LOOP: &str = "train.loop";

/// The tables and their keys.
pub(super) const TABLES: [(&str, &[&str]); 5] = [
    ("data", &["data", "val", "classes", "labels", "format-hint", "samples"]),
    ("model", &["model", "weights", "outputs", "output-activation", "detach", "init", "batch-norm-momentum", "reference"]),
    (
        "train",
        &[
            "loss",
            "optimizer",
            "lr",
            "lr-group",
            "momentum",
            "weight-decay",
            "batch-size",
            "shuffle",
            "image-size",
            "normalize",
            "trainable",
            "training-mode",
            "evaluation-mode",
            "loop",
            "device",
            "seed",
            "budget",
            "quick",
            "thorough",
        ],
    ),
    (LOOP, &["backward", "step", "clear-gradients", "clip-norm", "lr-decay"]),
    ("gate", &["fail-on", "select", "ignore"]),
];

/// What a `nanprobe.toml` says.
#[derive(Debug, Default)]
pub(super) struct ConfigFile {
    pub origin: Option<PathBuf>,
    pub job: JobArgs,
    pub fail_on: Option<FailOn>,
    pub select: Vec<String>,
    pub ignore: Vec<String>,
    pub limits: BTreeMap<String, serde_json::Value>,
    pub accepts: Vec<Accept>,
    pub plugins: Vec<Plugin>,
    /// The line of every key in a table, by its dotted name.
    pub lines: BTreeMap<String, usize>,
}

impl ConfigFile {
    /// The file given, else the nearest one in `cwd` or above, else an empty one.
    pub fn load(given: Option<&Path>, cwd: &Path) -> Result<Self, ConfigError> {
        let Some(path) = given.map(|path| cwd.join(path)).or_else(|| nearest(cwd)) else { return Ok(Self::default()) };
        let text = fs::read_to_string(&path).map_err(|source| ConfigError::Unreadable { path: path.clone(), source })?;
        // Paths below the working directory stay short in messages and reports.
        let shown = path.strip_prefix(cwd).map_or_else(|_| path.clone(), Path::to_owned);
        Self::read(&text, &shown)
    }

    pub fn read(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let source = Source { path, text };
        let root = source.parse()?;
        known_tables(source, &root)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let mut file = Self { origin: Some(path.to_owned()), lines: lines(source, "", &root), ..Self::default() };
        file.data(Section::of(source, &root, "data")?, folder)?;
        file.model(Section::of(source, &root, "model")?, folder)?;
        file.train(Section::of(source, &root, "train")?)?;
        file.plugins = entries::plugins(source, &root, folder)?;
        file.accepts = entries::accepts(source, &root, &file.plugins)?;
        file.gate(Section::of(source, &root, "gate")?)?;
        for (name, limits) in Section::of(source, &root, "checks")?.entries() {
            file.limits.insert(name.get_ref().to_string(), check_limits(source, name, limits)?);
        }
        Ok(file)
    }

    fn data(&mut self, section: Section, folder: &Path) -> Result<(), ConfigError> {
        let path = |text: &str| Ok(folder.join(text));
        let job = &mut self.job;
        job.data = section.text("data", path)?;
        job.val = section.text("val", path)?;
        job.classes = section.texts("classes")?;
        job.labels = section.text("labels", value::pattern_text)?;
        job.format_hint = section.text("format-hint", |text| {
            clap::ValueEnum::from_str(text, false)
                .map_err(|_| format!("unknown form `{text}`; {}", suggest(text, SourceKind::NAMES.iter().copied())))
        })?;
        job.samples = section.count("samples", |n| value::samples(n.get()))?;
        section.finish(home)
    }

    fn model(&mut self, section: Section, folder: &Path) -> Result<(), ConfigError> {
        let job = &mut self.job;
        job.model = section.text("model", |name| known_model(name, folder))?;
        job.weights = section.text("weights", |text| Ok(folder.join(text)))?;
        job.outputs = section.count("outputs", Ok)?;
        job.output_activation = section.parsed("output-activation")?;
        job.detach = section.texts("detach")?;
        job.init = section.parsed("init")?;
        job.batch_norm_momentum = section.number("batch-norm-momentum", value::share)?;
        job.reference = section.text("reference", |text| Ok(folder.join(text)))?;
        section.finish(home)
    }

    fn train(&mut self, section: Section) -> Result<(), ConfigError> {
        let job = &mut self.job;
        job.loss = section.parsed("loss")?;
        job.optimizer = section.parsed("optimizer")?;
        job.lr = section.number("lr", value::rate)?;
        job.lr_group = section.pairs("lr-group")?;
        job.momentum = section.number("momentum", value::rate)?;
        job.weight_decay = section.number("weight-decay", value::rate)?;
        job.batch_size = section.count("batch-size", Ok)?;
        let shuffle = section.boolean("shuffle")?;
        (job.shuffle, job.no_shuffle) = (shuffle == Some(true), shuffle == Some(false));
        job.image_size = section.count("image-size", Ok)?;
        job.normalize = section.parsed("normalize")?;
        job.trainable = section.given_texts("trainable")?;
        job.training_mode = section.parsed("training-mode")?;
        job.evaluation_mode = section.parsed("evaluation-mode")?;
        job.training_loop = training_loop(section.within("loop")?)?;
        job.device = section.text("device", value::device_text)?;
        job.seed = section.whole("seed")?;
        job.budget = section.duration("budget")?;
        job.quick = section.boolean("quick")?.unwrap_or(false);
        job.thorough = section.boolean("thorough")?.unwrap_or(false);
        section.finish(home)
    }

    fn gate(&mut self, section: Section) -> Result<(), ConfigError> {
        self.fail_on = section.text("fail-on", |text| {
            clap::ValueEnum::from_str(text, false)
                .map_err(|_| format!("unknown severity `{text}`; {}", suggest(text, FailOn::NAMES.iter().copied())))
        })?;
        self.select = section.names("select", |name| selector(name, &self.plugins))?;
        self.ignore = section.names("ignore", |name| selector(name, &self.plugins))?;
        section.finish(home)
    }
}

/// The nearest file, in a folder or above.
pub(super) fn nearest(cwd: &Path) -> Option<PathBuf> {
    cwd.ancestors().map(|folder| folder.join(FILE_NAME)).find(|path| path.is_file())
}

/// What [`LOOP`] says; what is left out is as it should be.
fn training_loop(section: Section) -> Result<LoopRecipe, ConfigError> {
    let sound = LoopRecipe::default();
    let recipe = LoopRecipe {
        backward: section.boolean("backward")?.unwrap_or(sound.backward),
        step: section.boolean("step")?.unwrap_or(sound.step),
        clear_gradients: section.boolean("clear-gradients")?.unwrap_or(sound.clear_gradients),
        clip_norm: section.number("clip-norm", value::norm)?,
        lr_decay: section.number("lr-decay", value::decay)?.unwrap_or(sound.lr_decay),
    };
    section.finish(home)?;
    Ok(recipe)
}

/// The line of every key, by its dotted name; keys of a table in an array are left out.
fn lines(source: Source, within: &str, table: &DeTable) -> BTreeMap<String, usize> {
    let mut lines = BTreeMap::new();
    for (key, value) in table {
        let name = format!("{within}{}", key.get_ref());
        if let Some(inner) = value.get_ref().as_table() {
            lines.extend(self::lines(source, &format!("{name}."), inner));
        }
        lines.insert(name, source.line(key.span().start));
    }
    lines
}

/// The table that has that key.
pub(super) fn home(key: &str) -> Option<&'static str> {
    TABLES.iter().find(|(_, keys)| keys.contains(&key)).map(|(table, _)| *table)
}

fn known_tables(source: Source, root: &DeTable) -> Result<(), ConfigError> {
    let known = || TABLES.iter().map(|(table, _)| *table).filter(|table| *table != LOOP).chain(["checks", "accept", "plugin"]);
    let mut unknown: Vec<_> = root.keys().filter(|name| !known().any(|table| table == name.get_ref())).collect();
    unknown.sort_by_key(|name| name.span().start);
    match unknown.first() {
        None => Ok(()),
        Some(name) => {
            let belongs = home(name.get_ref()).map(|table| format!("it belongs under [{table}]"));
            Err(source.unknown("table", name, "", belongs.unwrap_or_else(|| suggest(name.get_ref(), known()))))
        }
    }
}

/// The limits under `[checks.NAME]`, which must be such as that check has.
fn check_limits(source: Source, name: &Spanned<impl AsRef<str>>, given: &Spanned<DeValue>) -> Result<serde_json::Value, ConfigError> {
    let text = name.get_ref().as_ref();
    let Some(check) = nanprobe_checks::find(text) else {
        let hint = suggest(text, nanprobe_checks::checks().map(nanprobe_checks::AnyCheck::name));
        return Err(source.unknown("check", name, "checks", hint));
    };
    let table = format!("checks.{text}");
    let Some(entries) = given.get_ref().as_table() else {
        return Err(source.wrong(
            table,
            given.span().start,
            format!("expected a table ([checks.{text}]) of its limits; see `nanprobe explain {text}`"),
        ));
    };
    let defaults = check.default_limits();
    let mut limits = serde_json::Map::new();
    for (key, value) in entries {
        let limit: &str = key.get_ref();
        if defaults.get(limit).is_none() {
            let known = defaults.as_object().into_iter().flat_map(serde_json::Map::keys);
            return Err(source.unknown("limit", key, &table, suggest(limit, known.map(String::as_str))));
        }
        let wrong = |problem| source.wrong(format!("{table}.{limit}"), value.span().start, problem);
        let json = as_json(value).map_err(wrong)?;
        // Judging starts by reading the limits, so this finds a value of the wrong type without any evidence.
        let alone = serde_json::json!({ limit: json.clone() });
        check.judge(&Evidence::default(), Some(&alone)).map_err(|error| wrong(format!("{error}; the default is {}", defaults[limit])))?;
        limits.insert(limit.to_owned(), json);
    }
    Ok(limits.into())
}

fn known_model(name: &str, folder: &Path) -> Result<String, String> {
    if architecture::is_file(name) {
        return Ok(folder.join(name).display().to_string());
    }
    super::recipe::architecture_of(name).map_err(|error| error.to_string())?;
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests;
