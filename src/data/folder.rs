//! Folders of images: class folders, as torchvision's `ImageFolder` takes them, or flat files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::error::DataError;
use super::kind::SourceKind;
use super::listing::Listing;
use super::naming::{Found, Naming, slashed};
use super::walk::{Level, images_below, level};
use super::{classes, names};

/// Folders that hold the training part of a data set.
pub(super) const TRAIN: [&str; 2] = ["train", "training"];
/// Folders that hold its other parts, the one to judge by first.
pub const HELD_OUT: [&str; 7] = ["val", "valid", "validation", "dev", "test", "testing", "eval"];

/// The first part of that name, if the folder holds the parts of a data set and nothing else.
pub(super) fn part(folder: &Path, wanted: &[&str]) -> Result<Option<PathBuf>, DataError> {
    let top = level(folder)?;
    let find = |part: &&str| top.folders.iter().find(|name| name.eq_ignore_ascii_case(part));
    let is_part = |name: &str| TRAIN.iter().chain(&HELD_OUT).any(|part| name.eq_ignore_ascii_case(part));
    let only_parts = top.folders.iter().map(|name| name.to_string_lossy()).all(|name| is_part(&name) || name.starts_with('.'));
    let is_split = top.images.is_empty() && only_parts && TRAIN.iter().any(|train| find(train).is_some());
    Ok(wanted.iter().find_map(find).filter(|_| is_split).map(|name| folder.join(name)))
}

/// Lists a folder: class folders, or else files with the label in their names.
pub(super) fn open_whole(folder: &Path) -> Result<Listing, DataError> {
    let top = level(folder)?;
    let mut found: Vec<(String, Vec<PathBuf>)> = Vec::with_capacity(top.folders.len());
    let mut others = top.others.clone();
    for name in &top.folders {
        let below = images_below(folder, Path::new(name))?;
        below.others.into_iter().for_each(|(extension, count)| *others.entry(extension).or_default() += count);
        found.push((name.to_string_lossy().into_owned(), below.images));
    }
    // torchvision refuses an empty class folder; here it is a class without samples, unless it is hidden.
    found.retain(|(name, images)| !(images.is_empty() && name.starts_with('.')));
    match found.iter().filter(|(_, images)| !images.is_empty()).count() {
        0 if top.images.is_empty() => Err(nothing(folder, &top, &others)),
        // Beside images, a single folder of images is more likely a by-product than the only class.
        0 | 1 if !top.images.is_empty() => by_name(folder, top.images.into_iter().map(PathBuf::from).collect()),
        _ => {
            let (classes, images): (Vec<_>, Vec<_>) = found.into_iter().unzip();
            let label = |(label, images): (usize, Vec<PathBuf>)| images.into_iter().map(move |image| (image, label as u32));
            let samples = images.into_iter().enumerate().flat_map(label).collect();
            Ok(Listing::of_files(folder, SourceKind::ImageFolder, "folder name".to_owned(), classes, samples))
        }
    }
}

/// Lists the files of a folder by their names, whatever folders are beside them.
pub(super) fn flat(folder: &Path) -> Result<Listing, DataError> {
    let top = level(folder)?;
    if top.images.is_empty() {
        return Err(nothing(folder, &top, &top.others));
    }
    by_name(folder, top.images.into_iter().map(PathBuf::from).collect())
}

fn nothing(folder: &Path, top: &Level, others: &BTreeMap<String, usize>) -> DataError {
    let path = folder.to_owned();
    if top.folders.is_empty() && others.is_empty() {
        return DataError::EmptyFolder { path };
    }
    let files: Vec<String> = others.iter().map(|(extension, count)| format!("{count} x {extension}")).collect();
    let files = if files.is_empty() { "no files".to_owned() } else { files.join(", ") };
    let folders = match top.folders.len() {
        0 => String::new(),
        1 => " in it and its 1 folder".to_owned(),
        count => format!(" in it and its {count} folders"),
    };
    DataError::NoImages { path, found: files + &folders }
}

fn by_name(folder: &Path, files: Vec<PathBuf>) -> Result<Listing, DataError> {
    let (place, rule) = names::infer(folder, &files)?;
    let naming = Naming::Place(place);
    labelled(folder, files, &naming, &rule).map_err(|strays| DataError::LabelsUnclear {
        path: folder.to_owned(),
        first: strays.first.clone(),
        last: strays.first,
        hint: String::new(),
    })
}

/// Lists the images in and below a folder by `--labels`.
pub(super) fn by_pattern(folder: &Path, pattern: &str) -> Result<Listing, DataError> {
    let naming = Naming::pattern(pattern)?;
    let below = images_below(folder, Path::new(""))?;
    if below.images.is_empty() {
        return Err(nothing(folder, &level(folder)?, &below.others));
    }
    let mut files = below.images;
    let count = files.len();
    files.sort_by_cached_key(|file| slashed(file));
    labelled(folder, files, &naming, &format!("--labels '{pattern}'")).map_err(|strays| DataError::PatternMisses {
        pattern: pattern.to_owned(),
        file: strays.first,
        misses: strays.count,
        files: count,
    })
}

/// Lists flat files by a rule that is known already.
pub(super) fn by_naming(folder: &Path, naming: &Naming) -> Result<Option<Listing>, DataError> {
    let files = level(folder)?.images.into_iter().map(PathBuf::from).collect();
    Ok(labelled(folder, files, naming, "as for the training files").ok())
}

