//! What a network is given at first: its inputs out of raw values, and its parameters.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{UnknownName, unknown};

/// How pixels become inputs. Raw pixels are 0..255.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Normalize {
    /// ImageNet's channel means and deviations, after division by 255 (torchvision's fine-tuning recipe).
    Imagenet,
    /// Division by 255, as `ToTensor()` alone.
    Unit,
    /// Raw pixels, 0 to 255.
    None,
    /// As a batch file has them: what the user's loader gave.
    Given,
    /// Zero mean and unit deviation of each channel or feature, measured on the training samples.
    Standardize,
    /// `(x/255 - mean) / std`, the same for every channel.
    MeanStd {
        /// Subtracted after division by 255.
        mean: f64,
        /// The divisor.
        std: f64,
    },
}

impl Normalize {
    /// Scale and shift of `channels` channels: input = pixel * scale + shift.
    pub fn affine(self, channels: usize) -> Vec<(f64, f64)> {
        const IMAGENET: [(f64, f64); 3] = [(0.485, 0.229), (0.456, 0.224), (0.406, 0.225)];
        let from = |mean: f64, std: f64| (1.0 / (255.0 * std), -mean / std);
        (0..channels)
            .map(|c| match self {
                Self::Imagenet if channels == 3 => from(IMAGENET[c].0, IMAGENET[c].1),
                Self::Imagenet => from(0.449, 0.226), // the mean of the three, as for grey images
                Self::Unit => (1.0 / 255.0, 0.0),
                Self::None | Self::Given | Self::Standardize => (1.0, 0.0),
                Self::MeanStd { mean, std } => from(mean, std),
            })
            .collect()
    }
}

impl fmt::Display for Normalize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Imagenet => f.write_str("imagenet"),
            Self::Unit => f.write_str("unit"),
            Self::None => f.write_str("none"),
            Self::Given => f.write_str("given"),
            Self::Standardize => f.write_str("standardize"),
            Self::MeanStd { mean, std } => write!(f, "{mean}/{std}"),
        }
    }
}

impl FromStr for Normalize {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        let numbers = || {
            let (mean, std) = text.split_once('/')?;
            let (mean, std): (f64, f64) = (mean.trim().parse().ok()?, std.trim().parse().ok()?);
            (mean.is_finite() && std.is_finite() && std > 0.0).then_some(Self::MeanStd { mean, std })
        };
        match text {
            "imagenet" => Ok(Self::Imagenet),
            "unit" => Ok(Self::Unit),
            "none" => Ok(Self::None),
            "given" => Ok(Self::Given),
            "standardize" => Ok(Self::Standardize),
            _ => numbers().ok_or_else(|| {
                unknown("normalisation", text, "`imagenet`, `unit`, `none`, `given`, `standardize` or MEAN/STD such as `0.5/0.5`")
            }),
        }
    }
}

/// Where the parameters' first values come from.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Init {
    /// The architecture's own (torchvision's) initialisation; a weights file then replaces what it holds.
    Default,
    /// Every weight of a linear or convolution layer zero, biases too.
    Zeros,
    /// Those weights drawn from N(0, std^2), biases zero.
    Normal {
        /// Standard deviation.
        std: f64,
    },
    /// Those weights drawn from U(low, high), biases zero.
    Uniform {
        /// Lower end.
        low: f64,
        /// Upper end.
        high: f64,
    },
    /// Every such weight the same number, biases zero.
    Constant {
        /// The number.
        value: f64,
    },
}

impl fmt::Display for Init {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Zeros => f.write_str("zeros"),
            Self::Normal { std } => write!(f, "normal:{std}"),
            Self::Uniform { low, high } => write!(f, "uniform:{low}:{high}"),
            Self::Constant { value } => write!(f, "constant:{value}"),
        }
    }
}

impl FromStr for Init {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        let parts: Vec<&str> = text.split(':').collect();
        let number = |i: usize| parts[i].parse::<f64>().ok().filter(|x| x.is_finite());
        let parsed = match parts[..] {
            ["default"] => Some(Self::Default),
            ["zeros"] => Some(Self::Zeros),
            ["normal", _] => number(1).filter(|std| *std >= 0.0).map(|std| Self::Normal { std }),
            ["uniform", _, _] => number(1).zip(number(2)).filter(|(l, h)| l <= h).map(|(low, high)| Self::Uniform { low, high }),
            ["constant", _] => number(1).map(|value| Self::Constant { value }),
            _ => None,
        };
        parsed.ok_or_else(|| unknown("init", text, "`default`, `zeros`, `normal:STD`, `uniform:LOW:HIGH` or `constant:VALUE`"))
    }
}
