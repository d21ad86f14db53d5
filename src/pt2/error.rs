//! Why an exported model cannot be read.

use std::path::PathBuf;

use thiserror::Error;

use crate::archive::{Archive, ArchiveError};

/// Why an exported model cannot be read.
#[derive(Debug, Error)]
pub enum Pt2Error {
    /// It cannot be opened or read.
    #[error("cannot read model file {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is no zip archive, or a damaged one.
    #[error(
        "{path} is not an exported model ({problem}); write one with `torch.export.save(torch.export.export(model, (x,)), \"model.pt2\")`"
    )]
    Archive {
        /// The file.
        path: PathBuf,
        /// What the parser found.
        problem: String,
    },
    /// Its content cannot be used.
    #[error("exported model {path}: {problem}")]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// The tensors that torch before 2.8 pickled cannot be read.
    #[error("exported model {path}: `{entry}`: {problem}; export it again with torch 2.8 or later, which pickles no tensors")]
    Pickled {
        /// The file.
        path: PathBuf,
        /// Where in it.
        entry: &'static str,
        /// What is wrong.
        problem: String,
    },
}

impl Pt2Error {
    /// An error about the content.
    pub fn content(archive: &Archive, problem: String) -> Self {
        Self::Content { path: archive.path().to_owned(), problem }
    }
}

impl From<ArchiveError> for Pt2Error {
    fn from(error: ArchiveError) -> Self {
        match error {
            ArchiveError::Read { path, source } => Self::Read { path, source },
            ArchiveError::Damaged { path, problem } => Self::Archive { path, problem },
            ArchiveError::Content { path, problem } => Self::Content { path, problem },
        }
    }
}
