//! `nanprobe diff`.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

use super::output::{Form, Output, OutputError, outputs};
use crate::exit::FailOn;

pub(super) const AFTER_HELP: &str = "\
Exit codes: 0 nothing new or worse at or above --fail-on, 1 something is, or the accuracy fell beyond the noise, 2 a report that \
cannot be read or is of another version, 3 too little was measured in one of them to compare.";

/// `nanprobe diff`.
#[derive(Clone, Debug, Args)]
pub struct Diff {
    /// The report before, as `--format json` writes it
    #[arg(value_name = "BEFORE", value_hint = ValueHint::FilePath)]
    pub before: PathBuf,
    /// The report after; `-` reads standard input
    #[arg(value_name = "AFTER", value_hint = ValueHint::FilePath)]
    pub after: PathBuf,
    /// Form of the comparison: table (for people), markdown (for a comment) or json (for programs; versioned) [default: by FILE's
    /// extension, else table]
    #[arg(long, value_name = "FORMAT", hide_possible_values = true, help_heading = "Report")]
    pub format: Option<DiffFormat>,
    /// Write the comparison to FILE, in the form of its extension: .json or .md; repeatable, `-` is standard output [default: -]
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Report")]
    pub output: Vec<PathBuf>,
    /// Exit with 1 where something of this severity is new or worse: error, warning or never [default: error]
    #[arg(long, value_name = "SEVERITY", hide_possible_values = true, help_heading = "Report")]
    pub fail_on: Option<FailOn>,
    /// Say nothing on standard error
    #[arg(short, long, help_heading = "Report")]
    pub quiet: bool,
}

impl Diff {
    /// The comparisons to write.
    pub fn outputs(&self) -> Result<Vec<Output<DiffFormat>>, OutputError> {
        outputs(self.format, &self.output)
    }
}

/// Form of a comparison.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum DiffFormat {
    /// For people
    #[default]
    Table,
    /// For a comment
    Markdown,
    /// For programs; versioned
    Json,
}

impl Form for DiffFormat {
    const EXTENSIONS: &'static [(&'static str, Self)] = &[("json", Self::Json), ("md", Self::Markdown)];
}
