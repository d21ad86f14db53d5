//! Writing reports where they are wanted.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nanprobe::cli::{Format, Output, ReportArgs};
use nanprobe::config::FailOn;
use nanprobe::diagnosis::Diagnosis;
use nanprobe::exit;
use nanprobe::report::terminal::{self, TableOptions};
use nanprobe::report::{self, Repository};

use super::{color, is_closed_pipe, show};

/// Writes every report that is asked for and answers the exit code.
pub fn give(diagnosis: &Diagnosis, args: &ReportArgs, fail_on: FailOn, cwd: &Path) -> Result<u8> {
    let outputs = args.outputs()?;
    write(&outputs, args.quiet, &diagnosis.headline, |output| render(diagnosis, output, args, fail_on, cwd))?;
    Ok(exit::of(diagnosis, fail_on))
}

/// Writes reports, files first, so that a reader who leaves early takes nothing from them. A file that cannot be written does not
/// keep the others from being written.
pub fn write<F: Copy>(outputs: &[Output<F>], quiet: bool, headline: &str, render: impl Fn(&Output<F>) -> Result<String>) -> Result<()> {
    let mut first_error = None;
    let mut written = Vec::new();
    for output in outputs {
        let Some(path) = &output.file else { continue };
        match std::fs::write(path, render(output)?) {
            Ok(()) => written.push(path.display().to_string()),
            Err(error) => drop(first_error.get_or_insert((path, error))),
        }
    }
    match outputs.iter().find(|output| output.file.is_none()) {
        Some(output) => match show(&render(output)?) {
            // The reader is gone; the finding still stands.
            Err(error) if is_closed_pipe(&error) => {}
            shown => drop(shown?),
        },
        // Who waited for a training wants to know more than that it is over.
        None if !quiet && !written.is_empty() => eprintln!("{headline}\nwrote {}", written.join(", ")),
        None => {}
    }
    match first_error {
        Some((path, error)) => Err(error).with_context(|| format!("cannot write {}", path.display())),
        None => Ok(()),
    }
}

fn render(diagnosis: &Diagnosis, output: &Output<Format>, args: &ReportArgs, fail_on: FailOn, cwd: &Path) -> Result<String> {
    Ok(match output.form {
        Format::Table => {
            let color = output.file.is_none() && color();
            terminal::table(diagnosis, &TableOptions { width: terminal::width(), color, all: args.all, quiet: args.quiet })
        }
        Format::Html => report::html(diagnosis).context("cannot write the page")?,
        Format::Plain => report::plain(diagnosis),
        Format::Markdown => report::markdown(diagnosis),
        Format::Github => report::github(diagnosis, &repository(diagnosis, cwd)),
        Format::Json => report::json(diagnosis)?,
        Format::Sarif => report::sarif(diagnosis, fail_on, &repository(diagnosis, cwd))?,
        Format::Junit => report::junit(diagnosis, fail_on)?,
    })
}

/// What the paths in a report are relative to, for tools that show findings beside the code: the folder with `.git` above, else the
/// working directory.
fn repository(diagnosis: &Diagnosis, cwd: &Path) -> Repository {
    let root = cwd.ancestors().find(|folder| folder.join(".git").exists()).unwrap_or(cwd).to_owned();
    // Only for the lines of its keys; a report can be shown where the file is not.
    let config = diagnosis.run.config.as_ref().and_then(|path| std::fs::read_to_string(cwd.join(PathBuf::from(path))).ok());
    Repository { root, folder: cwd.to_owned(), config }
}
