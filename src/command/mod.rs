//! The subcommands, one a file: what is parsed in, an exit code out.

use std::io::{IsTerminal, Write};
use std::path::Path;

use anyhow::{Context, Result};
use nanprobe::cli::{Format, ReportArgs};
use nanprobe::config::FailOn;
use nanprobe::diagnosis::Diagnosis;
use nanprobe::exit;
use nanprobe::report::terminal::{self, TableOptions};
use nanprobe_checks::Evidence;

pub mod accept;
pub mod checks;
pub mod config;
pub mod demo;
pub mod diagnose;
pub mod explain;
pub mod init;
pub mod judge;
pub mod measure;
pub mod model;
pub mod report;
pub mod schema;
pub mod shell;

/// Writes the report where it is wanted and answers the exit code.
fn give(diagnosis: &Diagnosis, args: &ReportArgs, fail_on: FailOn) -> Result<u8> {
    let text = match args.format {
        Format::Json => nanprobe::report::json(diagnosis)?,
        Format::Table => {
            let color = args.output.is_none() && color();
            terminal::table(diagnosis, &TableOptions { width: terminal::width(), color, all: args.all, quiet: args.quiet })
        }
    };
    match &args.output {
        Some(path) => std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?,
        None => match show(&text) {
            // The reader is gone; the finding still stands.
            Err(error) if is_closed_pipe(&error) => {}
            shown => drop(shown?),
        },
    }
    Ok(exit::of(diagnosis, fail_on))
}

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
    serde_json::from_str(&read(path)?)
        .with_context(|| format!("{} is no report of this version; write one with `nanprobe diagnose --format json`", path.display()))
}

/// The evidence in a file.
fn stored_evidence(path: &Path) -> Result<Evidence> {
    let text = read(path)?;
    nanprobe::diagnose::stored(&text).map_err(|(line, error)| anyhow::anyhow!("{} line {line}: {error}", path.display()))
}

/// Whether the terminal takes colours; `anstream` strips them where it does not, and where `NO_COLOR` says so.
fn color() -> bool {
    std::io::stdout().is_terminal()
}

/// Whether it says that nobody reads standard output any more.
pub fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.chain().filter_map(|cause| cause.downcast_ref::<std::io::Error>()).any(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}
