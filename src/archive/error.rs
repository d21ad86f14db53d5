//! Why an archive cannot be read.

use std::path::PathBuf;

use thiserror::Error;

/// Why an archive cannot be read; what to do about it depends on what it should have been.
#[derive(Debug, Error)]
pub enum ArchiveError {
    /// It cannot be opened or read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is no zip archive, or a damaged one.
    #[error("{path} is no zip archive, or a damaged one ({problem})")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the parser found.
        problem: String,
    },
    /// An entry is not what its name says.
    #[error("{path}: {problem}")]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
}
