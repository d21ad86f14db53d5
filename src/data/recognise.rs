//! Which form a path's data is in: told by what is there, or as `--format-hint` says.

use std::fs;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use super::error::DataError;
use super::kind::SourceKind;
use super::listing::Listing;
use super::{arrays, cifar, folder, idx, manifest, shards, tensors};

/// A part of a source that may hold both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// What the model is trained on; everything where the source has no parts.
    Training,
    /// What it is judged by.
    HeldOut,
}

/// Lists what is at a path.
pub(super) fn open(path: &Path, pattern: Option<&str>, hint: Option<SourceKind>) -> Result<Listing, DataError> {
    let metadata = fs::metadata(path).map_err(|source| match source.kind() {
        ErrorKind::NotFound => DataError::Missing { path: path.to_owned() },
        _ => DataError::Directory { path: path.to_owned(), source },
    })?;
    match hint {
        Some(kind) => hinted(path, kind, pattern),
        None if metadata.is_dir() => of_folder(path, pattern),
        None => of_file(path, pattern),
    }
}

/// The held-out samples of a source that brings them along beside its training samples; none where it does not.
pub(super) fn held_out_of(path: &Path, kind: SourceKind) -> Option<Listing> {
    match kind {
        SourceKind::Cifar => cifar::open(path, Part::HeldOut).ok(),
        SourceKind::Arrays => arrays::open(path, Part::HeldOut).ok(),
        SourceKind::WebDataset => shards::open(path, Part::HeldOut).ok(),
        SourceKind::Manifest => manifest::open(path, Part::HeldOut).ok(),
        _ => None,
    }
}

/// A folder: its part `train` where it has nothing but parts.
fn of_folder(path: &Path, pattern: Option<&str>) -> Result<Listing, DataError> {
    if let Some(images) = idx::find(path, &["train", "t10k"]) {
        return idx::open(&images, pattern);
    }
    if let Some(pattern) = pattern {
        return folder::by_pattern(path, pattern);
    }
    if cifar::find(path).is_some() || cifar::is_python(path) {
        return cifar::open(path, Part::Training);
    }
    let Some(part) = folder::part(path, &folder::TRAIN)? else { return inside(path) };
    let found = inside(&part);
    // A table beside the parts says more than what may be a pattern in file names.
    let table = if is_sure(&found) { None } else { manifest::in_folder(path) };
    let listed = table.and_then(|table| manifest::open(&table, Part::Training).ok());
    if let Some(listing) = listed.filter(|listing| listing.classes.len() > 1) {
        return Ok(listing);
    }
    found.map(|listing| in_part(listing, &part))
}

fn in_part(mut listing: Listing, part: &Path) -> Listing {
    listing.rule = format!("{}, in the part `{}`", listing.rule, part.file_name().unwrap_or_default().to_string_lossy());
    listing
}

/// A folder without parts: class folders, or a table that lists its files, or files with the label in their names; without
/// images, what is packed into files.
pub(super) fn inside(path: &Path) -> Result<Listing, DataError> {
    let images = folder::open_whole(path);
    if is_sure(&images) {
        return images;
    }
    if let Some(table) = manifest::in_folder(path) {
        let listed = manifest::open(&table, Part::Training);
        if images.is_err() || listed.as_ref().is_ok_and(|listing| listing.classes.len() > 1) {
            return listed;
        }
    }
    match images {
        Err(DataError::NoImages { .. }) if shards::in_folder(path) => shards::open(path, Part::Training),
        Err(DataError::NoImages { .. }) if arrays::in_folder(path) => arrays::open(path, Part::Training),
        images => images,
    }
}

/// Whether the labels are certain: a folder for each class.
fn is_sure(images: &Result<Listing, DataError>) -> bool {
    images.as_ref().is_ok_and(|found| found.kind == SourceKind::ImageFolder && found.classes.len() > 1)
}

fn of_file(path: &Path, pattern: Option<&str>) -> Result<Listing, DataError> {
    match packed(path) {
        Some(kind) => hinted(path, kind, pattern),
        None if pattern.is_none() && tensors::is_tensors(path) => tensors::open(path),
        None => idx::open(path, pattern),
    }
}

