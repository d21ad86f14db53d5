//! What the user's training does: the part of a job that is not data.
//!
//! The recipe is what flags and `nanprobe.toml` describe, what the engine trains by, and evidence in
//! itself; remedies edit it.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

mod values;

pub use values::{Init, Normalize};

/// A text that names none of the accepted values.
#[derive(Debug, Error, PartialEq)]
#[error("unknown {what} `{given}`; use {accepted}")]
pub struct UnknownName {
    /// What was to be named, such as `loss`.
    pub what: &'static str,
    /// What was given.
    pub given: String,
    /// The accepted forms.
    pub accepted: &'static str,
}

fn unknown(what: &'static str, given: &str, accepted: &'static str) -> UnknownName {
    UnknownName { what, given: given.to_owned(), accepted }
}

/// An enum of plain names: parsing, display and serde all use the same spelling.
macro_rules! named {
    ($(#[$meta:meta])* $type:ident, $what:literal, { $($(#[$doc:meta])* $variant:ident = $name:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        pub enum $type { $($(#[$doc])* #[serde(rename = $name)] $variant),+ }

        impl $type {
            /// Every accepted name.
            pub const NAMES: &'static [&'static str] = &[$($name),+];

            /// The name a user writes.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.name())
            }
        }

        impl FromStr for $type {
            type Err = UnknownName;

            fn from_str(text: &str) -> Result<Self, UnknownName> {
                match text {
                    $($name => Ok(Self::$variant),)+
                    _ => Err(unknown($what, text, concat!($("`", $name, "` "),+))),
                }
            }
        }
    };
}

named! {
    /// The criterion, as torch.nn names it.
    Loss, "loss", {
        /// `nn.CrossEntropyLoss`: logits and class indices.
        CrossEntropy = "cross-entropy",
        /// `nn.NLLLoss`: log-probabilities and class indices.
        Nll = "nll",
        /// `nn.BCEWithLogitsLoss`: logits; one-hot targets, or 0/1 for a single output.
        BceWithLogits = "bce-with-logits",
        /// `nn.BCELoss`: probabilities; one-hot targets, or 0/1 for a single output.
        Bce = "bce",
        /// `nn.MSELoss`: against one-hot targets, or the class index for a single output.
        Mse = "mse",
        /// The criterion inside the exported model, which answers with its loss beside its logits.
        Exported = "exported",
    }
}

named! {
    /// The optimizer, as torch.optim names it.
    OptimizerKind, "optimizer", {
        /// `optim.SGD`.
        Sgd = "sgd",
        /// `optim.Adam`.
        Adam = "adam",
        /// `optim.AdamW`.
        AdamW = "adamw",
        /// `optim.RMSprop`.
        RmsProp = "rmsprop",
    }
}

named! {
    /// An activation that a model applies to its last layer's output.
    OutputActivation, "output activation", {
        /// `softmax(dim=1)`.
        Softmax = "softmax",
        /// `log_softmax(dim=1)`.
        LogSoftmax = "log-softmax",
        /// `sigmoid`.
        Sigmoid = "sigmoid",
        /// `relu`.
        Relu = "relu",
        /// `tanh`.
        Tanh = "tanh",
    }
}

named! {
    /// The mode a model is in, as torch names its two.
    Mode, "mode", {
        /// `model.train()`: batch norm uses the batch's statistics and keeps them, dropout drops.
        Train = "train",
        /// `model.eval()`: batch norm uses the kept statistics, nothing is dropped.
        Eval = "eval",
    }
}

impl Mode {
    /// The mode to train in, which evidence that says nothing of it means.
    fn of_training() -> Self {
        Self::Train
    }

    /// The mode to evaluate in.
    fn of_evaluation() -> Self {
        Self::Eval
    }
}

/// The learning rate of the parameters that a pattern matches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LrGroup {
    /// A pattern, in which `*` stands for any text; it also matches everything below the module that it names.
    pub pattern: String,
    /// Learning rate.
    pub lr: f64,
}

