//! The forms in which data is read.

use std::fmt;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// What a path was recognised as, or is to be read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum SourceKind {
    /// A folder of class folders, as torchvision's `ImageFolder` reads
    ImageFolder,
    /// Files whose names or paths hold the label
    FlatFiles,
    /// A CSV or JSONL file that lists image files with their labels
    Manifest,
    /// MNIST's format: one file of images, one of labels
    Idx,
    /// CIFAR-10 or CIFAR-100, the binary version
    Cifar,
    /// NumPy arrays: an .npz file, or .npy files
    Arrays,
    /// `WebDataset`: tar files in which a sample's members share a name
    #[value(name = "webdataset")]
    #[serde(rename = "webdataset")]
    WebDataset,
    /// Batches in a safetensors file
    #[value(name = "batches")]
    #[serde(rename = "batches")]
    Tensors,
}

impl SourceKind {
    /// Every name that `--format-hint` takes.
    pub const NAMES: &'static [&'static str] =
        &["image-folder", "flat-files", "manifest", "idx", "cifar", "arrays", "webdataset", "batches"];
}

impl fmt::Display for SourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::ImageFolder => "image folder",
            Self::FlatFiles => "flat files",
            Self::Manifest => "manifest",
            Self::Idx => "IDX",
            Self::Cifar => "CIFAR binary",
            Self::Arrays => "NumPy arrays",
            Self::WebDataset => "WebDataset",
            Self::Tensors => "batches",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_those_that_the_flag_and_the_settings_take() {
        let of_flag: Vec<_> = SourceKind::value_variants().iter().filter_map(ValueEnum::to_possible_value).collect();
        assert_eq!(of_flag.iter().map(clap::builder::PossibleValue::get_name).collect::<Vec<_>>(), SourceKind::NAMES);
        for (kind, name) in SourceKind::value_variants().iter().zip(SourceKind::NAMES) {
            assert_eq!(serde_json::to_value(kind).unwrap(), *name);
        }
    }
}
