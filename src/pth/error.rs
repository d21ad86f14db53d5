//! Why values that `torch.save` wrote cannot be read.

use std::path::PathBuf;

use thiserror::Error;

use crate::archive::ArchiveError;

/// Why a pickle is refused.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum PickleError {
    /// It calls what no state dict needs.
    #[error("its pickle calls `{0}`, and nothing in a file is ever executed")]
    Call(String),
    /// It holds an object of a class.
    #[error("its pickle holds an object of the class `{0}`, and only tensors and plain values are read")]
    Object(String),
    /// It holds a whole model.
    #[error("it is a whole pickled model of the class `{0}`, which only your code can load, and no state dict")]
    Model(String),
    /// It is larger than any state dict.
    #[error("its pickle has more than {most} {what}")]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// What is read.
        most: usize,
    },
    /// It is no pickle that torch writes.
    #[error("its pickle is damaged at byte {at}: {problem}")]
    Damaged {
        /// Bytes before the place.
        at: usize,
        /// What is wrong.
        problem: String,
    },
}

/// Why values that `torch.save` wrote cannot be read.
#[derive(Debug, Error)]
pub enum PthError {
    /// It cannot be opened or read.
    #[error("cannot read weights file {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is a damaged archive.
    #[error("{path} is damaged ({problem}); save it again with `torch.save(model.state_dict(), \"model.pth\")`")]
    Archive {
        /// The file.
        path: PathBuf,
        /// What the parser found.
        problem: String,
    },
    /// Its pickle is refused.
    #[error(
        "{path} was not loaded: {source}; save the values alone, with `torch.save(model.state_dict(), \"model.pth\")` or as safetensors"
    )]
    Pickle {
        /// The file.
        path: PathBuf,
        /// Why.
        source: PickleError,
    },
    /// It is a file of another kind.
    #[error("{path} is {kind}; {remedy}")]
    OtherKind {
        /// The file.
        path: PathBuf,
        /// What it is.
        kind: &'static str,
        /// The way out.
        remedy: &'static str,
    },
    /// A tensor cannot be.
    #[error("{path}: tensor `{name}`: {problem}; save it again with `torch.save(model.state_dict(), \"model.pth\")`")]
    Tensor {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// What is wrong.
        problem: String,
    },
    /// There is no state dict in it, or several.
    #[error("{path} holds {found}; save the values alone, with `torch.save(model.state_dict(), \"model.pth\")`")]
    NoStateDict {
        /// The file.
        path: PathBuf,
        /// What there is instead.
        found: String,
    },
}

impl PthError {
    /// What is wrong, without the file and the way out: for a file of which this is only a part.
    pub fn problem(&self) -> String {
        match self {
            Self::Pickle { source, .. } => source.to_string(),
            Self::Tensor { name, problem, .. } => format!("tensor `{name}`: {problem}"),
            Self::Archive { problem, .. } => problem.clone(),
            Self::OtherKind { kind, .. } => format!("it is {kind}"),
            Self::NoStateDict { found, .. } => format!("it holds {found}"),
            Self::Read { source, .. } => source.to_string(),
        }
    }
}

impl From<ArchiveError> for PthError {
    fn from(error: ArchiveError) -> Self {
        match error {
            ArchiveError::Read { path, source } => Self::Read { path, source },
            ArchiveError::Damaged { path, problem } | ArchiveError::Content { path, problem } => Self::Archive { path, problem },
        }
    }
}
