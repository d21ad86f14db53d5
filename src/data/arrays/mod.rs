//! NumPy arrays: an `.npz` file, or `.npy` files in one folder, one array of inputs and one of targets.
//!
//! Arrays of bytes with the shape of pictures are pictures; others are what the network receives, as in a file of batches
//! ([`tensors`](super::tensors)).

use std::collections::HashSet;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use safetensors::Dtype;

use super::error::DataError;
use super::kind::SourceKind;
use super::label_values::LabelValues;
use super::listing::Listing;
use super::pixels::{Picture, Pixels};
use super::recognise::{Part, files_ending};
use super::tensors::{self, Layout};
use crate::archive::{Archive, ArchiveError};

mod npy;
#[cfg(test)]
mod tests;

use npy::{Array, Values};

/// More than this is not held in memory.
const MAX_BYTES: u64 = 4 << 30;
/// Names of inputs and targets that are trained on, in lower case, the likeliest first; the last is `np.savez` without names.
const TRAINING: [(&str, &str); 15] = [
    ("x_train", "y_train"),
    ("train_x", "train_y"),
    ("train_images", "train_labels"),
    ("train_data", "train_labels"),
    ("x", "y"),
    ("images", "labels"),
    ("data", "labels"),
    ("data", "targets"),
    ("data", "target"),
    ("inputs", "targets"),
    ("inputs", "labels"),
    ("features", "labels"),
    ("features", "targets"),
    ("image", "label"),
    ("arr_0", "arr_1"),
];
/// Names of those that are held out.
const HELD_OUT: [(&str, &str); 10] = [
    ("x_val", "y_val"),
    ("x_valid", "y_valid"),
    ("val_x", "val_y"),
    ("val_images", "val_labels"),
    ("val_data", "val_labels"),
    ("x_test", "y_test"),
    ("test_x", "test_y"),
    ("test_images", "test_labels"),
    ("test_data", "test_labels"),
    ("arr_2", "arr_3"),
];

/// Whether a file that begins so is an array.
pub(super) fn is_array(begin: &[u8]) -> bool {
    begin.starts_with(npy::MAGIC)
}

/// Whether a folder holds arrays by the usual names, or one file of arrays.
pub(super) fn in_folder(folder: &Path) -> bool {
    Store::open(folder).is_ok_and(|store| store.pair(Part::Training).is_ok() || matches!(store, Store::Zip(..)))
}

/// Lists the samples of a part.
pub(super) fn open(path: &Path, part: Part) -> Result<Listing, DataError> {
    read(path, part).map_err(|problem| DataError::Form { path: path.to_owned(), form: "NumPy arrays", problem })
}

/// Where arrays are found by name.
enum Store {
    /// An `.npz` file, and its name.
    Zip(Box<Archive>, String),
    /// A folder, and the `.npy` files in it; the one that was named, if one was.
    Folder(Vec<PathBuf>, Option<String>),
}

