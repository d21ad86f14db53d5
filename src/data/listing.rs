//! A source's samples, listed and not yet decoded.

use std::fmt;
use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nanprobe_checks::evidence::FileError;

use super::decode::{Channels, Raster};
use super::error::DataError;
use super::idx::{self, IdxImages};
use super::naming::{Naming, slashed};
use super::tensors::{self, Layout, TensorFile};
use super::{DataOptions, classes, decode, folder, resize};

/// A larger file is not read into memory as an image.
const MAX_FILE_BYTES: u64 = 1 << 30;

/// What a path was recognised as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceKind {
    /// A folder of class folders, as torchvision's `ImageFolder` reads.
    ImageFolder,
    /// Files whose names or paths hold the label.
    FlatFiles,
    /// MNIST's format: one file of images, one of labels.
    Idx,
    /// Batches in a safetensors file.
    Tensors,
}

impl fmt::Display for SourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::ImageFolder => "image folder",
            Self::FlatFiles => "flat files",
            Self::Idx => "IDX",
            Self::Tensors => "batches",
        })
    }
}

/// The samples of a source with their labels, in the order in which an unshuffled PyTorch `DataLoader`
/// would give them: class by class for an image folder, by name for flat files, as stored for IDX.
#[derive(Debug)]
pub struct Listing {
    /// The folder that [`path_of`](Self::path_of) is relative to.
    pub root: PathBuf,
    /// What the path was recognised as.
    pub kind: SourceKind,
    /// How a sample's label is found, in words.
    pub rule: String,
    /// Class names; the position is the label.
    pub classes: Vec<String>,
    /// The samples' labels.
    pub labels: Vec<u32>,
    /// Whether every sample is known to be grey.
    pub grey: bool,
    /// Whether the labels come from the files' own names.
    pub(super) labels_in_names: bool,
    /// The rule by which they do.
    pub(super) naming: Option<Naming>,
    storage: Storage,
}

/// Where the samples are, one entry a label.
#[derive(Debug)]
enum Storage {
    /// Paths below the root.
    Files(Vec<PathBuf>),
    /// Positions in an IDX file.
    Idx(Arc<IdxImages>, Vec<u32>),
    /// Positions in a part of a file of tensors.
    Tensors(Arc<TensorFile>, &'static str, Vec<u32>),
}

impl Listing {
    /// Recognises and lists what is at `path`, keeping the classes chosen in `options`. Decodes nothing.
    ///
    /// The pattern in `options.labels` applies to it; `options.path` and `options.val` are not read.
    pub fn open(path: &Path, options: &DataOptions) -> Result<Self, DataError> {
        let listing = Self::recognise(path, options.labels.as_deref())?;
        classes::narrow(listing, &options.classes, classes::Absent::Error)
    }

    fn recognise(path: &Path, pattern: Option<&str>) -> Result<Self, DataError> {
        let metadata = fs::metadata(path).map_err(|source| match source.kind() {
            ErrorKind::NotFound => DataError::Missing { path: path.to_owned() },
            _ => DataError::Directory { path: path.to_owned(), source },
        })?;
        if metadata.is_file() && pattern.is_none() && tensors::is_tensors(path) {
            return tensors::open(path);
        }
        let images = if metadata.is_dir() { idx::find(path, &["train", "t10k"]) } else { Some(path.to_owned()) };
        match images {
            Some(images) => idx::open(&images, pattern),
            None => folder::open(path, pattern),
        }
    }

    /// A listing of files; `paths` are relative to `root`.
    pub(super) fn of_files(root: &Path, kind: SourceKind, rule: String, classes: Vec<String>, samples: Vec<(PathBuf, u32)>) -> Self {
        let (paths, labels) = samples.into_iter().unzip();
        let root = root.to_owned();
        Self { root, kind, rule, classes, labels, grey: false, labels_in_names: false, naming: None, storage: Storage::Files(paths) }
    }

    /// A listing of all images of an IDX file.
    pub(super) fn of_idx(images: IdxImages, labels: &[u8], rule: String) -> Self {
        let count = labels.iter().max().map_or(0, |&max| u32::from(max) + 1);
        Self {
            root: images.path.parent().unwrap_or(Path::new("")).to_owned(),
            kind: SourceKind::Idx,
            rule,
            classes: (0..count).map(|class| class.to_string()).collect(),
            labels: labels.iter().map(|&label| u32::from(label)).collect(),
            grey: true,
            labels_in_names: false,
            naming: None,
            storage: Storage::Idx(Arc::new(images), (0..labels.len() as u32).collect()),
        }
    }

    /// A listing of all samples of a part of a file of tensors.
    pub(super) fn of_tensors(file: Arc<TensorFile>, part: &'static str, classes: Vec<String>, labels: &[u32], rule: String) -> Self {
        Self {
            root: file.path.parent().unwrap_or(Path::new("")).to_owned(),
            kind: SourceKind::Tensors,
            rule,
            classes,
            labels: labels.to_vec(),
            grey: false,
            labels_in_names: false,
            naming: None,
            storage: Storage::Tensors(file, part, (0..labels.len() as u32).collect()),
        }
    }

    /// The held-out samples that the same file brings along.
    pub(super) fn held_out_in_file(&self) -> Option<Self> {
        if let Storage::Tensors(file, "", _) = &self.storage { tensors::held_out(file) } else { None }
    }

    /// How a sample's bytes are read: pictures are decoded to `channels` and `size`, tensors are as they are.
    pub fn layout(&self, channels: usize, size: usize) -> Vec<Layout> {
        match &self.storage {
            Storage::Tensors(file, part, _) => file.layout(part),
            _ => vec![Layout::pixels(channels, size)],
        }
    }

