//! `nanprobe diagnose --script FILE[:FUNCTION]`: hands a user's own script to their own Python, where the package watches it.
//!
//! The package starts this program again on what it recorded, so the answer comes from there and only the exit code passes through here.

use std::path::{Path, PathBuf};
use std::process::Command;

use clap::ValueEnum;
use thiserror::Error;

use crate::cli::Diagnose;

/// Why a script cannot be watched.
#[derive(Debug, Error)]
pub enum ScriptError {
    /// No such file.
    #[error("`{}` does not exist; give the training script, or `FILE:FUNCTION` for a function that returns its objects", .0.display())]
    Missing(PathBuf),
    /// No interpreter.
    #[error("cannot start `{}`: {source}; name your Python with NANPROBE_PYTHON", .python.display())]
    Start {
        /// The interpreter that was tried.
        python: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It was ended by a signal.
    #[error("the script was stopped by a signal")]
    Stopped,
}

/// Runs a script, or the function that `FILE:FUNCTION` names, under the package's watch; answers the exit code.
pub fn run(script: &str, args: &Diagnose) -> Result<u8, ScriptError> {
    let file = match script.rsplit_once(':') {
        Some((file, function)) if is_identifier(function) => file,
        _ => script,
    };
    if !Path::new(file).is_file() {
        return Err(ScriptError::Missing(file.into()));
    }
    let python = interpreter();
    let mut command = Command::new(&python);
    command.args(["-m", "nanprobe"]);
    if let Some(format) = args.report.format.to_possible_value() {
        command.args(["--format", format.get_name()]);
    }
    if let Some(output) = &args.report.output {
        command.arg("--output").arg(output);
    }
    if let Some(budget) = args.job.budget {
        command.args(["--budget", &format!("{}s", budget.as_secs())]);
    }
    if args.job.quick {
        command.arg("--quick");
    }
    if file.len() < script.len() {
        command.args(["--factory", script]);
    } else {
        command.arg(script);
    }
    if let Ok(program) = std::env::current_exe() {
        command.env("NANPROBE_BIN", program);
    }
    let status = command.status().map_err(|source| ScriptError::Start { python, source })?;
    status.code().and_then(|code| u8::try_from(code).ok()).ok_or(ScriptError::Stopped)
}

/// Windows paths have a colon, too; a function's name has neither slashes nor dots.
fn is_identifier(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || c == '_')
}

/// The user's Python: NANPROBE_PYTHON, the active environment's, else `python3`.
fn interpreter() -> PathBuf {
    if let Some(python) = std::env::var_os("NANPROBE_PYTHON") {
        return python.into();
    }
    match std::env::var_os("VIRTUAL_ENV") {
        Some(environment) => Path::new(&environment).join("bin/python"),
        None => PathBuf::from("python3"),
    }
}
