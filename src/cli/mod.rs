//! The command line: what can be asked, in the user's words. Nothing is decided here.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueHint};

mod diff;
mod job;
mod output;
mod report;
mod setup;

pub use diff::{Diff, DiffFormat};
pub use job::JobArgs;
pub use output::{Form, Output, OutputError, outputs};
pub use report::{Format, GateArgs, ReportArgs};
pub use setup::{Accept, Completions, Config, ConfigFormat, Init, Man, Schema};

const AFTER_HELP: &str = "\
Examples:
  nanprobe diagnose --data ./train --model resnet18
  nanprobe diagnose --data ./train --model model.pt2
  nanprobe diagnose --script train.py
  nanprobe diagnose --data ./train --model alexnet --optimizer adam --lr 1e-3 --normalize none
  nanprobe measure --data ./train --model resnet18 > evidence.jsonl && nanprobe judge evidence.jsonl
  nanprobe diagnose -o - -o report.sarif -o summary.md
  nanprobe diff before.json after.json
  nanprobe demo --fault unshuffled-batches

Exit codes: 0 no finding, 1 a finding at or above --fail-on, 2 wrong usage, 3 too little could be measured.";

/// Why is my classifier's accuracy stuck at 50%? A ranked verdict, proven by experiment.
#[derive(Debug, Parser)]
#[command(name = "nanprobe", version, after_help = AFTER_HELP, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Find what keeps a classifier from learning: measure, judge, try the fixes, report
    #[command(after_help = DIAGNOSE_HELP)]
    Diagnose(Box<Diagnose>),
    /// Take the measurements only, and write them as JSON lines to standard output
    #[command(after_help = DIAGNOSE_HELP)]
    Measure(Box<Measure>),
    /// Judge stored measurements again: needs neither libtorch nor a GPU
    Judge(Judge),
    /// Show a stored report again, in this or another form
    Report(Report),
    /// Compare two stored reports: what got better, worse, new and gone
    #[command(after_help = diff::AFTER_HELP)]
    Diff(Diff),
    /// List every check
    Checks,
    /// Explain a check: what it looks for, why it matters, what to do, and its limits
    Explain(Explain),
    /// Show what is in a model that torch.export wrote, and whether it can be trained
    Model(Model),
    /// Plant a fault in a small data set and diagnose it
    Demo(Demo),
    /// Write a first nanprobe.toml from what lies in a folder
    Init(Init),
    /// Show every value in force, and whether a flag, nanprobe.toml or a default gives it
    Config(Box<Config>),
    /// Accept a finding, with a reason: it stays visible and no longer fails
    Accept(Accept),
    /// Print the JSON Schema of a report, of evidence or of what a plug-in reads and answers
    Schema(Schema),
    /// Print the completions for a shell
    Completions(Completions),
    /// Print the manual page, or write one for every subcommand
    Man(Man),
}

const DIAGNOSE_HELP: &str = "\
Flags that describe the training or the gate can stand in nanprobe.toml, with the same names under [data], [model], [train] \
and [gate]; flags win. The file is looked for in the working directory and above, and its paths are relative to it.";

/// `nanprobe diagnose`.
#[derive(Clone, Debug, Default, Args)]
pub struct Diagnose {
    /// The training to look into.
    #[command(flatten)]
    pub job: JobArgs,
    /// Your own training script, run and watched by the Python package; or FILE:FUNCTION, a function that returns model, loader, criterion and
    /// optimizer [default: none]
    #[arg(long, value_name = "FILE[:FUNCTION]", help_heading = "Data", conflicts_with_all = ["data", "model", "evidence"])]
    pub script: Option<String>,
    /// Evidence that another program recorded, such as the Python package of your own loop; judged with what is measured [default: none]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Data")]
    pub evidence: Option<PathBuf>,
    /// How to report.
    #[command(flatten)]
    pub report: ReportArgs,
}

/// `nanprobe measure`.
#[derive(Clone, Debug, Default, Args)]
pub struct Measure {
    /// The training to look into.
    #[command(flatten)]
    pub job: JobArgs,
    /// Be the measuring child process: settings and requests on standard input.
    #[arg(long, hide = true)]
    pub worker: bool,
}

/// `nanprobe judge`.
#[derive(Clone, Debug, Args)]
pub struct Judge {
    /// Evidence as `nanprobe measure` writes it; `-` reads standard input
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// Read this nanprobe.toml [default: the nearest one upwards]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Run")]
    pub config: Option<PathBuf>,
    /// How to report.
    #[command(flatten)]
    pub report: ReportArgs,
}

