//! `nanprobe report`.

use anyhow::Result;
use nanprobe::cli::Report;

use super::{give, stored_diagnosis};

pub fn run(args: &Report) -> Result<u8> {
    give(&stored_diagnosis(&args.file)?, &args.report, args.report.fail_on.unwrap_or_default())
}
