//! `nanprobe report`.

use std::path::Path;

use anyhow::Result;
use nanprobe::cli::Report;

use super::{give, stored_diagnosis};

pub fn run(args: &Report, cwd: &Path) -> Result<u8> {
    give(&stored_diagnosis(&args.file)?, &args.report, args.report.fail_on.unwrap_or_default(), cwd)
}