/// `nanprobe report`.
#[derive(Clone, Debug, Args)]
pub struct Report {
    /// A report as `--format json` writes it; `-` reads standard input
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// Read this nanprobe.toml [default: the nearest one upwards]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Run")]
    pub config: Option<PathBuf>,
    /// How to report.
    #[command(flatten)]
    pub report: ReportArgs,
}

/// `nanprobe explain`.
#[derive(Clone, Debug, Args)]
pub struct Explain {
    /// The check's name, as `nanprobe checks` lists it
    #[arg(value_name = "CHECK")]
    pub check: String,
    /// Show the limits as this nanprobe.toml sets them [default: the nearest one upwards]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
}

/// `nanprobe model`.
#[derive(Clone, Debug, Args)]
pub struct Model {
    /// A file that `torch.export.save` wrote
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
}

/// `nanprobe demo`.
#[derive(Clone, Debug, Default, Args)]
pub struct Demo {
    /// The fault to plant [default: the first that --list shows]
    #[arg(long, value_name = "FAULT")]
    pub fault: Option<String>,
    /// List the faults that can be planted
    #[arg(long)]
    pub list: bool,
    /// Write the data set to DIR and leave it there [default: a temporary folder]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub keep: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use clap::CommandFactory;

    use super::*;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split_whitespace())
    }

    fn job(line: &str) -> JobArgs {
        match parse(line).unwrap().command {
            Command::Diagnose(diagnose) => diagnose.job,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_whole_recipe_can_be_given() {
        let job = job("nanprobe diagnose --data d --model vgg11 --classes cat,dog --loss bce --optimizer adamw --lr 1e-4 \
             --lr-group features.*=1e-5 --lr-group classifier=1e-3 --weight-decay 0 --batch-size 16 --no-shuffle \
             --image-size 64 --normalize 0.5/0.25 --trainable classifier,features.28 --init normal:0.01 --device cuda:1 \
             --seed 3 --budget 1m30s --samples 500 --output-activation sigmoid --outputs 1 --detach features");
        assert_eq!(job.classes, ["cat", "dog"]);
        assert_eq!(job.lr_group.len(), 2);
        assert_eq!(job.trainable.unwrap(), ["classifier", "features.28"]);
        assert_eq!(job.budget, Some(Duration::from_secs(90)));
        assert!(job.no_shuffle && !job.shuffle);
    }

    #[test]
    fn the_last_of_shuffle_and_no_shuffle_counts() {
        let job = job("nanprobe diagnose --no-shuffle --shuffle");
        assert!(job.shuffle && !job.no_shuffle);
    }

    #[test]
    fn a_wrong_value_names_the_flag_and_the_values_that_would_do() {
        for (line, says) in [
            ("nanprobe diagnose --loss cross-entrop", "cross-entropy"),
            ("nanprobe diagnose --optimizer lion", "rmsprop"),
            ("nanprobe diagnose --lr fast", "--lr"),
            ("nanprobe diagnose --lr -1", "--lr"),
            ("nanprobe diagnose --batch-size 0", "--batch-size"),
            ("nanprobe diagnose --normalize 0.5", "MEAN/STD"),
            ("nanprobe diagnose --init normal", "normal:STD"),
            ("nanprobe diagnose --budget soon", "90s"),
            ("nanprobe diagnose --device gpu", "cuda:N"),
            ("nanprobe diagnose --labels (", "regular expression"),
            ("nanprobe judge e.jsonl --fail-on note", "warning"),
        ] {
            let error = parse(line).unwrap_err().to_string();
            assert!(error.contains(says), "{line}\n{error}");
        }
    }

    #[test]
    fn every_flag_of_a_job_has_a_heading_and_names_its_default() {
        for name in ["diagnose", "measure", "judge"] {
            let command = Cli::command();
            let command = command.find_subcommand(name).unwrap();
            for arg in command.get_arguments().filter(|arg| !arg.is_positional() && !arg.is_hide_set()) {
                let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
                assert!(arg.get_help_heading().is_some(), "{name} {arg}");
                let says = help.contains("[default: ") || !arg.get_default_values().is_empty();
                let needless = ["data", "model", "all", "quiet"].contains(&arg.get_id().as_str());
                assert!(says || needless, "{name} {arg} says no default: {help}");
            }
        }
    }
}
