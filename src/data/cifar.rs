//! CIFAR-10 and CIFAR-100 in their binary version: records of one or two label bytes and 3072 pixels.
//!
//! Format: <https://www.cs.toronto.edu/~kriz/cifar.html>. A file's length is held against the length of a record before
//! anything of it is read. The Python version holds pickles, which are never opened.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::error::DataError;
use super::kind::SourceKind;
use super::listing::Listing;
use super::pixels::{Picture, Pixels};
use super::recognise::{Part, files_ending};

/// Red, green and blue planes.
const PICTURE: Picture = Picture { height: 32, width: 32, channels: 3, planar: true };
/// More than this is not held in memory: the real sets have 150 MB.
const MAX_BYTES: u64 = 4 << 30;
/// More than this is no list of class names.
const MAX_NAMES: u64 = 1 << 16;

/// One of the two sets.
#[derive(Debug, PartialEq)]
struct Variant {
    /// Label bytes of a record; the last is the label that is learned.
    label_bytes: usize,
    classes: usize,
    /// The file of class names.
    names: &'static str,
    rule: &'static str,
    /// Beginnings of the names of the files of each part.
    training: &'static str,
    held_out: &'static str,
    /// Where its archive unpacks to.
    folder: &'static str,
}

const VARIANTS: [Variant; 2] = [
    Variant {
        label_bytes: 1,
        classes: 10,
        names: "batches.meta.txt",
        rule: "label byte of each record",
        training: "data_batch_",
        held_out: "test_batch",
        folder: "cifar-10-batches-bin",
    },
    Variant {
        label_bytes: 2,
        classes: 100,
        names: "fine_label_names.txt",
        rule: "fine label byte of each record",
        training: "train",
        held_out: "test",
        folder: "cifar-100-binary",
    },
];

impl Variant {
    fn record(&self) -> usize {
        self.label_bytes + PICTURE.bytes()
    }

    /// Files of a part: `data_batch_1.bin` to `data_batch_5.bin`.
    fn files(&self, folder: &Path, part: Part) -> Vec<PathBuf> {
        let wanted = if part == Part::Training { self.training } else { self.held_out };
        let is_of = |path: &PathBuf| Self::owns(path, wanted);
        files_ending(folder, &["bin"]).into_iter().filter(is_of).collect()
    }

    fn owns(path: &Path, begin: &str) -> bool {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        stem.strip_prefix(begin).is_some_and(|rest| if begin.ends_with('_') { rest.parse::<u8>().is_ok() } else { rest.is_empty() })
    }
}

/// The set in a folder, or in the folder that its archive unpacks to.
pub(super) fn find(path: &Path) -> Option<PathBuf> {
    found(path).map(|(folder, _)| folder)
}

fn found(path: &Path) -> Option<(PathBuf, &'static Variant)> {
    let has = |folder: &Path, variant: &Variant| {
        // `train.bin` may be anything; the names of the classes are CIFAR's.
        let certain = variant.label_bytes == 1 || folder.join(variant.names).is_file();
        certain && !variant.files(folder, Part::Training).is_empty()
    };
    let within = |variant: &'static Variant| {
        [path.to_owned(), path.join(variant.folder)].into_iter().find(|folder| has(folder, variant)).map(|folder| (folder, variant))
    };
    VARIANTS.iter().find_map(within)
}

/// Whether a file is one of the batches, by its name and length.
pub(super) fn is_batch(path: &Path) -> bool {
    of_file(path).is_some_and(|variant| path.metadata().is_ok_and(|file| file.len() > 0 && file.len() % variant.record() as u64 == 0))
}

fn of_file(path: &Path) -> Option<&'static Variant> {
    let is_of = |variant: &&Variant| Variant::owns(path, variant.training) || Variant::owns(path, variant.held_out);
    VARIANTS.iter().find(is_of).filter(|_| path.extension().is_some_and(|ending| ending == "bin"))
}

/// Whether a folder holds the Python version.
pub(super) fn is_python(path: &Path) -> bool {
    let has = |folder: PathBuf, files: &[&str]| files.iter().all(|file| folder.join(file).is_file());
    [path.to_owned(), path.join("cifar-10-batches-py")].into_iter().any(|folder| has(folder, &["batches.meta", "data_batch_1"]))
        || [path.to_owned(), path.join("cifar-100-python")].into_iter().any(|folder| has(folder, &["meta", "train", "test"]))
}

