//! `nanprobe explain`.

use std::path::Path;

use anyhow::{Result, anyhow};
use nanprobe::cli::Explain;
use nanprobe::config::GateSettings;
use nanprobe::report::terminal;
use nanprobe_checks::AnyCheck;

use super::{color, show};

pub fn run(args: &Explain, cwd: &Path) -> Result<u8> {
    let settings = GateSettings::resolve(None, args.config.as_deref(), cwd)?;
    let check = nanprobe_checks::find(&args.check).ok_or_else(|| unknown(&args.check, &settings))?;
    show(&terminal::explain(check, settings.limits.get(check.name()), terminal::width(), color()))
}

/// Why there is no page of that name.
fn unknown(name: &str, settings: &GateSettings) -> anyhow::Error {
    let plugin = name.split_once('/').map_or(name, |(plugin, _)| plugin);
    if let Some(plugin) = settings.plugins.iter().find(|one| one.name == plugin) {
        return anyhow!("`{name}` is judged by a plug-in ({}), `{}`, which has no page here", plugin.place, plugin.command.join(" "));
    }
    let nearest = nanprobe_checks::checks().map(AnyCheck::name).min_by_key(|known| strsim::damerau_levenshtein(known, name));
    anyhow!("unknown check `{name}`; did you mean `{}`? `nanprobe checks` lists them", nearest.unwrap_or_default())
}