/// Files in which the rule finds no label.
struct Strays {
    first: String,
    count: usize,
}

fn labelled(folder: &Path, files: Vec<PathBuf>, naming: &Naming, rule: &str) -> Result<Listing, Strays> {
    let mut label_of: BTreeMap<String, u32> = BTreeMap::new();
    let mut found: Vec<(PathBuf, String)> = Vec::with_capacity(files.len());
    let mut strays = Strays { first: String::new(), count: 0 };
    let mut in_names = false;
    for file in files {
        let path = slashed(&file);
        if let Some(Found { label, in_file_name }) = naming.find(&path) {
            in_names |= in_file_name;
            label_of.entry(label.to_owned()).or_default();
            found.push((file, label.to_owned()));
        } else {
            strays.count += 1;
            if strays.count == 1 {
                strays.first = path;
            }
        }
    }
    if strays.count > 0 {
        return Err(strays);
    }
    label_of.values_mut().zip(0..).for_each(|(label, position)| *label = position);
    let samples = found.into_iter().map(|(file, label)| (file, label_of[&label])).collect();
    let classes: Vec<String> = label_of.into_keys().collect();
    let rule = format!("{rule}: {}", classes::some(&classes));
    let mut listing = Listing::of_files(folder, SourceKind::FlatFiles, rule, classes, samples);
    listing.labels_in_names = in_names;
    listing.naming = Some(naming.clone());
    Ok(listing)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::DataOptions;
    use crate::data::testing::Tree;

    fn opened(files: &[&str], pattern: Option<&str>) -> Result<Listing, String> {
        let options = DataOptions { labels: pattern.map(str::to_owned), ..DataOptions::default() };
        Listing::open(Tree::of(files).path(), &options).map_err(|error| error.to_string())
    }

    fn paths(listing: &Listing) -> Vec<String> {
        (0..listing.len()).map(|index| listing.path_of(index)).collect()
    }

    #[test]
    fn class_folders_are_labelled_by_their_sorted_names() {
        let listing =
            opened(&["dog/2.png", "dog/10.png", "cat/sub/1.png", "cat/1.png", "empty/notes.txt", ".hidden/x.txt", "README.md"], None)
                .unwrap();
        assert_eq!((listing.kind, listing.rule.as_str()), (SourceKind::ImageFolder, "folder name"));
        assert_eq!(listing.classes, ["cat", "dog", "empty"]);
        assert_eq!(paths(&listing), ["cat/1.png", "cat/sub/1.png", "dog/10.png", "dog/2.png"]);
        assert_eq!(listing.labels, [0, 0, 1, 1]);
    }

    #[test]
    fn one_class_is_listed_for_a_check_to_judge() {
        assert_eq!(opened(&["cat/1.png", "cat/2.png"], None).unwrap().classes, ["cat"]);
    }

    #[test]
    fn flat_files_show_the_rule_that_was_inferred() {
        let listing = opened(&["dog.0.jpg", "cat.0.jpg", "cat.1.jpg", "dog.1.jpg", "thumbs/1.jpg"], None).unwrap();
        assert_eq!((listing.kind, listing.rule.as_str()), (SourceKind::FlatFiles, "file name up to the first `.`: cat, dog"));
        assert_eq!(listing.labels, [0, 0, 1, 1]);
        assert!(listing.labels_in_names);
    }

    #[test]
    fn a_pattern_labels_files_at_any_depth() {
        let listing = opened(&["a/1_x.jpg", "b/2_y.jpg", "b/3_x.jpg"], Some("_([xy])")).unwrap();
        assert_eq!((&listing.classes, &listing.labels), (&vec!["x".to_owned(), "y".to_owned()], &vec![0, 1, 0]));
        assert!(listing.labels_in_names && listing.rule == "--labels '_([xy])': x, y");
        assert!(!opened(&["a/1.jpg", "b/2.jpg"], Some("^(.)/")).unwrap().labels_in_names);
    }

    #[test]
    fn a_pattern_that_misses_a_file_names_the_first() {
        let message = opened(&["cat.1.jpg", "dog.1.jpg", "x1.jpg", "x2.jpg"], Some("(cat|dog)")).unwrap_err();
        assert!(message.contains("finds no label in `x1.jpg` (2 of 4 files)"), "{message}");
    }

    #[test]
    fn the_part_train_stands_for_a_folder_of_parts() {
        let listing = opened(&["train/cat/1.png", "train/dog/1.png", "val/cat/1.png", "readme.txt"], None).unwrap();
        assert_eq!(listing.classes, ["cat", "dog"]);
        let listing = opened(&["train/1.png", "car/1.png"], None).unwrap();
        assert_eq!(listing.classes, ["car", "train"]);
    }

    #[test]
    fn a_folder_without_images_says_what_was_found() {
        let message = opened(&["a.csv", "b.csv", "x/c.PPM"], None).unwrap_err();
        assert!(message.contains("found 2 x .csv, 1 x .ppm in it and its 1 folder; files ending in jpg, jpeg, png"), "{message}");
        let message = opened(&["a.csv"], Some("(.)")).unwrap_err();
        assert!(message.contains("found 1 x .csv; files"), "{message}");
        assert!(opened(&[], None).unwrap_err().ends_with("is empty; give the folder that holds the class folders or the images"));
    }
}