impl Store {
    fn open(path: &Path) -> Result<Self, String> {
        let zip = |path: &Path| {
            let archive = Archive::open_compressed(path, MAX_BYTES).map_err(|error| in_words(&error))?;
            Ok(Self::Zip(Box::new(archive), path.file_name().unwrap_or_default().to_string_lossy().into_owned()))
        };
        if !path.is_dir() {
            let is_array = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("npy"));
            let beside = || files_ending(path.parent().unwrap_or(Path::new("")), &["npy"]);
            return if is_array { Ok(Self::Folder(beside(), Some(stem(path)))) } else { zip(path) };
        }
        let arrays = files_ending(path, &["npy"]);
        match files_ending(path, &["npz"])[..] {
            [ref only] if arrays.is_empty() => zip(only),
            _ if arrays.is_empty() => Err("it has no .npy files, and not one .npz file; give the path of the one".to_owned()),
            _ => Ok(Self::Folder(arrays, None)),
        }
    }

    fn names(&self) -> Vec<String> {
        match self {
            Self::Zip(archive, _) => archive.names().filter_map(|name| name.strip_suffix(".npy")).map(str::to_owned).collect(),
            Self::Folder(files, _) => files.iter().map(|file| stem(file)).collect(),
        }
    }

    /// The inputs and the targets of a part, as they are named here.
    fn pair(&self, part: Part) -> Result<(String, String), String> {
        let names = self.names();
        let called = |wanted: &str| names.iter().find(|name| name.eq_ignore_ascii_case(wanted)).cloned();
        let of = |pairs: &[(&str, &str)]| pairs.iter().find_map(|(inputs, targets)| called(inputs).zip(called(targets)));
        let found = match (self, part) {
            (Self::Folder(_, Some(one)), Part::Training) => {
                let is_one = |(inputs, _): &&(&str, &str)| one.eq_ignore_ascii_case(inputs);
                TRAINING.iter().chain(&HELD_OUT).filter(is_one).find_map(|pair| of(&[*pair]))
            }
            (_, Part::Training) => of(&TRAINING).or_else(|| of(&HELD_OUT)),
            (_, Part::HeldOut) => of(&TRAINING).and_then(|_| of(&HELD_OUT)),
        };
        let is_targets = |one: &String| TRAINING.iter().chain(&HELD_OUT).any(|(_, targets)| one.eq_ignore_ascii_case(targets));
        if let Self::Folder(_, Some(one)) = self
            && is_targets(one)
        {
            return Err("these are the targets; give the file of inputs beside it, or the folder".to_owned());
        }
        found.ok_or_else(|| {
            let has = if names.is_empty() { "none".to_owned() } else { format!("`{}`", names.join("`, `")) };
            format!("its arrays ({has}) are not inputs and targets by the usual names; save them so: np.savez(\"data.npz\", x_train=x, y_train=y)")
        })
    }

    fn array(&mut self, name: &str) -> Result<Array, String> {
        let content = match self {
            Self::Zip(archive, _) => {
                archive.bytes(&format!("{name}.npy"), MAX_BYTES).map_err(|error| in_words(&error))?.unwrap_or_default()
            }
            Self::Folder(files, _) => {
                let file = files.iter().find(|file| stem(file) == name).ok_or_else(|| format!("`{name}.npy` is not there"))?;
                let mut content = Vec::new();
                let read = File::open(file).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut content));
                read.map_err(|error| format!("`{name}`: {error}"))?;
                content
            }
        };
        if content.len() as u64 > MAX_BYTES {
            return Err(format!("`{name}` has more than the {MAX_BYTES} bytes that are read; keep a few thousand samples"));
        }
        Array::read(content).map_err(|problem| format!("`{name}`: {problem}"))
    }

    /// Where an array is, for a message.
    fn place(&self, name: &str) -> String {
        match self {
            Self::Zip(_, file) => format!("`{name}` of `{file}`"),
            Self::Folder(..) => format!("`{name}.npy`"),
        }
    }
}