    /// Other classes: keeps the samples whose label has a new one, in the same order.
    pub(super) fn relabel(mut self, classes: Vec<String>, new: impl Fn(u32) -> Option<u32>) -> Self {
        let labels = std::mem::take(&mut self.labels);
        let mut keep = labels.iter().map(|&label| new(label).is_some());
        let mut kept = || keep.next().unwrap_or(false);
        match &mut self.storage {
            Storage::Files(paths) => paths.retain(|_| kept()),
            Storage::Idx(_, records) | Storage::Tensors(_, _, records) => records.retain(|_| kept()),
        }
        Self { labels: labels.iter().filter_map(|&label| new(label)).collect(), classes, ..self }
    }

    /// The number of samples.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The source for a message: the folder, or the IDX images file.
    pub fn source(&self) -> PathBuf {
        match &self.storage {
            Storage::Files(_) => self.root.clone(),
            Storage::Idx(images, _) => images.path.clone(),
            Storage::Tensors(file, ..) => file.path.clone(),
        }
    }

    /// A sample's path below the root for a message; `train-images-idx3-ubyte.gz#17` for IDX. Empty beyond
    /// the end.
    pub fn path_of(&self, index: usize) -> String {
        match &self.storage {
            Storage::Files(paths) => paths.get(index).map(|path| slashed(path)).unwrap_or_default(),
            Storage::Idx(images, records) => {
                let name = images.path.file_name().unwrap_or_default().to_string_lossy();
                records.get(index).map(|record| format!("{name}#{record}")).unwrap_or_default()
            }
            Storage::Tensors(file, part, records) => {
                let name = file.path.file_name().unwrap_or_default().to_string_lossy();
                records.get(index).map(|record| format!("{name}#{part}{record}")).unwrap_or_default()
            }
        }
    }

    /// The file names of the samples, in order; none for IDX.
    pub(super) fn paths(&self) -> &[PathBuf] {
        match &self.storage {
            Storage::Files(paths) => paths,
            Storage::Idx(..) | Storage::Tensors(..) => &[],
        }
    }

    /// A sample's pixels, [C, size, size] with C = `channels`, 1 (luma) or 3 (RGB): what torchvision's
    /// `pil_loader`, `Resize(size)` and `CenterCrop(size)` give. The bytes of a sample's inputs for tensors, as in [`layout`](Self::layout).
    pub fn decode(&self, index: usize, channels: usize, size: usize) -> Result<Vec<u8>, FileError> {
        if let Storage::Tensors(file, part, records) = &self.storage {
            let beyond = || FileError { path: self.path_of(index), reason: format!("sample {index} of {}", self.len()) };
            return records.get(index).map(|record| file.row(part, *record)).ok_or_else(beyond);
        }
        let pixels = Channels::of(channels).and_then(|channels| resize::resize_and_crop(&self.raster(index, channels)?, size));
        pixels.map_err(|reason| FileError { path: self.path_of(index), reason })
    }

    fn raster(&self, index: usize, channels: Channels) -> Result<Raster, String> {
        let beyond = || format!("sample {index} of {}", self.len());
        match &self.storage {
            Storage::Files(paths) => decode::decode(&read(&self.root.join(paths.get(index).ok_or_else(beyond)?))?, channels),
            Storage::Idx(images, records) => Ok(images.raster(*records.get(index).ok_or_else(beyond)?, channels)),
            Storage::Tensors(..) => Err("tensors are no picture".to_owned()),
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| error.to_string())?;
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    match bytes.len() as u64 {
        0 => Err("the file is empty".to_owned()),
        length if length > MAX_FILE_BYTES => Err("the file is larger than 1 GiB".to_owned()),
        _ => Ok(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::testing::Tree;

    fn open(tree: &Tree) -> Result<Listing, DataError> {
        Listing::open(tree.path(), &DataOptions::default())
    }

    #[test]
    fn a_sample_decodes_to_channels_of_the_size_asked_for() {
        let tree = Tree::of(&["cat/1.png", "dog/1.png"]);
        let pixels = open(&tree).unwrap().decode(0, 3, 8).unwrap();
        assert_eq!(pixels.len(), 3 * 8 * 8);
        assert!(pixels[64..128].iter().all(|&green| green == 0) && pixels[128..].iter().all(|&blue| blue == 255));
        assert_eq!(open(&tree).unwrap().decode(1, 1, 8).unwrap().len(), 64);
    }

    #[test]
    fn what_cannot_be_decoded_is_named_with_the_reason() {
        let tree = Tree::of(&["cat/1.png", "dog/1.jpg"]);
        tree.write("dog/2.png", b"");
        let listing = open(&tree).unwrap();
        let error = listing.decode(1, 3, 8).unwrap_err();
        assert_eq!((error.path.as_str(), error.reason.as_str()), ("dog/1.jpg", "not an image: the content is of no known format"));
        assert_eq!(listing.decode(2, 3, 8).unwrap_err().reason, "the file is empty");
        assert!(listing.decode(9, 3, 8).is_err() && listing.decode(0, 2, 8).is_err() && listing.decode(0, 3, 0).is_err());
    }

    #[test]
    fn a_path_that_is_no_data_set_is_an_error_that_names_it() {
        let tree = Tree::of(&["cat/1.png", "notes.txt"]);
        let message = |path: &str| Listing::open(&tree.path().join(path), &DataOptions::default()).unwrap_err().to_string();
        assert!(message("nowhere").contains("nowhere` does not exist; check the path"), "{}", message("nowhere"));
        assert!(message("notes.txt").contains("notes.txt` is not a data set"), "{}", message("notes.txt"));
    }
}
