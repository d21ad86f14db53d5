//! The user's samples: from a path to the pixels and labels of a probe subset.
//!
//! [`Listing::open`] recognises what a path holds, each form in a file of its own ([`SourceKind`]), and lists its samples with
//! their labels, in the order in which an unshuffled PyTorch `DataLoader` would give them; nothing is decoded. [`companion`] finds the held-out samples
//! that belong to it. [`subset`] draws a stratified sample of both and decodes only that, in parallel,
//! to the pixels that torchvision's `pil_loader`, `Resize` and `CenterCrop` would give.
//! [`batch_labels`], [`class_counts`] and [`label_names`] are the measurements that need no training.

use std::path::PathBuf;

mod arrays;
mod batch_labels;
mod cifar;
mod class_counts;
mod classes;
mod companion;
mod decode;
mod error;
mod folder;
mod idx;
mod kind;
mod label_names;
mod label_values;
mod listing;
mod manifest;
mod names;
mod naming;
mod palette_tiff;
mod pixels;
mod recognise;
mod resize;
mod shards;
mod split;
mod subset;
mod tensors;
#[cfg(test)]
mod testing;
mod walk;
mod words;

pub use batch_labels::batch_labels;
pub use class_counts::class_counts;
pub use companion::companion;
pub use error::DataError;
pub use folder::HELD_OUT;
pub use kind::SourceKind;
pub use label_names::label_names;
pub use listing::Listing;
pub use subset::{Rows, Subset, SubsetOptions, subset};
pub use tensors::Layout;

/// What the user said about the data.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DataOptions {
    /// `--data`: a folder or a file of one of the forms in [`SourceKind`].
    pub path: PathBuf,
    /// `--val`: the same, for the held-out samples.
    pub val: Option<PathBuf>,
    /// `--classes`: the classes to keep, in the order of their labels; empty keeps all.
    pub classes: Vec<String>,
    /// `--labels`: a pattern that finds the label in a file's path below the folder.
    pub labels: Option<String>,
    /// `--format-hint`: the form, where it is not to be recognised.
    pub format_hint: Option<SourceKind>,
}
