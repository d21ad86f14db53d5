//! `nanprobe explain`.

use std::path::Path;

use anyhow::{Context, Result};
use nanprobe::cli::Explain;
use nanprobe::config::GateSettings;
use nanprobe::report::terminal;

use super::{color, show};

pub fn run(args: &Explain, cwd: &Path) -> Result<u8> {
    let check = nanprobe_checks::find(&args.check).with_context(|| {
        let nearest = nanprobe_checks::checks()
            .map(nanprobe_checks::AnyCheck::name)
            .min_by_key(|name| strsim::damerau_levenshtein(name, &args.check));
        format!("unknown check `{}`; did you mean `{}`? `nanprobe checks` lists them", args.check, nearest.unwrap_or_default())
    })?;
    let settings = GateSettings::resolve(None, args.config.as_deref(), cwd)?;
    show(&terminal::explain(check, settings.limits.get(check.name()), terminal::width(), color()))
}