/// The form of a file that holds many samples, by its first bytes, or for a table by its name.
fn packed(path: &Path) -> Option<SourceKind> {
    let mut begin = Vec::new();
    let read = fs::File::open(path).and_then(|file| file.take(512).read_to_end(&mut begin));
    if manifest::is_table(path) {
        return Some(SourceKind::Manifest);
    }
    read.ok()?;
    let ends = |ending: &str| path.to_string_lossy().to_lowercase().ends_with(ending);
    if arrays::is_array(&begin) || ends(".npz") {
        Some(SourceKind::Arrays)
    } else if shards::is_tar(&begin) || [".tar", ".tar.gz", ".tgz", ".tar.zst", ".tar.bz2", ".tar.xz"].iter().any(|ending| ends(ending)) {
        Some(SourceKind::WebDataset)
    } else if cifar::is_batch(path) {
        Some(SourceKind::Cifar)
    } else {
        None
    }
}

/// Lists a path in a form that is settled.
fn hinted(path: &Path, kind: SourceKind, pattern: Option<&str>) -> Result<Listing, DataError> {
    let wrong = |form, problem: &str| DataError::Form { path: path.to_owned(), form, problem: problem.to_owned() };
    let is_folder = path.is_dir();
    if pattern.is_some() && !matches!(kind, SourceKind::FlatFiles | SourceKind::Idx) {
        return Err(DataError::PatternUnused { path: path.to_owned(), labels: format!("the form `{kind}`") });
    }
    match kind {
        SourceKind::ImageFolder | SourceKind::FlatFiles if !is_folder => {
            Err(wrong("images", "it is a file; give the folder that holds them"))
        }
        SourceKind::ImageFolder => {
            let part = folder::part(path, &folder::TRAIN)?;
            let found = folder::open_whole(part.as_deref().unwrap_or(path))?;
            if found.kind != kind {
                return Err(wrong("an image folder", "it has no class folders with images; give each class a folder of its own"));
            }
            Ok(part.iter().fold(found, |found, part| in_part(found, part)))
        }
        SourceKind::FlatFiles => pattern.map_or_else(|| folder::flat(path), |pattern| folder::by_pattern(path, pattern)),
        SourceKind::Idx if is_folder => {
            let images = idx::find(path, &["train", "t10k"]);
            idx::open(&images.ok_or_else(|| wrong("IDX", "it has no file such as train-images-idx3-ubyte.gz"))?, pattern)
        }
        SourceKind::Idx => idx::open(path, pattern),
        SourceKind::Tensors if is_folder => Err(wrong("batches", "it is a folder; give the safetensors file in it")),
        SourceKind::Tensors => tensors::open(path),
        SourceKind::Manifest => {
            let table = if is_folder { manifest::in_folder(path) } else { Some(path.to_owned()) };
            let missing = || wrong("a manifest", "it has no .csv, .tsv or .jsonl file, or several; give the path of the one");
            manifest::open(&table.ok_or_else(missing)?, Part::Training)
        }
        SourceKind::Cifar => cifar::open(path, Part::Training),
        SourceKind::Arrays => arrays::open(path, Part::Training),
        SourceKind::WebDataset => shards::open(path, Part::Training),
    }
}

