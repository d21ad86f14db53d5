//! The subcommands that set nanprobe up: configuration, accepted findings, schemas, the shell.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};
use clap_complete::Shell;

use super::{GateArgs, JobArgs};
use crate::schema::Format;

/// `nanprobe init`.
#[derive(Clone, Debug, Args)]
pub struct Init {
    /// The folder to look into and to write nanprobe.toml to
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath, default_value = ".")]
    pub dir: PathBuf,
}

/// `nanprobe config`.
#[derive(Clone, Debug, Default, Args)]
pub struct Config {
    /// As of `nanprobe diagnose`.
    #[command(flatten)]
    pub job: JobArgs,
    /// Form of the answer: table (for people) or json (for programs; versioned) [default: table]
    #[arg(
        long,
        value_name = "FORMAT",
        default_value = "table",
        hide_default_value = true,
        hide_possible_values = true,
        help_heading = "Report"
    )]
    pub format: ConfigFormat,
    /// As of `nanprobe diagnose`.
    #[command(flatten)]
    pub gate: GateArgs,
    /// Also list what is not set and has no default
    #[arg(long, help_heading = "Report")]
    pub all: bool,
}

/// Form of what is in force.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ConfigFormat {
    /// For people
    #[default]
    Table,
    /// For programs; versioned
    Json,
}

/// `nanprobe accept`.
#[derive(Clone, Debug, Args)]
pub struct Accept {
    /// The check whose finding is accepted
    #[arg(value_name = "CHECK")]
    pub check: String,
    /// Why it is accepted, for those who read nanprobe.toml after you
    #[arg(long, value_name = "WHY")]
    pub reason: String,
    /// Only at these modules, such as `layer4` [default: wherever it is]
    #[arg(long, value_name = "PATTERN")]
    pub module: Option<String>,
    /// Only in this source file [default: wherever it is]
    #[arg(long, value_name = "FILE")]
    pub file: Option<String>,
    /// Refuse unless this report, as `--format json` writes it, has the finding [default: not looked at]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub report: Option<PathBuf>,
    /// Add it to this nanprobe.toml [default: the nearest one upwards, else a new one here]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
}

/// `nanprobe schema`.
#[derive(Clone, Debug, Args)]
pub struct Schema {
    /// Which format
    #[arg(value_name = "FORMAT", default_value = "diagnosis")]
    pub format: Format,
}

/// `nanprobe completions`.
#[derive(Clone, Debug, Args)]
pub struct Completions {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub shell: Shell,
}

/// `nanprobe man`.
#[derive(Clone, Debug, Args)]
pub struct Man {
    /// Write the pages of nanprobe and every subcommand to this folder [default: nanprobe's own page to standard output]
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub dir: Option<PathBuf>,
}
