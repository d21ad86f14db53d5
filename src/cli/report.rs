//! The flags that say how to report, and what sets the exit code.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

use super::output::{Form, Output, OutputError, outputs};
use crate::exit::FailOn;

/// Which checks are judged, and what sets the exit code.
#[derive(Clone, Debug, Default, Args)]
pub struct GateArgs {
    /// Exit with 1 on a finding of this severity or worse: error, warning or never [default: error]
    #[arg(long, value_name = "SEVERITY", hide_possible_values = true, help_heading = "Report")]
    pub fail_on: Option<FailOn>,
    /// Only these checks or families of checks [default: all]
    #[arg(long, value_name = "CHECKS", value_delimiter = ',', help_heading = "Report")]
    pub select: Vec<String>,
    /// Not these checks or families of checks [default: none]
    #[arg(long, value_name = "CHECKS", value_delimiter = ',', help_heading = "Report")]
    pub ignore: Vec<String>,
}

/// How to report.
#[derive(Clone, Debug, Default, Args)]
pub struct ReportArgs {
    /// Form of the report: table (for people), html (a page with plots), plain (for logs), markdown (for a job's page), github (annotations), json (for programs;
    /// versioned), sarif (2.1.0, for code scanning) or junit [default: by FILE's extension, else table]
    #[arg(long, value_name = "FORMAT", hide_possible_values = true, help_heading = "Report")]
    pub format: Option<Format>,
    /// Write a report to FILE, in the form of its extension: .json, .sarif, .xml (junit), .html, .md or .txt (plain); repeatable, `-` is standard
    /// output [default: -]
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Report")]
    pub output: Vec<PathBuf>,
    /// What counts.
    #[command(flatten)]
    pub gate: GateArgs,
    /// Also list what was cleared, with the measurements that cleared it
    #[arg(long, help_heading = "Report")]
    pub all: bool,
    /// Only the headline, the fixes and the findings; no progress
    #[arg(short, long, help_heading = "Report")]
    pub quiet: bool,
}

impl ReportArgs {
    /// The reports to write.
    pub fn outputs(&self) -> Result<Vec<Output<Format>>, OutputError> {
        outputs(self.format, &self.output)
    }
}

/// Form of a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    #[default]
    Table,
    /// A page of its own, with plots
    Html,
    /// For logs
    Plain,
    /// For a job's page
    Markdown,
    /// Annotations in a GitHub Actions log
    Github,
    /// For programs; versioned
    Json,
    /// For code scanning
    Sarif,
    /// For CI services that show tests
    Junit,
}

impl Form for Format {
    const EXTENSIONS: &'static [(&'static str, Self)] = &[
        ("json", Self::Json),
        ("sarif", Self::Sarif),
        ("xml", Self::Junit),
        ("html", Self::Html),
        ("md", Self::Markdown),
        ("txt", Self::Plain),
    ];
}
