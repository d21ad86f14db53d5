//! Why a fault cannot be planted.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::config::ConfigError;

/// A fault that cannot be planted.
#[derive(Debug, Error)]
pub enum DemoError {
    /// No fixture has that name.
    #[error("unknown fault `{given}`; {hint}; `nanprobe demo --list` shows all")]
    Unknown {
        /// As given.
        given: String,
        /// The nearest name, or all of them.
        hint: String,
    },
    /// A fixture that does not say what fixtures say.
    #[error("fixture `{name}`: {problem}")]
    Fixture {
        /// The fixture.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A folder in which other files would mix with the data set.
    #[error("`{}` is not empty; give a new or an empty folder for the data set", path.display())]
    NotEmpty {
        /// The folder.
        path: PathBuf,
    },
    /// A file or folder that cannot be written.
    #[error("cannot write `{}`: {source}; check that there is room and that the folder is yours", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A picture that cannot be encoded.
    #[error("cannot encode `{}`: {source}", path.display())]
    Encode {
        /// The file that it was for.
        path: PathBuf,
        /// Why.
        source: image::ImageError,
    },
    /// The `nanprobe.toml` that the fixture comes to is not accepted.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

impl DemoError {
    pub(super) fn fixture(name: &str, problem: &impl ToString) -> Self {
        Self::Fixture { name: name.to_owned(), problem: problem.to_string().trim_end().to_owned() }
    }
}
