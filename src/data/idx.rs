//! MNIST's IDX files: big-endian header, then unsigned bytes; plain or gzipped.
//!
//! Format: <http://yann.lecun.com/exdb/mnist/>. A header is not believed: nothing is allocated on its word,
//! and the bytes are counted as they arrive.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

use super::error::DataError;
use super::kind::SourceKind;
use super::listing::Listing;
use super::pixels::{Picture, Pixels};

/// First four bytes of a file of unsigned bytes with three dimensions.
const IMAGES_MAGIC: u32 = 0x0000_0803;
/// First four bytes of a file of unsigned bytes with one dimension.
const LABELS_MAGIC: u32 = 0x0000_0801;
/// More pixels than this are not held in memory.
const MAX_PIXEL_BYTES: u64 = 4 << 30;
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Looks for the images file of the first of the `splits` (`train`, `t10k`) that a folder has, under the
/// usual names; also in `raw/` and in a single `*/raw/`, where torchvision's downloads go.
pub(super) fn find(folder: &Path, splits: &[&str]) -> Option<PathBuf> {
    let mut folders = vec![folder.to_owned(), folder.join("raw")];
    let inner = fs::read_dir(folder).ok()?.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let mut raw = inner.map(|entry| entry.path().join("raw")).filter(|raw| raw.is_dir());
    if let (Some(only), None) = (raw.next(), raw.next()) {
        folders.push(only);
    }
    let names = |split: &str| ["-", "."].map(|dot| [format!("{split}-images{dot}idx3-ubyte"), format!("{split}-images{dot}idx3-ubyte.gz")]);
    let files =
        |folder: &PathBuf| splits.iter().flat_map(|split| names(split)).flatten().map(|name| folder.join(name)).find(|file| file.is_file());
    folders.iter().find_map(files)
}

/// Lists an images file by the labels file beside it.
pub(super) fn open(images: &Path, pattern: Option<&str>) -> Result<Listing, DataError> {
    let labels = labels_beside(images)?;
    let label_name = labels.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if pattern.is_some() {
        return Err(DataError::PatternUnused { path: images.to_owned(), labels: label_name });
    }
    let (pixels, count) = read_images(images)?;
    let values = read_labels(&labels)?;
    if values.len() != count {
        return Err(DataError::IdxCounts { images: images.to_owned(), image_count: count, labels, label_count: values.len() });
    }
    let Some(&last) = values.iter().max() else {
        return Err(DataError::TooFewSamples { path: images.to_owned(), found: 0 });
    };
    let classes = (0..=last).map(|class| class.to_string()).collect();
    let labels = values.into_iter().map(u32::from).collect();
    Ok(Listing::of_pixels(images, SourceKind::Idx, format!("label file `{label_name}`"), classes, labels, pixels))
}

/// The images file of the held-out samples that come with a training file.
pub(super) fn held_out_beside(images: &Path) -> Option<PathBuf> {
    let name = images.file_name()?.to_str()?;
    let plain = name.trim_end_matches(".gz");
    let candidates = ["t10k", "test"].map(|split| plain.replacen("train", split, 1));
    let files = candidates.iter().filter(|held_out| *held_out != plain).flat_map(|held_out| [held_out.clone(), format!("{held_out}.gz")]);
    files.map(|file| images.with_file_name(file)).find(|file| file.is_file())
}

fn labels_beside(images: &Path) -> Result<PathBuf, DataError> {
    let name = images.file_name().unwrap_or_default().to_string_lossy();
    if !name.contains("images") {
        return Err(DataError::NotADataset { path: images.to_owned() });
    }
    let labels = name.replacen("images", "labels", 1).replacen("idx3", "idx1", 1);
    let labels = labels.trim_end_matches(".gz");
    let (plain, gzipped) = (images.with_file_name(labels), images.with_file_name(format!("{labels}.gz")));
    let wanted = if name.ends_with(".gz") { [gzipped, plain] } else { [plain, gzipped] };
    let missing = DataError::IdxLabelsMissing { images: images.to_owned(), labels: wanted[0].clone() };
    wanted.into_iter().find(|file| file.is_file()).ok_or(missing)
}

