//! `nanprobe report`.

use std::path::Path;

use anyhow::Result;
use nanprobe::accept;
use nanprobe::cli::Report;
use nanprobe::config::GateSettings;

use super::{give, stored_diagnosis};

pub fn run(args: &Report, cwd: &Path) -> Result<u8> {
    let mut diagnosis = stored_diagnosis(&args.file)?;
    let settings = GateSettings::resolve(Some(&args.report.gate), args.config.as_deref(), cwd)?;
    accept::apply(&mut diagnosis, &settings.accepts);
    give(&diagnosis, &args.report, settings.gate.fail_on, cwd)
}
