//! `nanprobe judge`.

use std::path::Path;

use anyhow::Result;
use nanprobe::cli::Judge;
use nanprobe::config::GateSettings;

use super::{give, stored_evidence};

pub fn run(args: &Judge, cwd: &Path) -> Result<u8> {
    let settings = GateSettings::resolve(Some(&args.report.gate), args.config.as_deref(), cwd)?;
    let diagnosis = nanprobe::diagnose::judge_stored(&stored_evidence(&args.file)?, &settings);
    give(&diagnosis, &args.report, settings.gate.fail_on, cwd)
}
