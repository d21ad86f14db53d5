//! The flags that describe a training: where its data is, what model, what recipe.
//!
//! [`JobArgs`] doubles as the form into which `nanprobe.toml` is read, so a flag and a key are the same
//! thing with the same name; [`crate::config`] lays one over the other and fills in the defaults.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueHint};
use nanprobe_checks::recipe::{Init, LoopRecipe, Loss, LrGroup, Mode, Normalize, OptimizerKind, OutputActivation};

use crate::config::value;
use crate::data::SourceKind;

/// The training to look into. All optional: `nanprobe.toml` may say it, or a default may.
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own on the command line")]
#[derive(Clone, Debug, Default, Args)]
pub struct JobArgs {
    /// Training data: an image folder (one folder a class), image files with the class in their name, a CSV or JSONL file that lists
    /// images, MNIST's IDX or CIFAR's binary files, WebDataset tar files, NumPy arrays, or batches of any inputs in a safetensors file
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
    /// Form of the data, where it is taken for another: image-folder, flat-files, manifest, idx, cifar, arrays, webdataset or batches
    /// [default: by what is there]
    #[arg(long, value_name = "NAME", hide_possible_values = true, help_heading = "Data")]
    pub format_hint: Option<SourceKind>,
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

/// Parses one of the names of a recipe's enum; clap lists them in the help and suggests the nearest.
fn named<T>(names: &'static [&'static str]) -> impl TypedValueParser<Value = T>
where
    T: FromStr<Err = nanprobe_checks::recipe::UnknownName> + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(names).try_map(|name| name.parse())
}