/// Lists a part of a set, or one of its files.
pub(super) fn open(path: &Path, part: Part) -> Result<Listing, DataError> {
    read(path, part).map_err(|problem| DataError::Form { path: path.to_owned(), form: "CIFAR's binary version", problem })
}

fn read(path: &Path, part: Part) -> Result<Listing, String> {
    if is_python(path) {
        return Err(
            "it is the Python version, of pickles, which are never opened; download the binary version (cifar-10-binary.tar.gz)".to_owned()
        );
    }
    let (folder, variant, files) = if path.is_dir() {
        let (folder, variant) = found(path).ok_or("it has neither data_batch_1.bin nor train.bin with fine_label_names.txt")?;
        let files = variant.files(&folder, part);
        (folder, variant, files)
    } else {
        let variant = of_file(path).ok_or("its name is not one of CIFAR's, such as data_batch_1.bin; rename it, or give its folder")?;
        let files = if part == Part::Training { vec![path.to_owned()] } else { vec![] };
        (path.parent().unwrap_or(Path::new("")).to_owned(), variant, files)
    };
    if files.is_empty() {
        return Err(format!("it has no {}.bin", variant.held_out));
    }
    let known = names(&folder.join(variant.names), variant);
    let (mut labels, mut pixels, mut named) = (Vec::new(), Vec::new(), Vec::with_capacity(files.len()));
    for file in &files {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let bytes = records(file, variant, MAX_BYTES - pixels.len() as u64).map_err(|problem| format!("`{name}` {problem}"))?;
        named.push((name.clone(), labels.len() as u32));
        for (record, bytes) in bytes.chunks_exact(variant.record()).enumerate() {
            let label = bytes[variant.label_bytes - 1];
            if usize::from(label) >= variant.classes {
                return Err(format!(
                    "`{name}#{record}` has the label {label}, and there are {} classes; download it again",
                    variant.classes
                ));
            }
            labels.push(u32::from(label));
            pixels.extend_from_slice(&bytes[variant.label_bytes..]);
        }
    }
    let (classes, by) = match known {
        Some(names) => (names, format!(", named by `{}`", variant.names)),
        None => ((0..variant.classes).map(|class| class.to_string()).collect(), String::new()),
    };
    let source = if part == Part::Training { path.to_owned() } else { files[0].clone() };
    let rule = format!("{}{by}", variant.rule);
    Ok(Listing::of_pixels(&source, SourceKind::Cifar, rule, classes, labels, Pixels::new(named, PICTURE, pixels, 0)))
}

/// The bytes of a file of whole records.
fn records(file: &Path, variant: &Variant, most: u64) -> Result<Vec<u8>, String> {
    let unreadable = |error: std::io::Error| format!("cannot be read: {error}");
    let length = file.metadata().map_err(unreadable)?.len();
    let record = variant.record() as u64;
    if length == 0 || length % record != 0 {
        return Err(format!("has {length} bytes, which is no number of records of {record}; download it again"));
    }
    if length > most {
        return Err(format!("has {length} bytes, with the others more than the {MAX_BYTES} that are read"));
    }
    let mut bytes = Vec::new();
    File::open(file).map_err(unreadable)?.take(length).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 == length { Ok(bytes) } else { Err(format!("gives {} of its {length} bytes", bytes.len())) }
}