impl FromStr for LrGroup {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        text.rsplit_once('=')
            .and_then(|(pattern, lr)| Some(Self { pattern: pattern.trim().to_owned(), lr: lr.trim().parse().ok()? }))
            .filter(|group| !group.pattern.is_empty() && group.lr.is_finite() && group.lr >= 0.0)
            .ok_or_else(|| unknown("learning-rate group", text, "PATTERN=LR such as `features.*=1e-5`"))
    }
}

/// Whether a parameter's or module's dotted name matches a pattern, in which `*` stands for any text.
/// A pattern also matches everything below the module that it names.
pub fn matches(pattern: &str, name: &str) -> bool {
    fn glob(pattern: &[u8], text: &[u8]) -> bool {
        match pattern.split_first() {
            None => text.is_empty() || text[0] == b'.',
            Some((b'*', rest)) => (0..=text.len()).any(|skip| glob(rest, &text[skip..])),
            Some((c, rest)) => text.first() == Some(c) && glob(rest, &text[1..]),
        }
    }
    glob(pattern.as_bytes(), name.as_bytes())
}

/// The model of a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct ModelRecipe {
    /// An architecture's name, such as `resnet18`.
    pub name: String,
    /// A safetensors file or a state dict, with torchvision's key names.
    pub weights: Option<PathBuf>,
    /// First values of the parameters.
    pub init: Init,
    /// Width of the last layer where it is not the number of classes.
    pub outputs: Option<usize>,
    /// What the model applies to its last layer's output.
    pub output_activation: Option<OutputActivation>,
    /// Modules whose output is detached (`.detach()`, `torch.no_grad()`), as patterns.
    pub detach: Vec<String>,
    /// Momentum of every batch norm, the weight of a new batch, where it is not the architecture's own.
    pub batch_norm_momentum: Option<f64>,
    /// A file, as for `weights`, that the first values are compared with.
    pub reference: Option<PathBuf>,
}

impl ModelRecipe {
    /// The architecture as it is.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            weights: None,
            init: Init::Default,
            outputs: None,
            output_activation: None,
            detach: vec![],
            batch_norm_momentum: None,
            reference: None,
        }
    }
}

/// The optimizer of a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct OptimizerRecipe {
    /// Which optimizer.
    pub kind: OptimizerKind,
    /// Learning rate of parameters that no group names.
    pub lr: f64,
    /// Momentum (sgd, rmsprop).
    pub momentum: f64,
    /// Weight decay.
    pub weight_decay: f64,
    /// Learning rates of named parameters; the first match counts.
    pub groups: Vec<LrGroup>,
}

impl OptimizerRecipe {
    /// The learning rate of a parameter.
    pub fn lr_of(&self, parameter: &str) -> f64 {
        self.groups.iter().find(|group| matches(&group.pattern, parameter)).map_or(self.lr, |group| group.lr)
    }

    /// The same optimizer with every learning rate multiplied, so that groups keep their proportion.
    #[must_use]
    pub fn scaled(&self, factor: f64) -> Self {
        let mut scaled = self.clone();
        scaled.lr *= factor;
        scaled.groups.iter_mut().for_each(|group| group.lr *= factor);
        scaled
    }
}

/// What the user's training loop does around the model, where it may do otherwise than it should.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct LoopRecipe {
    /// Whether the loss's gradient reaches the parameters: `loss.backward()` is called, and on a loss that is not detached.
    pub backward: bool,
    /// Whether `optimizer.step()` is called.
    pub step: bool,
    /// Whether the gradients of earlier steps are cleared: `optimizer.zero_grad()`.
    pub clear_gradients: bool,
    /// Norm that the gradients together are clipped to; none where they are not clipped.
    pub clip_norm: Option<f64>,
    /// Factor of every learning rate from one step to the next, from a scheduler; 1 where it stays.
    pub lr_decay: f64,
}

