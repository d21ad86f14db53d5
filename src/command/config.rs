//! `nanprobe config`.

use std::path::Path;

use anyhow::Result;
use nanprobe::cli::{Config, ConfigFormat};
use nanprobe::config::in_force;
use nanprobe::report::terminal;

use super::{color, show};

pub fn run(args: &Config, cwd: &Path) -> Result<u8> {
    let in_force = in_force(&args.job, &args.gate, cwd)?;
    match args.format {
        ConfigFormat::Json => show(&(serde_json::to_string_pretty(&in_force)? + "\n")),
        ConfigFormat::Table => show(&terminal::config(&in_force, args.all, terminal::width(), color())),
    }
}