/// One name a line, as many as there are classes.
fn names(file: &Path, variant: &Variant) -> Option<Vec<String>> {
    let mut text = String::new();
    File::open(file).ok()?.take(MAX_NAMES).read_to_string(&mut text).ok()?;
    let names: Vec<String> = text.lines().map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
    let mut sorted = names.clone();
    sorted.sort_unstable();
    sorted.dedup();
    (names.len() == variant.classes && sorted.len() == names.len()).then_some(names)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::data::testing::Tree;
    use crate::data::{DataOptions, SubsetOptions, companion, subset};

    /// Records of these labels: record `i` is red `i`, green `100 + i`, blue 7.
    fn batch(labels: &[u8], coarse: bool) -> Vec<u8> {
        let record = |(i, label): (usize, &u8)| {
            let begin = if coarse { vec![0, *label] } else { vec![*label] };
            [begin, vec![i as u8; 1024], vec![100 + i as u8; 1024], vec![7; 1024]].concat()
        };
        labels.iter().enumerate().flat_map(record).collect()
    }

    fn ten() -> Tree {
        let tree = Tree::of::<&str>(&[]);
        let names = "airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n\n";
        tree.write("batches.meta.txt", names.as_bytes());
        tree.write("data_batch_1.bin", &batch(&[3, 5, 3, 5], false));
        tree.write("data_batch_2.bin", &batch(&[5, 3], false));
        tree.write("test_batch.bin", &batch(&[5, 3], false));
        tree.write("readme.html", b"");
        tree
    }

    fn open(path: &Path) -> Result<Listing, String> {
        Listing::open(path, &DataOptions::default()).map_err(|error| error.to_string())
    }

    #[test]
    fn all_batches_are_one_set_and_the_test_batch_is_held_out() {
        let tree = ten();
        let listing = open(tree.path()).unwrap();
        assert_eq!((listing.kind, listing.grey, &listing.labels[..]), (SourceKind::Cifar, false, &[3, 5, 3, 5, 5, 3][..]));
        assert_eq!((listing.classes[3].as_str(), listing.path_of(5).as_str()), ("cat", "data_batch_2.bin#1"));
        assert_eq!(listing.rule, "label byte of each record, named by `batches.meta.txt`");
        let pixels = listing.decode(2, 3, 32).unwrap();
        assert_eq!((pixels[0], pixels[1024], pixels[2048]), (2, 102, 7));
        let options = DataOptions { path: tree.path().to_owned(), ..DataOptions::default() };
        let held_out = companion(&listing, &options).unwrap().unwrap();
        assert_eq!((&held_out.labels[..], held_out.source()), (&[5, 3][..], tree.path().join("test_batch.bin")));
        let named = DataOptions { val: Some(tree.path().to_owned()), ..options };
        assert_eq!(companion(&listing, &named).unwrap().unwrap().labels, [5, 3]);
        let drawn =
            subset(&listing, Some(&held_out), &SubsetOptions { train: 4, size: 8, ..SubsetOptions::default() }, &|_, _| {}).unwrap();
        assert_eq!((drawn.train.len(), drawn.held_out.labels), (4, vec![5, 3]));
    }

    #[test]
    fn the_fine_label_is_learned_and_a_single_file_or_the_unpacked_archive_is_found() {
        let tree = Tree::of::<&str>(&[]);
        let names = (0..100).map(|i| format!("class{i}")).collect::<Vec<_>>().join("\n");
        tree.write("cifar-100-binary/fine_label_names.txt", names.as_bytes());
        tree.write("cifar-100-binary/train.bin", &batch(&[99, 0], true));
        tree.write("cifar-100-binary/test.bin", &batch(&[1], true));
        let listing = open(tree.path()).unwrap();
        assert_eq!((&listing.labels[..], listing.classes[99].as_str()), (&[99, 0][..], "class99"));
        assert_eq!(open(&tree.path().join("cifar-100-binary/test.bin")).unwrap().labels, [1]);
        assert_eq!(open(&ten().path().join("data_batch_2.bin")).unwrap().labels, [5, 3]);
    }

    #[test]
    fn what_is_wrong_with_a_batch_is_said_with_its_name() {
        for (bytes, says) in [
            (batch(&[1], false)[..3072].to_vec(), "`data_batch_2.bin` has 3072 bytes, which is no number of records of 3073"),
            (vec![], "`data_batch_2.bin` has 0 bytes"),
            (batch(&[1, 10], false), "`data_batch_2.bin#1` has the label 10, and there are 10 classes"),
        ] {
            let tree = ten();
            tree.write("data_batch_2.bin", &bytes);
            let message = open(tree.path()).unwrap_err();
            assert!(message.contains(says), "{message}");
        }
    }

    #[test]
    fn without_names_the_classes_are_numbers_and_the_python_version_is_refused() {
        let tree = ten();
        tree.write("batches.meta.txt", b"one\ntwo\n");
        assert_eq!(open(tree.path()).unwrap().classes[9], "9");
        let python = Tree::of(&["cifar-10-batches-py/batches.meta", "cifar-10-batches-py/data_batch_1"]);
        let message = open(python.path()).unwrap_err();
        assert!(message.contains("pickles, which are never opened; download the binary version"), "{message}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), whole in any::<bool>(), names in "[a-c\n]{0,40}") {
            let tree = ten();
            tree.write("data_batch_1.bin", &if whole { [&bytes[..], &vec![0; 3073 * 2]].concat()[..6146].to_vec() } else { bytes });
            tree.write("batches.meta.txt", names.as_bytes());
            if let Ok(listing) = open(tree.path()) {
                for sample in 0..listing.len() {
                    prop_assert!(listing.decode(sample, 1, 4).is_ok());
                }
            }
        }
    }
}