impl Default for LoopRecipe {
    fn default() -> Self {
        Self { backward: true, step: true, clear_gradients: true, clip_norm: None, lr_decay: 1.0 }
    }
}

/// What the user's training does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Recipe {
    /// The model.
    pub model: ModelRecipe,
    /// The criterion.
    pub loss: Loss,
    /// The optimizer.
    pub optimizer: OptimizerRecipe,
    /// Samples per step.
    pub batch_size: usize,
    /// Whether the loader shuffles.
    pub shuffle: bool,
    /// Side of the square input in pixels.
    pub image_size: usize,
    /// How pixels become inputs.
    pub normalize: Normalize,
    /// Patterns of the parameters that train; none means that all do, an empty list that no one does.
    #[serde(default)]
    pub trainable: Option<Vec<String>>,
    /// The model's mode while it is trained.
    #[serde(default = "Mode::of_training")]
    pub training_mode: Mode,
    /// The model's mode while it is evaluated.
    #[serde(default = "Mode::of_evaluation")]
    pub evaluation_mode: Mode,
    /// What the loop around the model does; evidence that says nothing of it means a sound one.
    #[serde(default, rename = "loop")]
    pub loop_: LoopRecipe,
}

impl Recipe {
    /// Whether the recipe trains that parameter.
    pub fn trains(&self, parameter: &str) -> bool {
        self.trainable.as_ref().is_none_or(|patterns| patterns.iter().any(|pattern| matches(pattern, parameter)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_a_module_and_all_below_it() {
        assert!(matches("fc", "fc.weight"));
        assert!(matches("fc.*", "fc.weight"));
        assert!(!matches("fc", "fc2.weight"));
        assert!(matches("layer*.0", "layer3.0.conv1.weight"));
        assert!(matches("*", "anything.at.all"));
        assert!(!matches("layer1", "layer10.0.conv1.weight"));
    }

    #[test]
    fn texts_round_trip() {
        for text in ["imagenet", "unit", "none", "given", "standardize", "0.5/0.25"] {
            assert_eq!(text.parse::<Normalize>().unwrap().to_string(), text);
        }
        for text in ["default", "zeros", "normal:0.001", "uniform:0:0.1", "constant:0.5"] {
            assert_eq!(text.parse::<Init>().unwrap().to_string(), text);
        }
        for text in Loss::NAMES {
            assert_eq!(text.parse::<Loss>().unwrap().name(), *text);
        }
        assert!("0.5/0".parse::<Normalize>().is_err());
        assert!("normal:-1".parse::<Init>().is_err());
        assert!("features.*".parse::<LrGroup>().is_err());
    }

    #[test]
    fn a_loop_that_nothing_is_said_of_is_sound() {
        let one: LoopRecipe = serde_json::from_str("{\"clip-norm\": 0.001}").unwrap();
        assert_eq!(one, LoopRecipe { clip_norm: Some(0.001), ..LoopRecipe::default() });
        let written = serde_json::to_value(LoopRecipe::default()).unwrap();
        let whole = serde_json::json!({"backward": true, "step": true, "clear-gradients": true, "clip-norm": null, "lr-decay": 1.0});
        assert_eq!(written, whole, "what is right is written too");
        assert!(serde_json::from_str::<LoopRecipe>("{\"clear_gradients\": false}").is_err());
    }

    #[test]
    fn the_first_matching_group_sets_the_learning_rate() {
        let optimizer = OptimizerRecipe {
            kind: OptimizerKind::Sgd,
            lr: 0.1,
            momentum: 0.9,
            weight_decay: 0.0,
            groups: vec!["features.*=1e-5".parse().unwrap(), "*=1".parse().unwrap()],
        };
        assert_eq!(optimizer.lr_of("features.0.weight"), 1e-5);
        assert_eq!(optimizer.lr_of("classifier.6.weight"), 1.0);
        assert_eq!(optimizer.scaled(10.0).lr_of("features.0.weight"), 1e-4);
    }
}
