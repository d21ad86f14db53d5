//! Reads a safetensors file into a network: torchvision's key names, shapes checked.

use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use safetensors::tensor::TensorView;
use tch::{Device, Kind, Tensor};
use thiserror::Error;

use super::{GraphError, Network};

/// Files above this are refused before they are read: the largest model of the field's usual ones has 1.3 GB.
const MAX_BYTES: u64 = 8 << 30;

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
    #[error("weights file {path} has {bytes} bytes, more than the {MAX_BYTES} that are read")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
    /// It is no safetensors file.
    #[error(
        "{path} is not a safetensors file ({source}); write one with `safetensors.torch.save_file(model.state_dict(), \"model.safetensors\")`"
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
}

impl Loaded {
    /// One line for reports.
    pub fn describe(&self) -> String {
        let taken = self.parameters.iter().filter(|taken| **taken).count();
        let list = |what: &str, names: &[String]| match names {
            [] => String::new(),
            [first] => format!("; {what}: {first}"),
            [first, rest @ ..] => format!("; {what}: {first} and {} more", rest.len()),
        };
        format!(
            "{taken} of {} parameter tensors from the file{}{}{}",
            self.parameters.len(),
            list("left fresh because of another shape", &self.reshaped),
            list("not in the file", &self.missing),
            list("in the file but not in the model", &self.unused)
        )
    }
}

/// Copies a safetensors file's tensors into the network's parameters and buffers of the same name
/// and shape. A head of another size is left fresh and reported.
pub fn load(network: &mut Network, path: &Path) -> Result<Loaded, WeightsError> {
    let read = |source| WeightsError::Read { path: path.to_owned(), source };
    let bytes = std::fs::metadata(path).map_err(read)?.len();
    if bytes > MAX_BYTES {
        return Err(WeightsError::TooLarge { path: path.to_owned(), bytes });
    }
    let content = std::fs::read(path).map_err(read)?;
    let file = SafeTensors::deserialize(&content).map_err(|source| WeightsError::Format { path: path.to_owned(), source })?;

    let mut loaded = Loaded::default();
    let graph = network.graph().clone();
    for (index, parameter) in graph.parameters.iter().enumerate() {
        let taken = match find(&file, &parameter.name, &parameter.shape)? {
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
        if let Found::Tensor(values) = find(&file, &buffer.name, &buffer.shape)? {
            network.set_buffer(index, &values)?;
        }
    }
    let known = |key: &str| graph.parameters.iter().any(|p| p.name == key) || graph.buffers.iter().any(|b| b.name == key);
    loaded.unused =
        file.names().into_iter().filter(|key| !known(key) && !key.ends_with("num_batches_tracked")).map(ToString::to_string).collect();
    loaded.unused.sort();
    if loaded.parameters.iter().all(|taken| !taken) && loaded.reshaped.is_empty() {
        return Err(WeightsError::OtherModel {
            path: path.to_owned(),
            model: graph.name.clone(),
            expected: graph.parameters.first().map(|p| p.name.clone()).unwrap_or_default(),
            found: loaded.unused.first().cloned().unwrap_or_default(),
        });
    }
    Ok(loaded)
}

enum Found {
    Tensor(Tensor),
    Missing,
    OtherShape(Vec<usize>),
}

fn find(file: &SafeTensors, name: &str, shape: &[i64]) -> Result<Found, GraphError> {
    let Ok(view) = file.tensor(name) else { return Ok(Found::Missing) };
    if view.shape().iter().map(|&n| n as i64).ne(shape.iter().copied()) {
        return Ok(Found::OtherShape(view.shape().to_vec()));
    }
    Ok(tensor(&view)?.map_or(Found::Missing, Found::Tensor))
}

/// A float32 tensor of a stored one; none for a type that parameters do not have.
fn tensor(view: &TensorView) -> Result<Option<Tensor>, GraphError> {
    use safetensors::Dtype;
    let kind = match view.dtype() {
        Dtype::F32 => Kind::Float,
        Dtype::F64 => Kind::Double,
        Dtype::F16 => Kind::Half,
        Dtype::BF16 => Kind::BFloat16,
        _ => return Ok(None),
    };
    let shape: Vec<i64> = view.shape().iter().map(|&n| n as i64).collect();
    Ok(Some(Tensor::f_from_data_size(view.data(), &shape, kind)?.f_to_device(Device::Cpu)?.f_to_kind(Kind::Float)?))
}
