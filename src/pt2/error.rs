//! Why an exported model cannot be read.

use std::path::PathBuf;

use thiserror::Error;

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
}
