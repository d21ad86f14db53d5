//! The flags that say how to report, and what sets the exit code.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

use crate::exit::FailOn;

/// How to report.
#[derive(Clone, Debug, Default, Args)]
pub struct ReportArgs {
    /// Form of the report: table (for people), html (a page with plots) or json (for programs; versioned) [default: table]
    #[arg(
        long,
        value_name = "FORMAT",
        default_value = "table",
        hide_default_value = true,
        hide_possible_values = true,
        help_heading = "Report"
    )]
    pub format: Format,
    /// Write the report to FILE [default: standard output]
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Report")]
    pub output: Option<PathBuf>,
    /// Exit with 1 on a finding of this severity or worse: error, warning or never [default: error]
    #[arg(long, value_name = "SEVERITY", hide_possible_values = true, help_heading = "Report")]
    pub fail_on: Option<FailOn>,
    /// Only these checks or families of checks [default: all]
    #[arg(long, value_name = "CHECKS", value_delimiter = ',', help_heading = "Report")]
    pub select: Vec<String>,
    /// Not these checks or families of checks [default: none]
    #[arg(long, value_name = "CHECKS", value_delimiter = ',', help_heading = "Report")]
    pub ignore: Vec<String>,
    /// Also list what was cleared, with the measurements that cleared it
    #[arg(long, help_heading = "Report")]
    pub all: bool,
    /// Only the headline, the fixes and the findings; no progress
    #[arg(short, long, help_heading = "Report")]
    pub quiet: bool,
}

/// Form of a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    #[default]
    Table,
    /// A page of its own, with plots
    Html,
    /// For programs; versioned
    Json,
}
