//! `nanprobe diff`.

use anyhow::{Result, bail};
use nanprobe::cli::{Diff, DiffFormat};
use nanprobe::diff::Comparison;
use nanprobe::report::{self, terminal};

use super::{color, output, stored_diagnosis};

pub fn run(args: &Diff) -> Result<u8> {
    let outputs = args.outputs()?;
    if args.before == args.after && args.before.as_os_str() == "-" {
        bail!("both reports cannot come from standard input: give one of them as a file");
    }
    let comparison = Comparison::of(&stored_diagnosis(&args.before)?, &stored_diagnosis(&args.after)?);
    output::write(&outputs, args.quiet, &comparison.headline, |wanted| {
        Ok(match wanted.form {
            DiffFormat::Table => terminal::comparison(&comparison, terminal::width(), wanted.file.is_none() && color()),
            DiffFormat::Markdown => report::comparison_markdown(&comparison),
            DiffFormat::Json => serde_json::to_string_pretty(&comparison)? + "\n",
        })
    })?;
    Ok(comparison.exit_code(args.fail_on.unwrap_or_default()))
}
