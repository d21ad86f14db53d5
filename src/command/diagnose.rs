//! `nanprobe diagnose`.

use std::path::Path;

use anyhow::Result;
use nanprobe::cli::Diagnose;
use nanprobe::config::Settings;
use nanprobe::diagnosis::Diagnosis;
use nanprobe_checks::Evidence;

use super::{give, stored_evidence};

pub fn run(args: &Diagnose, cwd: &Path) -> Result<u8> {
    if let Some(script) = &args.script {
        return Ok(nanprobe::script::run(script, args)?);
    }
    let settings = Settings::resolve(&args.job, Some(&args.report), cwd)?;
    let recorded = args.evidence.as_deref().map_or_else(|| Ok(Evidence::default()), stored_evidence)?;
    let mut diagnosis = diagnose(&settings, recorded, args.report.quiet)?;
    diagnosis.run.command = command_line();
    give(&diagnosis, &args.report, settings.gate.fail_on)
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
    use anyhow::Context;
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
