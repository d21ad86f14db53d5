//! The held-out samples that belong to a training listing: `--val`, or what the data set brings along.

use std::path::{Path, PathBuf};

use super::classes::{Absent, narrow};
use super::error::DataError;
use super::kind::SourceKind;
use super::listing::Listing;
use super::naming::Naming;
use super::{DataOptions, folder, idx, manifest, recognise};

/// The held-out listing: of `options.val` where that is given, else of the t10k files beside MNIST's
/// training files or of the part `val` (or `valid`, `test`, ...) beside the part `train` of `options.path`.
/// None where there is none, so that a part of the training samples must be held out.
///
/// `options.classes` are chosen here too, but one of them may have no samples.
pub fn companion(listing: &Listing, options: &DataOptions) -> Result<Option<Listing>, DataError> {
    let Some(val) = &options.val else {
        return Ok(brought_along(listing, options));
    };
    let found = narrow(named(val, listing, options)?, &options.classes, Absent::Keep)?;
    if let (Ok(own), Ok(training)) = (found.source().canonicalize(), listing.source().canonicalize())
        && own == training
    {
        return Err(DataError::HeldOutIsTraining { path: val.clone() });
    }
    Ok(Some(found))
}

/// What `--val` names.
fn named(val: &Path, listing: &Listing, options: &DataOptions) -> Result<Listing, DataError> {
    let pattern = options.labels.as_deref();
    if let Some(images) = held_out_idx(val) {
        return idx::open(&images, pattern);
    }
    if let Some(found) = recognise::held_out_of(val, options.format_hint.unwrap_or(listing.kind)) {
        return Ok(found);
    }
    let everything = DataOptions { classes: Vec::new(), ..options.clone() };
    if !val.is_dir() || pattern.is_some() {
        return Listing::open(val, &everything);
    }
    let val = folder::part(val, &folder::HELD_OUT)?.unwrap_or_else(|| val.to_owned());
    by_rule_of(listing, &val)?.map_or_else(|| Listing::open(&val, &everything), Ok)
}

/// The images file where `--val` is a folder of MNIST's files, or its imagined member `t10k`.
fn held_out_idx(val: &Path) -> Option<PathBuf> {
    if val.is_dir() {
        return idx::find(val, &["t10k", "train"]);
    }
    let is_prefix = !val.exists() && val.file_name().is_some_and(|name| name == "t10k");
    idx::find(val.parent().filter(|_| is_prefix)?, &["t10k"])
}

/// Flat files read by the rule that was inferred from the training files, where all of them follow it.
fn by_rule_of(listing: &Listing, folder: &Path) -> Result<Option<Listing>, DataError> {
    match &listing.naming {
        Some(naming @ Naming::Place(_)) => Ok(folder::by_naming(folder, naming)?.filter(|found| !found.is_empty())),
        _ => Ok(None),
    }
}

/// What was not asked for must fit in every way, else it is passed over.
fn brought_along(listing: &Listing, options: &DataOptions) -> Option<Listing> {
    let candidates = match listing.kind {
        SourceKind::Tensors => vec![listing.held_out_in_file()?],
        SourceKind::Idx => {
            let images = idx::held_out_beside(&listing.source())?;
            vec![idx::open(&images, None).ok()?]
        }
        SourceKind::Manifest => {
            let beside = || manifest::held_out_beside(&listing.source());
            let table = recognise::held_out_of(&listing.source(), listing.kind);
            table
                .or_else(|| recognise::open(&beside()?, None, Some(listing.kind)).ok())
                .into_iter()
                .chain(parts(listing, options))
                .collect()
        }
        // Of a single array, the held-out one lies beside it.
        SourceKind::Arrays if listing.source().extension().is_some_and(|ending| ending.eq_ignore_ascii_case("npy")) => {
            recognise::held_out_of(&listing.root, listing.kind).into_iter().collect()
        }
        SourceKind::Cifar | SourceKind::Arrays | SourceKind::WebDataset => {
            recognise::held_out_of(&listing.source(), listing.kind).into_iter().chain(parts(listing, options)).collect()
        }
        SourceKind::ImageFolder | SourceKind::FlatFiles => parts(listing, options),
    };
    let narrowed = candidates.into_iter().filter_map(|found| narrow(found, &options.classes, Absent::Keep).ok());
    narrowed.into_iter().find(|found| found.kind == listing.kind && found.classes.iter().all(|class| listing.classes.contains(class)))
}