/// What is wrong with an archive, without its path.
fn in_words(error: &ArchiveError) -> String {
    match error {
        ArchiveError::Read { source, .. } => source.to_string(),
        ArchiveError::Damaged { problem, .. } => format!("it is no zip archive, or a damaged one ({problem}); write it again"),
        ArchiveError::Content { problem, .. } => problem.clone(),
    }
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

fn read(path: &Path, part: Part) -> Result<Listing, String> {
    let mut store = Store::open(path)?;
    let (inputs_name, targets_name) = store.pair(part)?;
    let targets = store.array(&targets_name)?;
    let (classes, labels) = classes(targets, &targets_name)?;
    let inputs = store.array(&inputs_name)?;
    if inputs.len() != labels.len() {
        let shape = &inputs.shape;
        return Err(format!(
            "`{inputs_name}` has shape {shape:?} beside {} of `{targets_name}`; the first dimension counts samples",
            labels.len()
        ));
    }
    if labels.is_empty() || inputs.shape.contains(&0) {
        return Err(format!("`{inputs_name}` has shape {:?}, so that there is nothing to train on", inputs.shape));
    }
    let mut source = path.to_owned();
    if part == Part::HeldOut {
        source.as_mut_os_string().push(format!(":{inputs_name}"));
    }
    let place = store.place(&targets_name);
    let (picture, form) = picture(&inputs);
    let rule = format!("array {place}; inputs from `{inputs_name}`, {form}");
    if let Some(picture) = picture {
        let name = source.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let pixels = Pixels::new(vec![(name, 0)], picture, inputs.content, inputs.start);
        return Ok(Listing::of_pixels(&source, SourceKind::Arrays, rule, classes, labels, pixels));
    }
    let (inputs, dtype) = as_tensor(inputs).map_err(|problem| format!("`{inputs_name}`: {problem}"))?;
    let layout = Layout { dtype, shape: inputs.shape[1..].to_vec() };
    let mut listing = tensors::of_array(&source, (layout, inputs.start), inputs.content, classes, &labels, rule);
    listing.kind = SourceKind::Arrays;
    Ok(listing)
}

/// How bytes are pictures, and in words what the inputs are.
fn picture(inputs: &Array) -> (Option<Picture>, String) {
    let shape = inputs.shape.iter().skip(1).map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let of = |height, width, channels, planar, letters| {
        let (picture, text) = (Picture { height, width, channels, planar }, format!("uint8 {letters}, pictures of {height} x {width}"));
        (Some(picture), text)
    };
    if inputs.values != Values::Numbers(Dtype::U8) {
        return (None, format!("[N, {shape}] as the network receives them").replace("[N, ]", "[N]"));
    }
    match inputs.shape[1..] {
        [height, width] => of(height, width, 1, true, "[N, H, W]"),
        [height, width, channels @ (1 | 3 | 4)] => of(height, width, channels, false, "[N, H, W, C]"),
        [channels @ (1 | 3), height, width] => of(height, width, channels, true, "[N, C, H, W]"),
        _ => (None, format!("uint8 [N, {shape}], read as floats").replace("[N, ]", "[N]")),
    }
}

/// Inputs as a network takes them. Bytes in no picture's shape are quantities, not token ids.
fn as_tensor(inputs: Array) -> Result<(Array, Dtype), String> {
    let inputs = match inputs.values {
        Values::Numbers(Dtype::U8) => inputs.converted(Dtype::F32, |[byte]: [u8; 1]| f32::from(byte).to_le_bytes()),
        Values::Numbers(Dtype::U16) => inputs.converted(Dtype::F32, |bytes| f32::from(u16::from_le_bytes(bytes)).to_le_bytes()),
        Values::Numbers(Dtype::U32) => inputs.converted(Dtype::I64, |bytes| i64::from(u32::from_le_bytes(bytes)).to_le_bytes()),
        _ => inputs,
    };
    match inputs.values {
        Values::Numbers(Dtype::U64) => Err("its values are of type uint64; save x.astype(np.int64)".to_owned()),
        Values::Numbers(dtype) => Ok((inputs, dtype)),
        Values::Unicode(_) | Values::Bytes(_) => Err("it is text; save what the network receives, such as token ids".to_owned()),
    }
}

/// The classes, and each sample's, from class indices, one-hot rows or names.
fn classes(targets: Array, name: &str) -> Result<(Vec<String>, Vec<u32>), String> {
    let in_name = |problem: String| format!("`{name}`: {problem}");
    if let Some(texts) = targets.texts() {
        if targets.shape[..] != [texts.len()] && targets.shape[..] != [texts.len(), 1] {
            return Err(format!("`{name}` has shape {:?}; one class for each sample is read", targets.shape));
        }
        let mut values = LabelValues::default();
        texts.iter().try_for_each(|text| values.push(text)).map_err(in_name)?;
        return values.classes().map_err(in_name);
    }
    let targets = match targets.values {
        Values::Numbers(Dtype::U16) => targets.converted(Dtype::I64, |bytes| i64::from(u16::from_le_bytes(bytes)).to_le_bytes()),
        Values::Numbers(Dtype::U32) => targets.converted(Dtype::I64, |bytes| i64::from(u32::from_le_bytes(bytes)).to_le_bytes()),
        Values::Numbers(Dtype::U64) => targets.converted(Dtype::I64, |bytes| u64::from_le_bytes(bytes).cast_signed().to_le_bytes()),
        _ => targets,
    };
    let Values::Numbers(dtype) = targets.values else { return Err(in_name("it is no array of numbers".to_owned())) };
    if let [_, width] = targets.shape[..]
        && width > 1
    {
        let size = (dtype.bitsize() / 8).max(1);
        let named = |row: &[u8]| row.chunks(size).filter(|value| value.iter().any(|byte| *byte != 0)).count();
        if let Some((sample, count)) = targets.bytes().chunks(width * size).map(named).enumerate().find(|(_, count)| *count != 1) {
            return Err(format!("`{name}` names {count} classes at sample {sample}; one class for each sample is read"));
        }
    }
    let labels = tensors::class_indices(dtype, &targets.shape, targets.bytes(), name)?;
    let count = labels.iter().max().map_or(0, |&last| last as usize + 1);
    // So that a mistaken column of ids is no list of a hundred thousand classes.
    let distinct = labels.iter().collect::<HashSet<_>>().len();
    if labels.len() >= 50 && distinct * 2 > labels.len() {
        return Err(format!("`{name}` has {distinct} different values for {} samples; a class needs several samples", labels.len()));
    }
    Ok(((0..count).map(|class| class.to_string()).collect(), labels))
}
