//! A source's samples, listed and not yet decoded.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nanprobe_checks::evidence::FileError;

use super::decode::{Channels, Raster};
use super::error::DataError;
use super::kind::SourceKind;
use super::naming::{Naming, slashed};
use super::pixels::Pixels;
use super::shards::Shards;
use super::tensors::{self, Layout, TensorFile};
use super::{DataOptions, classes, decode, recognise, resize};

/// A larger file is not read into memory as an image.
const MAX_FILE_BYTES: u64 = 1 << 30;

/// The samples of a source with their labels, in the order in which an unshuffled PyTorch `DataLoader`
/// would give them: class by class for an image folder, by name for flat files, as stored for the others.
#[derive(Debug)]
pub struct Listing {
    /// The folder that [`path_of`](Self::path_of) is relative to.
    pub root: PathBuf,
    /// What the samples come from, for messages: a folder or a file, with `:PART` where they are a part of it.
    pub(super) source: PathBuf,
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
    /// Positions among pictures in memory.
    Pixels(Arc<Pixels>, Vec<u32>),
    /// Positions among the samples of tar files.
    Shards(Arc<Shards>, Vec<u32>),
    /// Positions in a part of a file of tensors.
    Tensors(Arc<TensorFile>, &'static str, Vec<u32>),
}

impl Listing {
    /// Recognises and lists what is at `path`, keeping the classes chosen in `options`. Decodes nothing.
    ///
    /// The pattern in `options.labels` applies to it; `options.path` and `options.val` are not read.
    pub fn open(path: &Path, options: &DataOptions) -> Result<Self, DataError> {
        let listing = recognise::open(path, options.labels.as_deref(), options.format_hint)?;
        classes::narrow(listing, &options.classes, classes::Absent::Error)
    }

    /// A listing of files; `paths` are relative to `root`.
    pub(super) fn of_files(root: &Path, kind: SourceKind, rule: String, classes: Vec<String>, samples: Vec<(PathBuf, u32)>) -> Self {
        let (paths, labels) = samples.into_iter().unzip();
        Self { root: root.to_owned(), ..Self::of(root, kind, rule, classes, labels, Storage::Files(paths)) }
    }

    /// A listing of pictures in memory, one a label.
    pub(super) fn of_pixels(source: &Path, kind: SourceKind, rule: String, classes: Vec<String>, labels: Vec<u32>, pixels: Pixels) -> Self {
        let (grey, records) = (pixels.grey(), (0..labels.len() as u32).collect());
        Self { grey, ..Self::of(source, kind, rule, classes, labels, Storage::Pixels(Arc::new(pixels), records)) }
    }

    /// A listing of all samples of tar files.
    pub(super) fn of_shards(source: &Path, rule: String, classes: Vec<String>, labels: Vec<u32>, shards: Shards) -> Self {
        let records = (0..labels.len() as u32).collect();
        Self::of(source, SourceKind::WebDataset, rule, classes, labels, Storage::Shards(Arc::new(shards), records))
    }

    /// A listing of all samples of a part of a file of tensors.
    pub(super) fn of_tensors(file: Arc<TensorFile>, part: &'static str, classes: Vec<String>, labels: &[u32], rule: String) -> Self {
        let (source, records) = (file.path.clone(), (0..labels.len() as u32).collect());
        Self::of(&source, SourceKind::Tensors, rule, classes, labels.to_vec(), Storage::Tensors(file, part, records))
    }

    /// The root is the folder that `source` is in.
    fn of(source: &Path, kind: SourceKind, rule: String, classes: Vec<String>, labels: Vec<u32>, storage: Storage) -> Self {
        Self {
            root: source.parent().unwrap_or(Path::new("")).to_owned(),
            source: source.to_owned(),
            kind,
            rule,
            classes,
            labels,
            grey: false,
            labels_in_names: false,
            naming: None,
            storage,
        }
    }

    /// The held-out samples that the same file brings along.
    pub(super) fn held_out_in_file(&self) -> Option<Self> {
        if let Storage::Tensors(file, "", _) = &self.storage { tensors::held_out(file) } else { None }
    }

    /// Whether the samples are tensors as they are, not pictures to be decoded.
    pub fn holds_tensors(&self) -> bool {
        matches!(self.storage, Storage::Tensors(..))
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
            Storage::Pixels(_, records) | Storage::Shards(_, records) | Storage::Tensors(_, _, records) => records.retain(|_| kept()),
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

    /// The source for a message: the folder, or the file.
    pub fn source(&self) -> PathBuf {
        self.source.clone()
    }

    /// A sample's path below the root for a message; `train-images-idx3-ubyte.gz#17` for a part of a file. Empty beyond
    /// the end.
    pub fn path_of(&self, index: usize) -> String {
        let named = |records: &[u32], name: &dyn Fn(u32) -> String| records.get(index).map(|record| name(*record)).unwrap_or_default();
        match &self.storage {
            Storage::Files(paths) => paths.get(index).map(|path| slashed(path)).unwrap_or_default(),
            Storage::Pixels(pixels, records) => named(records, &|record| pixels.name_of(record)),
            Storage::Shards(shards, records) => named(records, &|record| shards.name_of(record)),
            Storage::Tensors(file, part, records) => {
                let name = file.path.file_name().unwrap_or_default().to_string_lossy();
                records.get(index).map(|record| format!("{name}#{part}{record}")).unwrap_or_default()
            }
        }
    }

    /// The file names of the samples, in order; none where samples are not files.
    pub(super) fn paths(&self) -> &[PathBuf] {
        match &self.storage {
            Storage::Files(paths) => paths,
            Storage::Pixels(..) | Storage::Shards(..) | Storage::Tensors(..) => &[],
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
            Storage::Pixels(pixels, records) => Ok(pixels.raster(*records.get(index).ok_or_else(beyond)?, channels)),
            Storage::Shards(shards, records) => decode::decode(&shards.read(*records.get(index).ok_or_else(beyond)?)?, channels),
            Storage::Tensors(..) => Err("tensors are no picture".to_owned()),
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    read_all(File::open(path).map_err(|error| error.to_string())?)
}

/// All bytes of an image, as many as one may have.
pub(super) fn read_all(source: impl Read) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    source.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
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
