//! `nanprobe accept`.

use std::path::Path;

use anyhow::{Result, bail};
use nanprobe::cli::Accept;
use nanprobe::config::{NewAccept, accept};
use nanprobe::diagnosis::Diagnosis;

use super::{show, stored_diagnosis};

pub fn run(args: &Accept, cwd: &Path) -> Result<u8> {
    if let Some(report) = &args.report {
        must_hold(&stored_diagnosis(report)?, &args.check, &report.display().to_string())?;
    }
    let Accept { check, reason, module, file, .. } = args;
    let new = NewAccept { check, reason, module: module.as_deref(), file: file.as_deref() };
    let (path, entry) = accept(new, args.config.as_deref(), cwd)?;
    show(&format!("added to {}:\n\n{entry}", path.display()))
}

/// Refuses to accept what the report does not find.
fn must_hold(diagnosis: &Diagnosis, check: &str, report: &str) -> Result<()> {
    let findings: Vec<&str> = diagnosis.verdicts.iter().filter(|v| v.status.is_finding()).map(|v| v.check.as_str()).collect();
    if findings.contains(&check) {
        return Ok(());
    }
    let found = if findings.is_empty() { "no finding".to_owned() } else { findings.join(", ") };
    bail!("{report} has no finding of `{check}`; it has: {found}")
}