/// The files of a folder whose name ends so, sorted; none where it cannot be read.
pub(super) fn files_ending(folder: &Path, endings: &[&str]) -> Vec<PathBuf> {
    let fits = |path: &Path| path.extension().is_some_and(|own| endings.iter().any(|ending| own.eq_ignore_ascii_case(ending)));
    let hidden = |path: &Path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut files: Vec<PathBuf> = entries.filter(|path| fits(path) && !hidden(path) && path.is_file()).collect();
    files.sort_unstable();
    files
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::testing::Tree;
    use crate::data::{DataOptions, companion};

    fn listed(tree: &Tree, hint: Option<SourceKind>) -> Result<Listing, String> {
        let options = DataOptions { format_hint: hint, ..DataOptions::default() };
        Listing::open(tree.path(), &options).map_err(|error| error.to_string())
    }

    #[test]
    fn a_split_folder_says_its_part_and_val_outweighs_test() {
        let tree = Tree::of(&["training/a/1.png", "training/b/1.png", "test/a/2.png", "validation/b/3.png"]);
        let options = DataOptions { path: tree.path().to_owned(), ..DataOptions::default() };
        let listing = Listing::open(tree.path(), &options).unwrap();
        assert_eq!(listing.rule, "folder name, in the part `training`");
        assert_eq!(companion(&listing, &options).unwrap().unwrap().source(), tree.path().join("validation"));
    }

    #[test]
    fn the_parts_of_a_split_folder_may_be_tables() {
        let tree = Tree::of(&["train/1.png", "train/2.png", "test/3.png"]);
        tree.write("train/metadata.csv", b"file_name,label\n1.png,a\n2.png,b\n");
        tree.write("test/metadata.csv", b"file_name,label\n3.png,b\n");
        let options = DataOptions { path: tree.path().to_owned(), ..DataOptions::default() };
        let listing = Listing::open(tree.path(), &options).unwrap();
        assert_eq!((listing.kind, listing.len()), (SourceKind::Manifest, 2));
        assert!(listing.rule.ends_with("in the part `train`"), "{}", listing.rule);
        let held_out = companion(&listing, &options).unwrap().unwrap();
        assert_eq!((held_out.len(), held_out.path_of(0).as_str()), (1, "3.png"));
    }

    #[test]
    fn a_table_beside_unlabelled_parts_is_read() {
        let tree = Tree::of(&["train/1.png", "train/2.png", "train/3.png", "test/4.png"]);
        tree.write("labels.csv", b"id,breed\n1,pug\n2,husky\n3,pug\n");
        let listing = listed(&tree, None).unwrap();
        assert_eq!((listing.kind, &listing.labels[..], listing.path_of(0).as_str()), (SourceKind::Manifest, &[1, 0, 1][..], "train/1.png"));
    }

    #[test]
    fn a_table_that_says_nothing_of_the_classes_leaves_the_names_to_speak() {
        for table in ["sampleSubmission.csv", "files.csv"] {
            let tree = Tree::of(&["train/cat.1.png", "train/dog.1.png", "train/cat.2.png", "train/dog.2.png", "test/1.png", "test/2.png"]);
            tree.write(table, if table.contains("Sub") { b"id,label\n1,0\n2,1\n" } else { b"id,label\n1,0\n2,0\n" });
            assert_eq!(listed(&tree, None).unwrap().classes, ["cat", "dog"], "{table}");
        }
    }

    #[test]
    fn archives_beside_class_folders_are_by_products() {
        let tree = Tree::of(&["cat/1.png", "dog/1.png", "all.tar", "features.npz", "list.csv"]);
        assert_eq!(listed(&tree, None).unwrap().kind, SourceKind::ImageFolder);
    }

    #[test]
    fn a_hint_settles_the_form_or_says_what_is_missing_for_it() {
        let tree = Tree::of(&["cat/1.png", "dog/1.png", "a_1.png", "b_1.png", "a_2.png", "b_2.png"]);
        tree.write("list.csv", b"path,label\na_1.png,x\nb_1.png,y\n");
        for (kind, classes) in
            [(SourceKind::ImageFolder, ["cat", "dog"]), (SourceKind::FlatFiles, ["a", "b"]), (SourceKind::Manifest, ["x", "y"])]
        {
            let listing = listed(&tree, Some(kind)).unwrap();
            assert_eq!((listing.kind, &listing.classes[..]), (kind, &classes.map(str::to_owned)[..]));
        }
        for (kind, says) in [
            (SourceKind::Idx, "is not read as IDX: it has no file such as train-images-idx3-ubyte.gz"),
            (SourceKind::Cifar, "is not read as CIFAR's binary version: it has neither data_batch_1.bin nor train.bin"),
            (SourceKind::Arrays, "is not read as NumPy arrays: it has no .npy files"),
            (SourceKind::WebDataset, "is not read as WebDataset shards: it has no .tar files"),
            (SourceKind::Tensors, "is not read as batches: it is a folder"),
        ] {
            let message = listed(&tree, Some(kind)).unwrap_err();
            assert!(message.contains(says), "{message}");
        }
        let options = DataOptions { format_hint: Some(SourceKind::FlatFiles), ..DataOptions::default() };
        let message = Listing::open(&tree.path().join("list.csv"), &options).unwrap_err().to_string();
        assert!(message.contains("it is a file; give the folder"), "{message}");
    }
}
