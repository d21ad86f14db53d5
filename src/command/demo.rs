//! `nanprobe demo`.

use std::path::Path;

use anyhow::{Context, Result};
use nanprobe::cli::{Demo, ReportArgs};
use nanprobe::demo;
use nanprobe_checks::Evidence;

use super::diagnose::diagnose;
use super::{give, show};

pub fn run(args: &Demo, cwd: &Path) -> Result<u8> {
    if args.list {
        let lines: Vec<String> = demo::faults()?.iter().map(|fault| format!("{:<28} {}\n", fault.name, fault.about)).collect();
        return show(&lines.concat());
    }
    let fault = demo::find(args.fault.as_deref().unwrap_or("unshuffled-batches"))?;
    let temporary = tempfile::tempdir().context("cannot make a temporary folder")?;
    let folder = args.keep.as_deref().unwrap_or(temporary.path());
    let settings = fault.prepare(folder, 0)?;
    eprintln!("planted: {} ({})", fault.name, fault.about);
    if args.keep.is_some() {
        eprintln!("the data and its nanprobe.toml are in {}", folder.display());
    }
    let diagnosis = diagnose(&settings, Evidence::default(), false)?;
    give(&diagnosis, &ReportArgs::default(), settings.gate.fail_on, cwd)
}
