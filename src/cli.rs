//! The command line: what can be asked, in the user's words. Nothing is decided here.
//!
//! [`JobArgs`] doubles as the form into which `nanprobe.toml` is read, so a flag and a key are the same
//! thing with the same name; [`crate::config`] lays one over the other and fills in the defaults.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use nanprobe_checks::recipe::{Init, LoopRecipe, Loss, LrGroup, Mode, Normalize, OptimizerKind, OutputActivation};

use crate::config::value;
use crate::exit::FailOn;

const AFTER_HELP: &str = "\
Examples:
  nanprobe diagnose --data ./train --model resnet18
  nanprobe diagnose --data ./train --model model.pt2
  nanprobe diagnose --script train.py
  nanprobe diagnose --data ./train --model alexnet --optimizer adam --lr 1e-3 --normalize none
  nanprobe measure --data ./train --model resnet18 > evidence.jsonl && nanprobe judge evidence.jsonl
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
    /// List every check
    Checks,
    /// Explain a check: what it looks for, why it matters, what to do, and its limits
    Explain(Explain),
    /// Show what is in a model that torch.export wrote, and whether it can be trained
    Model(Model),
    /// Plant a fault in a small data set and diagnose it
    Demo(Demo),
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

/// The training to look into. All optional: `nanprobe.toml` may say it, or a default may.
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own on the command line")]
#[derive(Clone, Debug, Default, Args)]
pub struct JobArgs {
    /// Training data: an image folder (one folder a class), image files with the class in their name, a
    /// folder with MNIST's IDX files, or batches of any inputs in a safetensors file
    #[arg(long, visible_alias = "batches", value_name = "PATH", value_hint = ValueHint::AnyPath, help_heading = "Data")]
    pub data: Option<PathBuf>,
    /// Held-out data, in the same form [default: a stratified share of --data]
    #[arg(long, value_name = "PATH", value_hint = ValueHint::AnyPath, help_heading = "Data")]
    pub val: Option<PathBuf>,
    /// Only these classes [default: all]
    #[arg(long, value_name = "A,B", value_delimiter = ',', help_heading = "Data")]
    pub classes: Vec<String>,
    /// How a file's path gives its label: its first group [default: the folder, or what differs between names]
    #[arg(long, value_name = "REGEX", value_parser = value::pattern_text, help_heading = "Data")]
    pub labels: Option<String>,
    /// Training samples to probe with, drawn evenly over the classes; 400 more are held out [default: 1000]
    #[arg(long, value_name = "N", value_parser = value::samples_text, help_heading = "Data")]
    pub samples: Option<usize>,

    /// Your own model, exported to a .pt2 file; or an architecture: resnet18, resnet34, resnet50, alexnet, vgg11, vgg16_bn, mobilenet_v2,
    /// mobilenet_v3_small, densenet121, squeezenet1_1, efficientnet_b0, convnext_tiny, shufflenet_v2_x1_0, regnet_y_400mf, googlenet, vit_b_16,
    /// swin_t, lenet, small-cnn, small-cnn-bn, mlp or sigmoid-mlp
    #[arg(long, value_name = "FILE|NAME", help_heading = "Model")]
    pub model: Option<String>,
    /// Weights to start from: a state dict or checkpoint (.pth, .pt) or safetensors, with torchvision's names for a built-in model; a head of
    /// another size stays fresh [default: none]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Model")]
    pub weights: Option<PathBuf>,
    /// Width of the last layer [default: the number of classes]
    #[arg(long, value_name = "N", help_heading = "Model")]
    pub outputs: Option<NonZeroUsize>,
    /// What your model applies to its last layer's output [default: nothing]
    #[arg(long, value_name = "NAME", value_parser = named::<OutputActivation>(OutputActivation::NAMES), help_heading = "Model")]
    pub output_activation: Option<OutputActivation>,
    /// Modules whose output your model detaches (.detach(), no_grad()), such as `layer4` [default: none]
    #[arg(long, value_name = "PATTERN", value_delimiter = ',', help_heading = "Model")]
    pub detach: Vec<String>,
    /// Initialisation: default (torchvision's), zeros, normal:STD, uniform:LOW:HIGH or constant:VALUE [default: default]
    #[arg(long, value_name = "INIT", help_heading = "Model")]
    pub init: Option<Init>,

    /// Momentum of every batch norm: PyTorch's, the weight of the newest batch [default: the architecture's, 0.1]
    #[arg(long, value_name = "M", value_parser = value::share_text, help_heading = "Model")]
    pub batch_norm_momentum: Option<f64>,
    /// Compare the first values with these, such as the pretrained weights you meant to load; .pth, .pt or safetensors [default: none]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Model")]
    pub reference: Option<PathBuf>,