fn read_images(path: &Path) -> Result<(Pixels, usize), DataError> {
    let (mut reader, [count, height, width]) = header::<3>(path, IMAGES_MAGIC, "images")?;
    let bytes = u64::from(count).checked_mul(u64::from(height)).and_then(|rows| rows.checked_mul(u64::from(width)));
    let Some(bytes) = bytes.filter(|&bytes| bytes <= MAX_PIXEL_BYTES && height > 0 && width > 0) else {
        return Err(DataError::IdxSize { path: path.to_owned(), count, height, width });
    };
    let pixels = body(&mut reader, path, bytes, "pixels")?;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let picture = Picture { height: height as usize, width: width as usize, channels: 1, planar: true };
    Ok((Pixels::new(vec![(name, 0)], picture, pixels, 0), count as usize))
}

fn read_labels(path: &Path) -> Result<Vec<u8>, DataError> {
    let (mut reader, [count]) = header::<1>(path, LABELS_MAGIC, "labels")?;
    body(&mut reader, path, u64::from(count), "labels")
}

/// Opens a file and reads its magic number and `D` dimensions.
fn header<const D: usize>(path: &Path, magic: u32, what: &'static str) -> Result<(Box<dyn Read>, [u32; D]), DataError> {
    let failed = |source| DataError::IdxRead { path: path.to_owned(), source };
    let mut file = BufReader::new(File::open(path).map_err(failed)?);
    let gzipped = file.fill_buf().map_err(failed)?.starts_with(&GZIP_MAGIC);
    let mut reader: Box<dyn Read> = if gzipped { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
    let found = u32::from_be_bytes(read_word(&mut reader).map_err(failed)?);
    if found != magic {
        return Err(DataError::IdxMagic { path: path.to_owned(), found, expected: magic, what });
    }
    let mut shape = [0; D];
    for dimension in &mut shape {
        *dimension = u32::from_be_bytes(read_word(&mut reader).map_err(failed)?);
    }
    Ok((reader, shape))
}

fn read_word(reader: &mut impl Read) -> io::Result<[u8; 4]> {
    let mut word = [0; 4];
    reader.read_exact(&mut word).map(|()| word)
}

/// Reads exactly `expected` bytes, growing with what arrives.
fn body(reader: &mut impl Read, path: &Path, expected: u64, what: &'static str) -> Result<Vec<u8>, DataError> {
    let mut bytes = Vec::new();
    match reader.take(expected + 1).read_to_end(&mut bytes) {
        Err(source) if source.kind() != io::ErrorKind::UnexpectedEof => Err(DataError::IdxRead { path: path.to_owned(), source }),
        _ if bytes.len() as u64 == expected => Ok(bytes),
        _ => Err(DataError::IdxLength { path: path.to_owned(), what, found: bytes.len() as u64, expected }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::testing::{Tree, gzip, idx_images, idx_labels};
    use crate::data::{DataOptions, SourceKind};

    const IMAGES: &str = "train-images-idx3-ubyte";
    const LABELS: &str = "train-labels-idx1-ubyte";

    fn opened(files: &[(&str, Vec<u8>)]) -> Result<Listing, String> {
        let tree = Tree::of::<&str>(&[]);
        for (name, bytes) in files {
            tree.write(name, bytes);
        }
        Listing::open(tree.path(), &DataOptions::default()).map_err(|error| error.to_string())
    }

    fn train(images: Vec<u8>, labels: Vec<u8>) -> Result<Listing, String> {
        opened(&[(IMAGES, images), (LABELS, labels)])
    }

    #[test]
    fn plain_gzipped_and_dotted_files_are_read_alike() {
        let (images, labels) = (idx_images(3, 2, 2), idx_labels(&[2, 0, 2]));
        let gz = |name: &str| format!("{name}.gz");
        for files in [
            [(IMAGES.to_owned(), images.clone()), (LABELS.to_owned(), labels.clone())],
            [(gz(IMAGES), gzip(&images)), (gz(LABELS), gzip(&labels))],
            [(gz(IMAGES), gzip(&images)), (LABELS.to_owned(), labels.clone())],
            [(IMAGES.replace("-idx", ".idx"), images.clone()), (LABELS.replace("-idx", ".idx"), labels.clone())],
            [(format!("FashionMNIST/raw/{IMAGES}"), images.clone()), (format!("FashionMNIST/raw/{LABELS}"), labels.clone())],
        ] {
            let files: Vec<(&str, Vec<u8>)> = files.iter().map(|(name, bytes)| (name.as_str(), bytes.clone())).collect();
            let listing = opened(&files).unwrap();
            assert_eq!((listing.kind, listing.grey, &listing.labels), (SourceKind::Idx, true, &vec![2, 0, 2]));
            assert_eq!(listing.classes, ["0", "1", "2"]);
            assert_eq!(listing.path_of(1), format!("{}#1", Path::new(files[0].0).file_name().unwrap().to_str().unwrap()));
            assert_eq!(listing.decode(2, 1, 2).unwrap(), [2; 4]);
            assert_eq!(listing.decode(2, 3, 2).unwrap(), [2; 12]);
        }
    }

    #[test]
    fn an_image_keeps_its_place_in_the_file_when_classes_are_chosen() {
        let tree = Tree::of::<&str>(&[]);
        tree.write(IMAGES, &idx_images(4, 1, 1));
        tree.write(LABELS, &idx_labels(&[0, 5, 0, 6]));
        let options = DataOptions { classes: vec!["6".into(), "5".into()], ..DataOptions::default() };
        let listing = Listing::open(&tree.path().join(IMAGES), &options).unwrap();
        assert_eq!(listing.labels, [1, 0]);
        assert_eq!(listing.path_of(1), format!("{IMAGES}#3"));
        assert_eq!(listing.decode(1, 1, 1).unwrap(), [3]);
    }

    #[test]
    fn a_truncated_or_overlong_file_is_named_with_both_lengths() {
        let whole = idx_images(3, 2, 2);
        let message = train(whole[..20].to_vec(), idx_labels(&[0, 1, 0])).unwrap_err();
        assert!(message.contains(IMAGES) && message.contains("holds 4 bytes of pixels, its header promises 12"), "{message}");
        let message = train([whole.clone(), vec![0]].concat(), idx_labels(&[0, 1, 0])).unwrap_err();
        assert!(message.contains("holds 13 bytes"), "{message}");
        let cut = gzip(&whole);
        let message = opened(&[(&format!("{IMAGES}.gz"), cut[..cut.len() - 12].to_vec()), (LABELS, idx_labels(&[0, 1, 0]))]).unwrap_err();
        assert!(message.contains("its header promises 12") || message.contains("cannot read"), "{message}");
        let message = train(whole[..6].to_vec(), idx_labels(&[0])).unwrap_err();
        assert!(message.starts_with("cannot read `") && message.contains(IMAGES), "{message}");
    }

    #[test]
    fn a_wrong_magic_number_is_shown_beside_the_right_one() {
        let message = train(idx_labels(&[0, 1, 0]), idx_labels(&[0, 1, 0])).unwrap_err();
        assert!(message.contains("starts with 0x00000801, not with 0x00000803 as an IDX images file"), "{message}");
    }

    #[test]
    fn a_size_that_cannot_be_meant_is_refused_before_anything_is_read() {
        let huge = [0x803_u32, u32::MAX, u32::MAX, 9].map(u32::to_be_bytes).concat();
        let message = train(huge, idx_labels(&[0])).unwrap_err();
        assert!(message.contains("declares 4294967295 images of 4294967295 x 9 pixels"), "{message}");
        assert!(train(idx_images(1, 0, 5), idx_labels(&[0])).is_err());
    }

    #[test]
    fn images_and_labels_must_belong_together() {
        let message = train(idx_images(3, 2, 2), idx_labels(&[0, 1])).unwrap_err();
        assert!(message.contains("has 3 images but") && message.contains("has 2 labels") && message.contains(LABELS), "{message}");
        let message = opened(&[(IMAGES, idx_images(3, 2, 2))]).unwrap_err();
        assert!(message.starts_with("no labels for `") && message.contains(LABELS), "{message}");
        assert!(train(idx_images(0, 2, 2), idx_labels(&[])).unwrap_err().starts_with("only 0 usable samples"));
    }

    #[test]
    fn a_label_pattern_has_no_meaning_here() {
        let tree = Tree::of::<&str>(&[]);
        tree.write(IMAGES, &idx_images(1, 1, 1));
        tree.write(LABELS, &idx_labels(&[0]));
        let options = DataOptions { labels: Some("(.)".into()), ..DataOptions::default() };
        assert!(Listing::open(tree.path(), &options).unwrap_err().to_string().contains("leave --labels out"));
    }
}
