//! The subcommands, one a file: what is parsed in, an exit code out.

use std::io::{IsTerminal, Write};
use std::path::Path;

use anyhow::{Context, Result};
use nanprobe::diagnosis::{Diagnosis, SCHEMA};
use nanprobe::exit;
use nanprobe_checks::Evidence;

pub mod accept;
pub mod checks;
pub mod config;
pub mod demo;
pub mod diagnose;
pub mod diff;
pub mod explain;
pub mod init;
pub mod judge;
pub mod measure;
pub mod model;
mod output;
pub mod report;
pub mod schema;
pub mod shell;

use output::give;

/// Text to standard output.
fn show(text: &str) -> Result<u8> {
    let mut out = anstream::stdout();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).context("cannot write to standard output")?;
    Ok(exit::CLEAN)
}

/// The text of a file; `-` is standard input.
fn read(path: &Path) -> Result<String> {
    if path.as_os_str() == "-" {
        std::io::read_to_string(std::io::stdin()).context("cannot read standard input")
    } else {
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
    }
}

/// The diagnosis in a file.
fn stored_diagnosis(path: &Path) -> Result<Diagnosis> {
    let other = || format!("{} is no report of this version ({SCHEMA}); write one with `nanprobe diagnose --format json`", path.display());
    let diagnosis: Diagnosis = serde_json::from_str(&read(path)?).with_context(other)?;
    if diagnosis.schema != SCHEMA {
        anyhow::bail!("{}: it says `{}`", other(), diagnosis.schema);
    }
    Ok(diagnosis)
}

/// The evidence in a file.
fn stored_evidence(path: &Path) -> Result<Evidence> {
    let text = read(path)?;
    nanprobe::diagnose::stored(&text).map_err(|(line, error)| {
        let path = path.display();
        match serde_json::from_str::<Diagnosis>(&text) {
            Ok(_) => anyhow::anyhow!("{path} is a report, not evidence: show it with `nanprobe report {path}`"),
            Err(_) => anyhow::anyhow!("{path} line {line}: {error}"),
        }
    })
}

/// Whether the terminal takes colours; `anstream` strips them where it does not, and where `NO_COLOR` says so.
fn color() -> bool {
    std::io::stdout().is_terminal()
}

/// Whether it says that nobody reads standard output any more.
pub fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.chain().filter_map(|cause| cause.downcast_ref::<std::io::Error>()).any(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}