    /// Criterion; `exported` is the one inside your model [default: the model's own, else cross-entropy]
    #[arg(long, value_name = "NAME", value_parser = named::<Loss>(Loss::NAMES), help_heading = "Training")]
    pub loss: Option<Loss>,
    /// Optimizer [default: sgd]
    #[arg(long, value_name = "NAME", value_parser = named::<OptimizerKind>(OptimizerKind::NAMES), help_heading = "Training")]
    pub optimizer: Option<OptimizerKind>,
    /// Learning rate [default: sgd 0.01, others 0.001; with --weights sgd and rmsprop 0.001, adam and adamw 0.0001]
    #[arg(long, value_name = "LR", value_parser = value::rate_text, allow_negative_numbers = true, help_heading = "Training")]
    pub lr: Option<f64>,
    /// Learning rate of the parameters a pattern matches, such as 'features.*=1e-5'; repeatable, the first match
    /// counts [default: none]
    #[arg(long, value_name = "PATTERN=LR", help_heading = "Training")]
    pub lr_group: Vec<LrGroup>,
    /// Momentum of sgd and rmsprop [default: sgd 0.9, rmsprop 0]
    #[arg(long, value_name = "M", value_parser = value::rate_text, allow_negative_numbers = true, help_heading = "Training")]
    pub momentum: Option<f64>,
    /// Weight decay [default: adamw 0.01, others 0]
    #[arg(long, value_name = "WD", value_parser = value::rate_text, allow_negative_numbers = true, help_heading = "Training")]
    pub weight_decay: Option<f64>,
    /// Samples per step [default: 32]
    #[arg(long, value_name = "N", help_heading = "Training")]
    pub batch_size: Option<NonZeroUsize>,
    /// Your loader does not shuffle: samples come as listed, class by class [default: shuffled]
    #[arg(long, help_heading = "Training", overrides_with = "shuffle")]
    pub no_shuffle: bool,
    /// Your loader shuffles; for a nanprobe.toml that says otherwise
    #[arg(long, hide = true, overrides_with = "no_shuffle")]
    pub shuffle: bool,
    /// Side of the square input in pixels [default: 224 for torchvision's, lenet and small-cnn 32, mlp 28]
    #[arg(long, value_name = "PX", help_heading = "Training")]
    pub image_size: Option<NonZeroUsize>,
    /// Pixels to inputs: imagenet, unit (0..1), none (raw 0..255), MEAN/STD, given (as a batch file has them) or standardize (by the
    /// training samples) [default: imagenet for torchvision's, given for batches, else 0.5/0.5]
    #[arg(long, value_name = "HOW", help_heading = "Training")]
    pub normalize: Option<Normalize>,
    /// Parameters that train, such as 'fc.*'; the rest is frozen; repeatable [default: all]
    #[arg(long, value_name = "PATTERN", value_delimiter = ',', help_heading = "Training")]
    pub trainable: Option<Vec<String>>,
    /// Mode your model is in while you train it: train or eval [default: train]
    #[arg(long, value_name = "MODE", value_parser = named::<Mode>(Mode::NAMES), help_heading = "Training")]
    pub training_mode: Option<Mode>,
    /// Mode your model is in while you evaluate it: train or eval [default: eval]
    #[arg(long, value_name = "MODE", value_parser = named::<Mode>(Mode::NAMES), help_heading = "Training")]
    pub evaluation_mode: Option<Mode>,
    /// What the loop does otherwise than it should. No flag: `[train.loop]` in nanprobe.toml, which the Python package writes.
    #[arg(skip)]
    pub training_loop: LoopRecipe,

    /// Where to train: auto (cuda if there is one), cpu, cuda or cuda:N [default: auto]
    #[arg(long, value_name = "DEVICE", value_parser = value::device_text, help_heading = "Run")]
    pub device: Option<String>,
    /// What all randomness follows from [default: 0]
    #[arg(long, value_name = "N", help_heading = "Run")]
    pub seed: Option<u64>,
    /// Time allowed, such as 90s or 2m [default: 2m; 30s with --quick, 10m with --thorough]
    #[arg(long, value_name = "TIME", value_parser = value::duration_text, help_heading = "Run")]
    pub budget: Option<Duration>,
    /// 30 seconds and two seeds: enough for a cause that stops training outright [default: off]
    #[arg(long, conflicts_with = "thorough", help_heading = "Run")]
    pub quick: bool,
    /// 10 minutes, and up to 16 seeds where fewer do not decide [default: off]
    #[arg(long, help_heading = "Run")]
    pub thorough: bool,
    /// Read this nanprobe.toml [default: the nearest one upwards]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Run")]
    pub config: Option<PathBuf>,
}

/// How to report.
#[derive(Clone, Debug, Default, Args)]
pub struct ReportArgs {
    /// Form of the report: table (for people) or json (for programs; versioned) [default: table]
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
    /// For programs; versioned
    Json,
}

/// Parses one of the names of a recipe's enum; clap lists them in the help and suggests the nearest.
fn named<T>(names: &'static [&'static str]) -> impl TypedValueParser<Value = T>
where
    T: FromStr<Err = nanprobe_checks::recipe::UnknownName> + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(names).try_map(|name| name.parse())
}

#[cfg(test)]
mod tests {
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
