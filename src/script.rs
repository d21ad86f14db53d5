//! `nanprobe diagnose --script FILE[:FUNCTION]`: hands a user's own script to their own Python, where the package watches it.
//!
//! The package starts this program again on what it recorded, so the answer comes from there and only the exit code passes through here.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use thiserror::Error;

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

/// A script to run under the package's watch.
#[derive(Clone, Copy, Debug)]
pub struct Watching<'a> {
    /// The file, or `FILE:FUNCTION`.
    pub script: &'a str,
    /// Time for the experiments.
    pub budget: Option<std::time::Duration>,
    /// Whether half a minute has to do.
    pub quick: bool,
}

impl Watching<'_> {
    /// Runs it and lets the package show its table; answers the exit code.
    pub fn show(self) -> Result<u8, ScriptError> {
        let (python, mut command) = self.command(false)?;
        let status = command.status().map_err(|source| ScriptError::Start { python, source })?;
        code(status)
    }

    /// Runs it; answers the exit code and the report as JSON, which is empty where there is none.
    pub fn report(self) -> Result<(u8, String), ScriptError> {
        let (python, mut command) = self.command(true)?;
        command.stderr(Stdio::inherit()).stdin(Stdio::inherit());
        let output = command.output().map_err(|source| ScriptError::Start { python, source })?;
        Ok((code(output.status)?, String::from_utf8_lossy(&output.stdout).into_owned()))
    }

    fn command(self, json: bool) -> Result<(PathBuf, Command), ScriptError> {
        let file = match self.script.rsplit_once(':') {
            Some((file, function)) if is_identifier(function) => file,
            _ => self.script,
        };
        if !Path::new(file).is_file() {
            return Err(ScriptError::Missing(file.into()));
        }
        let python = interpreter();
        let mut command = Command::new(&python);
        command.args(["-m", "nanprobe"]);
        if json {
            command.args(["--format", "json"]);
        }
        if let Some(budget) = self.budget {
            command.args(["--budget", &format!("{}s", budget.as_secs())]);
        }
        if self.quick {
            command.arg("--quick");
        }
        if file.len() < self.script.len() {
            command.args(["--factory", self.script]);
        } else {
            command.arg(self.script);
        }
        if let Ok(program) = std::env::current_exe() {
            command.env("NANPROBE_BIN", program);
        }
        Ok((python, command))
    }
}

fn code(status: ExitStatus) -> Result<u8, ScriptError> {
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
