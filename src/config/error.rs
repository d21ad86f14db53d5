//! What can be wrong with flags and `nanprobe.toml`, and the way out of it.

use std::path::PathBuf;

use thiserror::Error;

use super::FILE_NAME;
use crate::architecture::UnknownModel;

/// Wrong or missing configuration.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// Neither a flag nor the file says what must be said.
    #[error("no {what} given: pass `--{key} {example}`, or set `{key} = \"{example}\"` under [{key}] in {}", place(origin.as_ref()))]
    Missing {
        /// What is missing, in words.
        what: &'static str,
        /// The flag and key.
        key: &'static str,
        /// A value to show.
        example: &'static str,
        /// The configuration file that was read.
        origin: Option<PathBuf>,
    },
    /// A file that is not there or cannot be read.
    #[error("cannot read {}: {source}; `--config` takes the path of a {FILE_NAME}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file that cannot be added to.
    #[error("cannot write {}: {source}", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// An argument that cannot be used.
    #[error("{problem}")]
    Argument {
        /// What is wrong with it and what would do.
        problem: String,
    },
    /// Text that is not TOML.
    #[error("{}:{line}: not valid TOML at `{near}`: {problem}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// The key, or the start of the line.
        near: String,
        /// What the parser says.
        problem: String,
    },
    /// A key or table that means nothing here.
    #[error("{}:{line}: unknown {kind} `{key}`{within}; {hint}", path.display())]
    Unknown {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What it is: a key, table or check.
        kind: &'static str,
        /// As written.
        key: String,
        /// ` in [TABLE]`, or empty at the top.
        within: String,
        /// The nearest name, or the known ones.
        hint: String,
    },
    /// A key whose value cannot be used.
    #[error("{}:{line}: `{key}`: {problem}", path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// With its tables, dotted.
        key: String,
        /// What is wrong with it and what would do.
        problem: String,
    },
    /// A flag whose value cannot be used.
    #[error("--{flag}: {problem}")]
    Flag {
        /// Its name.
        flag: &'static str,
        /// What is wrong with it and what would do.
        problem: String,
    },
    /// A model that is not built in.
    #[error(transparent)]
    Model(#[from] UnknownModel),
    /// A file that holds no model, or none that can be read without executing it.
    #[error(
        "`{given}` is not read as a model: export yours with `torch.export.save(torch.export.export(model, (x,)), \"model.pt2\")`, or give a built-in architecture by name ({known}); a file of values alone goes to `weights`"
    )]
    OtherModelFile {
        /// As given.
        given: String,
        /// The built-in names.
        known: String,
    },
    /// Images that the model cannot take.
    #[error("image size {given} is too small for {model}, which takes {least} pixels or more: raise `image-size`, or use a smaller model")]
    ImageSize {
        /// Pixels.
        given: usize,
        /// The architecture.
        model: &'static str,
        /// Pixels.
        least: usize,
    },
    /// Images that the model cannot cut into patches.
    #[error(
        "image size {given} cannot be cut into the patches of {model}: make `image-size` a multiple of {step}, such as {}",
        given.div_ceil(*step) * step
    )]
    ImageSizeStep {
        /// Pixels.
        given: usize,
        /// The architecture.
        model: &'static str,
        /// Pixels.
        step: usize,
    },
}

fn place(origin: Option<&PathBuf>) -> String {
    origin.map_or_else(|| format!("a {FILE_NAME} here or above"), |path| path.display().to_string())
}