/// The parts beside the part `train`, where that is what was listed.
fn parts(listing: &Listing, options: &DataOptions) -> Vec<Listing> {
    let training = folder::part(&options.path, &folder::TRAIN).ok().flatten();
    if !training.is_some_and(|training| listing.source().starts_with(training)) {
        return Vec::new();
    }
    let parts = folder::HELD_OUT.iter().filter_map(|part| folder::part(&options.path, &[part]).ok().flatten());
    let open = |part: PathBuf| by_rule_of(listing, &part).ok().flatten().or_else(|| recognise::inside(&part).ok());
    parts.filter_map(open).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::testing::{Tree, idx_images, idx_labels};

    fn found(tree: &Tree, path: &str, val: Option<&str>, classes: &[&str]) -> Result<Option<Listing>, String> {
        let at = |path: &str| if path.is_empty() { tree.path().to_owned() } else { tree.path().join(path) };
        let classes = classes.iter().map(|&class| class.to_owned()).collect();
        let options = DataOptions { path: at(path), val: val.map(at), classes, labels: None, format_hint: None };
        let listing = Listing::open(&options.path, &options).unwrap();
        companion(&listing, &options).map_err(|error| error.to_string())
    }

    fn mnist() -> Tree {
        let tree = Tree::of::<&str>(&[]);
        for (split, labels) in [("train", &[0_u8, 1, 1, 2][..]), ("t10k", &[1, 0])] {
            tree.write(&format!("{split}-images-idx3-ubyte"), &idx_images(labels.len() as u32, 1, 1));
            tree.write(&format!("{split}-labels-idx1-ubyte"), &idx_labels(labels));
        }
        tree
    }

    #[test]
    fn the_t10k_files_belong_to_the_training_files_however_they_are_named() {
        for (path, val) in
            [("", None), ("train-images-idx3-ubyte", None), ("", Some("")), ("", Some("t10k")), ("", Some("t10k-images-idx3-ubyte"))]
        {
            let held_out = found(&mnist(), path, val, &[]).unwrap().unwrap();
            assert_eq!(held_out.labels, [1, 0], "{path:?} {val:?}");
        }
        assert_eq!(found(&mnist(), "", None, &["2", "1"]).unwrap().unwrap().labels, [1]);
    }

    #[test]
    fn the_part_val_is_preferred_to_test_and_unlabelled_parts_are_passed_over() {
        let tree = Tree::of(&["train/cat/1.png", "train/dog/1.png", "test/cat/2.png", "valid/dog/3.png"]);
        assert_eq!(found(&tree, "", None, &[]).unwrap().unwrap().path_of(0), "dog/3.png");
        let tree = Tree::of(&["train/cat.1.jpg", "train/cat.2.jpg", "train/dog.1.jpg", "train/dog.2.jpg", "test/1.jpg", "test/2.jpg"]);
        assert!(found(&tree, "", None, &[]).unwrap().is_none());
        let tree = Tree::of(&["train/cat/1.png", "train/dog/1.png", "val/images/1.png"]);
        assert!(found(&tree, "", None, &[]).unwrap().is_none());
    }

    #[test]
    fn flat_held_out_files_follow_the_rule_of_the_training_files() {
        let tree = Tree::of(&["a/cat.1.jpg", "a/cat.2.jpg", "a/dog.1.jpg", "a/dog.2.jpg", "b/dog.7.jpg"]);
        let held_out = found(&tree, "a", Some("b"), &[]).unwrap().unwrap();
        assert_eq!(held_out.classes, ["dog"]);
    }

    #[test]
    fn a_val_folder_of_parts_gives_its_held_out_part() {
        let tree = Tree::of(&["train/cat/1.png", "train/dog/1.png", "test/cat/2.png"]);
        assert_eq!(found(&tree, "", Some(""), &[]).unwrap().unwrap().root, tree.path().join("test"));
    }

    #[test]
    fn the_training_data_cannot_be_held_out_from_itself() {
        let tree = Tree::of(&["cat/1.png", "dog/1.png"]);
        assert!(found(&tree, "", Some(""), &[]).unwrap_err().contains("is the training data itself"));
        assert!(found(&tree, "", None, &[]).unwrap().is_none());
        assert!(found(&tree, "", Some("nowhere"), &[]).unwrap_err().contains("does not exist"));
    }
}
