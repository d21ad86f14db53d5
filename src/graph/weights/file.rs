//! A file of tensors with names, whichever of the two formats it has.

use std::borrow::Cow;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use tch::{Device, Kind, Tensor};

use super::WeightsError;
use crate::archive::{DType, Stored};
use crate::graph::GraphError;
use crate::pth::{self, StateDict};

/// Files above this are refused before they are read: the largest model of the field's usual ones has 1.3 GB, and Adam keeps two
/// further values of each.
const MAX_BYTES: u64 = 8 << 30;

/// The content of a file that is read as a whole; none of an archive, of which only the state dict is read.
pub(super) fn content(path: &Path) -> Result<Option<Vec<u8>>, WeightsError> {
    let read = |source| WeightsError::Read { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(read)?;
    let bytes = file.metadata().map_err(read)?.len();
    if bytes > MAX_BYTES {
        return Err(WeightsError::TooLarge { path: path.to_owned(), bytes, most: MAX_BYTES });
    }
    let mut content = Vec::new();
    file.by_ref().take(HEAD).read_to_end(&mut content).map_err(read)?;
    match pth::kind(&content) {
        pth::Kind::Archive => Ok(None),
        pth::Kind::Pickle => Err(pth::bare_pickle(path).into()),
        pth::Kind::Other => {
            file.take(MAX_BYTES).read_to_end(&mut content).map_err(read)?;
            Ok(Some(content))
        }
    }
}

/// Bytes that tell the formats apart.
const HEAD: u64 = 16;

/// Tensors with names.
pub(super) enum Weights<'a> {
    /// Of a safetensors file.
    Safetensors(SafeTensors<'a>),
    /// Of a file that `torch.save` wrote.
    StateDict(StateDict),
}

/// A tensor that was looked for.
pub(super) enum Found {
    /// It has the shape.
    Tensor(Tensor),
    /// It is not there, or of a type that parameters do not have.
    Missing,
    /// It has another shape.
    OtherShape(Vec<i64>),
}

impl<'a> Weights<'a> {
    /// The tensors of a file, by what [`content`] gave of it.
    pub(super) fn of(path: &Path, content: Option<&'a [u8]>) -> Result<Self, WeightsError> {
        match content {
            Some(content) => SafeTensors::deserialize(content)
                .map(Self::Safetensors)
                .map_err(|source| WeightsError::Format { path: path.to_owned(), source }),
            None => Ok(Self::StateDict(pth::read(path)?)),
        }
    }

    /// All names, in order.
    pub(super) fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = match self {
            Self::Safetensors(file) => file.names(),
            Self::StateDict(state) => state.tensors.keys().chain(&state.unread).map(String::as_str).collect(),
        };
        names.sort_unstable();
        names
    }

    /// Key of the file's dict under which the tensors are; empty for the file itself.
    pub(super) fn place(&self) -> &str {
        match self {
            Self::Safetensors(_) => "",
            Self::StateDict(state) => &state.place,
        }
    }

    /// The float32 values of a tensor, if it has that shape.
    pub(super) fn find(&self, name: &str, shape: &[i64]) -> Result<Found, GraphError> {
        let view = match self {
            Self::Safetensors(file) => file.tensor(name).ok().map(View::Safetensors),
            Self::StateDict(state) => state.tensors.get(name).map(View::Stored),
        };
        let Some(view) = view else { return Ok(Found::Missing) };
        let (kind, sizes) = match &view {
            View::Safetensors(view) => (of_safetensors(view.dtype()), view.shape().iter().map(|&n| n as i64).collect()),
            View::Stored(stored) => (of_stored(stored.dtype), stored.sizes.clone()),
        };
        if sizes != shape {
            return Ok(Found::OtherShape(sizes));
        }
        let Some(kind) = kind else { return Ok(Found::Missing) };
        let bytes = match &view {
            View::Safetensors(view) => Cow::Borrowed(view.data()),
            View::Stored(stored) => Cow::Owned(stored.contiguous()),
        };
        let values = Tensor::f_from_data_size(&bytes, shape, kind)?.f_to_device(Device::Cpu)?.f_to_kind(Kind::Float)?;
        Ok(Found::Tensor(values))
    }
}

/// A tensor of a file before its values are read.
enum View<'a> {
    Safetensors(TensorView<'a>),
    Stored(&'a Stored),
}

/// None for a type that parameters do not have.
fn of_safetensors(dtype: Dtype) -> Option<Kind> {
    match dtype {
        Dtype::F32 => Some(Kind::Float),
        Dtype::F64 => Some(Kind::Double),
        Dtype::F16 => Some(Kind::Half),
        Dtype::BF16 => Some(Kind::BFloat16),
        _ => None,
    }
}

/// None for a type that parameters do not have.
fn of_stored(dtype: DType) -> Option<Kind> {
    match dtype {
        DType::Float32 => Some(Kind::Float),
        DType::Float64 => Some(Kind::Double),
        DType::Float16 => Some(Kind::Half),
        DType::BFloat16 => Some(Kind::BFloat16),
        _ => None,
    }
}
