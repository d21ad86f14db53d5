//! `nanprobe diagnose`.

use std::path::Path;

use anyhow::{Context, Result};
use nanprobe::cli::{Diagnose, Format, Output};
use nanprobe::config::Settings;
use nanprobe::diagnosis::Diagnosis;
use nanprobe::exit;
use nanprobe_checks::Evidence;

use super::{give, stored_evidence};

pub fn run(args: &Diagnose, cwd: &Path) -> Result<u8> {
    // Before anything is trained: a report that could not be written would be a training for nothing.
    let outputs = args.report.outputs()?;
    if let Some(script) = &args.script {
        return watch(script, args, &outputs, cwd);
    }
    let settings = Settings::resolve(&args.job, Some(&args.report.gate), cwd)?;
    let recorded = args.evidence.as_deref().map_or_else(|| Ok(Evidence::default()), stored_evidence)?;
    let mut diagnosis = diagnose(&settings, recorded, args.report.quiet)?;
    diagnosis.run.command = command_line();
    give(&diagnosis, &args.report, settings.gate.fail_on, cwd)
}

/// Watches a script. Its table the Python package shows itself; any other report is made of the package's answer here.
fn watch(script: &str, args: &Diagnose, outputs: &[Output<Format>], cwd: &Path) -> Result<u8> {
    let alone = matches!(outputs, [Output { file: None, form: Format::Table }]);
    let watching = nanprobe::script::Watching { script, budget: args.job.budget, quick: args.job.quick };
    if alone {
        return Ok(watching.show()?);
    }
    let (code, json) = watching.report()?;
    // The package has said why there is no report.
    if json.trim().is_empty() {
        return Ok(code);
    }
    let diagnosis: Diagnosis = serde_json::from_str(&json).context("the Python package answered with a report of another version")?;
    let judged = give(&diagnosis, &args.report, args.report.gate.fail_on.unwrap_or_default(), cwd)?;
    // A script that crashed is no clean run, whatever was seen of it until then.
    Ok(if code == exit::USAGE { code } else { judged })
}

/// What was typed, as a shell takes it again.
fn command_line() -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./=:,+@%".contains(c);
    let quoted = |word: String| {
        if !word.is_empty() && word.chars().all(plain) { word } else { format!("'{}'", word.replace('\'', r"'\''")) }
    };
    let arguments = std::env::args_os().skip(1).map(|word| quoted(word.to_string_lossy().into_owned()));
    std::iter::once("nanprobe".to_owned()).chain(arguments).collect::<Vec<_>>().join(" ")
}

/// Diagnoses, with progress on standard error.
#[cfg(feature = "engine")]
pub fn diagnose(settings: &Settings, recorded: Evidence, quiet: bool) -> Result<Diagnosis> {
    use nanprobe::report::terminal::Progress;

    // The first Ctrl-C ends the measuring process and reports what is known; the second ends this one.
    ctrlc::set_handler(|| {
        if nanprobe::worker::running() {
            nanprobe::worker::stop();
        } else {
            std::process::exit(130);
        }
    })
    .context("cannot listen for Ctrl-C")?;
    let progress = Progress::new(quiet);
    let diagnosis = nanprobe::diagnose::diagnose(settings, recorded, &mut |stage| progress.stage(stage));
    progress.finish();
    Ok(diagnosis)
}

/// Refuses: there is nothing to train with.
#[cfg(not(feature = "engine"))]
pub fn diagnose(_: &Settings, _: Evidence, _: bool) -> Result<Diagnosis> {
    anyhow::bail!(
        "this nanprobe was built without its engine and cannot train; build it with `cargo build --release`, or judge stored evidence with `nanprobe judge FILE`"
    )
}
