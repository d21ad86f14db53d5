//! A fixture: reading it, and writing out the training that it describes.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use serde::Deserialize;
use toml::Table;

use super::error::DemoError;
use super::shapes::Shape;
use super::{MODELS, dataset, weights};
use crate::cli::JobArgs;
use crate::config::value::suggest;
use crate::config::{FILE_NAME, Settings};

/// Folder of the data, below the one given.
const DATA: &str = "train";
/// File of the planted weights.
const WEIGHTS: &str = "weights.safetensors";
/// File of an exported model.
const MODEL: &str = "model.pt2";
/// File of the weights that were meant.
const REFERENCE: &str = "reference.safetensors";

/// A small training with a known mistake, or with none.
#[derive(Clone, Debug)]
pub struct Fixture {
    /// Its name: that of the check it is for.
    pub name: &'static str,
    /// The mistake, in the user's words.
    pub about: String,
    /// The check that must be among the findings; none for a healthy training.
    pub finds: Option<String>,
    /// The check that must rank first, where another one is the root cause.
    pub top: Option<String>,
    pub(super) plant: Plant,
    /// The base's keys with the fixture's own over them, by table.
    config: Table,
}

/// How data and weights differ from the healthy set.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(super) struct Plant {
    /// How each file gets its class folder.
    pub labels: Labels,
    /// Share of pictures that also lie in another class's folder.
    pub copied: f64,
    /// Files of each class.
    pub per_class: Option<Vec<usize>>,
    /// Share of files that are cut short.
    pub truncated: f64,
    /// Whether every image is the same grey picture.
    pub identical: bool,
    /// Files carry their class's name, and this share of them lies in another class's folder.
    pub named: Option<f64>,
    /// Tensors of small-cnn, each filled with one value.
    pub weights: BTreeMap<String, f64>,
    /// Whether there is a file with soundly drawn weights, which the training does not load.
    pub reference: bool,
    /// The exported model that is trained, by its name among the fixtures' models.
    pub model: Option<String>,
}

/// How a file gets its class folder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Labels {
    /// By what it shows.
    #[default]
    True,
    /// Drawn at random.
    Random,
}

/// The file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    finds: Option<String>,
    top: Option<String>,
    #[serde(default)]
    plant: Plant,
    #[serde(default)]
    data: Table,
    #[serde(default)]
    model: Table,
    #[serde(default)]
    train: Table,
}

impl Form {
    fn read(name: &str, text: &str) -> Result<Self, DemoError> {
        toml::from_str(text).map_err(|error| DemoError::fixture(name, &error))
    }

    fn tables(self) -> [(&'static str, Table); 3] {
        [("data", self.data), ("model", self.model), ("train", self.train)]
    }
}

impl Fixture {
    pub(super) fn read(name: &'static str, text: &str, base: &str) -> Result<Self, DemoError> {
        let about = text.lines().next().and_then(|line| line.strip_prefix("# "));
        let about = about.ok_or_else(|| DemoError::fixture(name, &"the first line must be a comment that says the mistake"))?;
        let mut form = Form::read(name, text)?;
        let (finds, top, plant) = (form.finds.take(), form.top.take(), std::mem::take(&mut form.plant));
        plant.check().map_err(|problem| DemoError::fixture(name, &problem))?;
        let layers = Form::read("base", base)?.tables().into_iter().zip(form.tables());
        let mut config: Table = layers
            .map(|((table, mut below), (_, above))| {
                below.extend(above);
                (table.to_owned(), below.into())
            })
            .collect();
        set(&mut config, "data", "data", DATA);
        if !plant.weights.is_empty() {
            set(&mut config, "model", "weights", WEIGHTS);
        }
        if plant.reference {
            set(&mut config, "model", "reference", REFERENCE);
        }
        if plant.model.is_some() {
            set(&mut config, "model", "model", MODEL);
        }
        Ok(Self { name, about: about.trim().to_owned(), finds, top, plant, config })
    }

    /// Writes data, weights and `nanprobe.toml` into `dir`, which must be new or empty, and resolves the settings
    /// from that file. Same seed, same data set; the training's seed is the same one.
    pub fn prepare(&self, dir: &Path, seed: u64) -> Result<Settings, DemoError> {
        match fs::read_dir(dir).map(|mut entries| entries.next().is_some()) {
            Ok(true) => return Err(DemoError::NotEmpty { path: dir.to_owned() }),
            Err(source) if source.kind() != ErrorKind::NotFound => return Err(DemoError::Write { path: dir.to_owned(), source }),
            _ => {}
        }
        dataset::write(&self.plant, &dir.join(DATA), seed)?;
        weights::write(&self.plant.weights, &dir.join(WEIGHTS))?;
        if let Some(model) = &self.plant.model {
            let path = dir.join(MODEL);
            let bytes = model_bytes(model).map_err(|problem| DemoError::fixture(self.name, &problem))?;
            fs::write(&path, bytes).map_err(|source| DemoError::Write { path, source })?;
        }
        if self.plant.reference {
            weights::draw(&dir.join(REFERENCE), seed)?;
        }
        self.settings(dir, seed)
    }

    /// Writes `nanprobe.toml` alone, and reads it.
    pub(super) fn settings(&self, dir: &Path, seed: u64) -> Result<Settings, DemoError> {
        let path = dir.join(FILE_NAME);
        let text = format!("# {}\n\n{}", self.about, self.config);
        fs::write(&path, text).map_err(|source| DemoError::Write { path: path.clone(), source })?;
        let job = JobArgs { config: Some(path), seed: Some(seed), ..JobArgs::default() };
        // An empty working directory leaves the paths as `dir` was given, relative or not.
        Ok(Settings::resolve(&job, None, Path::new(""))?)
    }
}

impl Plant {
    fn check(&self) -> Result<(), String> {
        let share = |key: &str, share: f64| match share {
            0.0..=1.0 => Ok(()),
            _ => Err(format!("`plant.{key}` is a share between 0 and 1, not {share}")),
        };
        share("truncated", self.truncated)?;
        share("copied", self.copied)?;
        share("named", self.named.unwrap_or(0.0))?;
        match &self.per_class {
            Some(counts) if counts.len() > Shape::ALL.len() => {
                Err(format!("`plant.per-class` names more than {} classes", Shape::ALL.len()))
            }
            _ if self.model.as_deref().is_some_and(|model| model_bytes(model).is_err()) => {
                self.model.as_deref().map_or(Ok(()), |model| model_bytes(model).map(drop))
            }
            _ => self.weights.keys().try_for_each(|name| weights::shape(name).map(drop)),
        }
    }
}

fn model_bytes(name: &str) -> Result<&'static [u8], String> {
    let known = MODELS.iter().find(|(known, _)| *known == name).map(|(_, bytes)| *bytes);
    known.ok_or_else(|| format!("no exported model `{name}`; {}", suggest(name, MODELS.iter().map(|(known, _)| *known))))
}

fn set(config: &mut Table, table: &str, key: &str, value: &str) {
    if let Some(table) = config.get_mut(table).and_then(toml::Value::as_table_mut) {
        table.insert(key.to_owned(), value.into());
    }
}
