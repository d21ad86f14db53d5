//! Reads a file of values into a network: torchvision's key names, shapes checked.
//!
//! The file is a safetensors file or what `torch.save` writes of a state dict or a checkpoint; its content says which.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::{Graph, GraphError, Network};
use crate::pth::{PthError, shown};

mod file;

use file::{Found, Weights};

/// What wrappers put before each name: DataParallel and DistributedDataParallel, `torch.compile`, both, and the attribute in which
/// PyTorch Lightning's modules usually have the model.
const PREFIXES: [&str; 7] = ["", "module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module.", "model.", "net."];

/// Why a weights file cannot be used.
#[derive(Debug, Error)]
pub enum WeightsError {
    /// It cannot be read at all.
    #[error("cannot read weights file {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is larger than any model.
    #[error("weights file {path} has {bytes} bytes, more than the {most} that are read")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
        /// The largest that is read.
        most: u64,
    },
    /// It has neither format.
    #[error(
        "{path} is neither a safetensors file ({source}) nor a state dict; write one with `torch.save(model.state_dict(), \"model.pth\")`"
    )]
    Format {
        /// The file.
        path: PathBuf,
        /// What the parser found.
        source: safetensors::SafeTensorError,
    },
    /// It belongs to another architecture.
    #[error(
        "{path} holds none of the parameters of `{model}`, such as `{expected}`; it holds `{found}`: use the --model it was saved from"
    )]
    OtherModel {
        /// The file.
        path: PathBuf,
        /// The model.
        model: String,
        /// A parameter of it.
        expected: String,
        /// A key of the file.
        found: String,
    },
    /// It is a pickled file that is not read.
    #[error(transparent)]
    Pickled(#[from] PthError),
    /// libtorch refused.
    #[error(transparent)]
    Graph(#[from] GraphError),
}

/// What a weights file gave.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// Whether each parameter of the graph was taken from the file.
    pub parameters: Vec<bool>,
    /// Parameters that the file lacks: they keep their fresh values.
    pub missing: Vec<String>,
    /// Parameters whose shape in the file is another: they keep their fresh values.
    pub reshaped: Vec<String>,
    /// Keys of the file that the model does not have.
    pub unused: Vec<String>,
    /// Where in the file the values are, if not at its top.
    pub place: String,
    /// What the file has before each name and the model does not.
    pub prefix: &'static str,
}

impl Loaded {
    /// One line for reports.
    pub fn describe(&self) -> String {
        let taken = self.parameters.iter().filter(|taken| **taken).count();
        let list = |what: &str, names: &[String]| match names {
            [] => String::new(),
            [first] => format!("; {what}: {}", shown(first)),
            [first, rest @ ..] => format!("; {what}: {} and {} more", shown(first), rest.len()),
        };
        let place = if self.place.is_empty() { String::new() } else { format!("'s `{}`", self.place) };
        let prefix = if self.prefix.is_empty() { String::new() } else { format!(", its names without `{}`", self.prefix) };
        format!(
            "{taken} of {} parameter tensors from the file{place}{prefix}{}{}{}",
            self.parameters.len(),
            list("left fresh because of another shape", &self.reshaped),
            list("not in the file", &self.missing),
            list("in the file but not in the model", &self.unused)
        )
    }
}

/// Copies a file's tensors into the network's parameters and buffers of the same name
/// and shape. A head of another size is left fresh and reported.
pub fn load(network: &mut Network, path: &Path) -> Result<Loaded, WeightsError> {
    let content = file::content(path)?;
    let file = Weights::of(path, content.as_deref())?;
    let graph = network.graph().clone();
    let prefix = prefix(&graph, &file.names());
    let mut loaded = Loaded { place: file.place().to_owned(), prefix, ..Loaded::default() };
    let key = |name: &str| format!("{prefix}{name}");
    for (index, parameter) in graph.parameters.iter().enumerate() {
        let taken = match file.find(&key(&parameter.name), &parameter.shape)? {
            Found::Tensor(values) => network.set_parameter(index, &values).map(|()| true)?,
            Found::Missing => {
                loaded.missing.push(parameter.name.clone());
                false
            }
            Found::OtherShape(shape) => {
                loaded.reshaped.push(format!("{} ({shape:?} in the file, {:?} in the model)", parameter.name, parameter.shape));
                false
            }
        };
        loaded.parameters.push(taken);
    }
    for (index, buffer) in graph.buffers.iter().enumerate() {
        if let Found::Tensor(values) = file.find(&key(&buffer.name), &buffer.shape)? {
            network.set_buffer(index, &values)?;
        }
    }
    let known: HashSet<String> =
        graph.parameters.iter().map(|p| key(&p.name)).chain(graph.buffers.iter().map(|buffer| key(&buffer.name))).collect();
    loaded.unused = file
        .names()
        .into_iter()
        .filter(|key| !known.contains(*key) && !key.ends_with("num_batches_tracked"))
        .map(ToString::to_string)
        .collect();
    if loaded.parameters.iter().all(|taken| !taken) && loaded.reshaped.is_empty() {
        return Err(WeightsError::OtherModel {
            path: path.to_owned(),
            model: graph.name.clone(),
            expected: graph.parameters.first().map(|p| p.name.clone()).unwrap_or_default(),
            found: loaded.unused.first().map(|key| shown(key)).unwrap_or_default(),
        });
    }
    Ok(loaded)
}

/// The prefix with which the most parameters are in the file; none where it makes no difference.
fn prefix(graph: &Graph, names: &[&str]) -> &'static str {
    let names: HashSet<&str> = names.iter().copied().collect();
    let found = |prefix: &str| graph.parameters.iter().filter(|p| names.contains(&*format!("{prefix}{}", p.name))).count();
    // The first of equals: `max_by_key` takes the last.
    PREFIXES.into_iter().rev().max_by_key(|prefix| found(prefix)).unwrap_or_default()
}
