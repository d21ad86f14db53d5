use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use nanprobe_checks::AnyCheck;
use nanprobe_checks::recipe::{Init, Normalize};

use super::fixture::Plant;
use super::*;
use crate::config::Settings;
use crate::data::{DataOptions, Listing, label_names};

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn prepared(name: &str) -> (tempfile::TempDir, Settings) {
    let folder = folder();
    let settings = find(name).unwrap().prepare(folder.path(), 0).unwrap();
    (folder, settings)
}

fn listing(settings: &Settings) -> Listing {
    Listing::open(&settings.data.path, &DataOptions::default()).unwrap()
}

fn counts(listing: &Listing) -> Vec<usize> {
    let of = |class: usize| listing.labels.iter().filter(|&&label| label as usize == class).count();
    (0..listing.classes.len()).map(of).collect()
}

/// Every file below `folder` with its bytes.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            found.extend(files(&entry));
        } else {
            found.insert(entry.clone(), fs::read(entry).unwrap());
        }
    }
    found
}

/// The family whose faults no recipe can plant: they are Python scripts.
const IN_THE_LOOP: &str = "loop";

#[test]
fn every_check_of_the_loop_has_a_broken_script_and_its_mended_twin() {
    let folders = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/loops")).unwrap();
    let mut found = BTreeSet::new();
    for folder in folders.map(|entry| entry.unwrap().path()).filter(|path| path.join("broken.py").exists()) {
        let [broken, mended] = ["broken.py", "mended.py"].map(|script| fs::read_to_string(folder.join(script)).unwrap_or_default());
        // The first line is `# finds: CHECK at LINE`.
        let name = broken.strip_prefix("# finds: ").and_then(|rest| rest.split(' ').next()).unwrap_or_default().to_owned();
        assert!(nanprobe_checks::find(&name).is_some(), "{} finds `{name}`, which is no check", folder.display());
        assert!(!mended.is_empty() && mended != broken, "{} has no mended twin", folder.display());
        found.insert(name);
    }
    let checks = nanprobe_checks::checks().filter(|check| check.family() == IN_THE_LOOP).map(AnyCheck::name);
    let without: Vec<_> = checks.filter(|name| !found.contains(*name)).collect();
    assert!(without.is_empty(), "no script in fixtures/loops finds {without:?}");
}

#[test]
fn every_check_has_a_fixture_and_every_fixture_a_check() {
    let checks: Vec<_> = nanprobe_checks::checks().filter(|check| check.family() != IN_THE_LOOP).map(AnyCheck::name).collect();
    let faults = faults().unwrap();
    assert_eq!(faults.iter().map(|fault| fault.name).collect::<Vec<_>>(), checks);
    for fault in &faults {
        assert_eq!(fault.finds.as_deref(), Some(fault.name));
        assert!(fault.top.as_deref().is_none_or(|top| checks.contains(&top) && top != fault.name), "{}", fault.name);
    }
    assert_eq!(faults[0].name, DEFAULT_FAULT);
}

#[test]
fn every_file_in_the_folders_is_embedded() {
    for (folder, embedded) in [("faults", FAULTS), ("healthy", HEALTHY)] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(folder);
        let mut there: Vec<_> = files(&path).into_keys().map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
        let mut listed: Vec<_> = embedded.iter().map(|(name, _)| (*name).to_owned()).collect();
        there.sort();
        listed.sort();
        assert_eq!(there, listed);
    }
}

#[test]
fn every_fixture_comes_to_settings_and_every_fault_to_other_ones_than_the_base() {
    let settings_of = |fixture: &Fixture| {
        let folder = folder();
        let settings = fixture.settings(folder.path(), 0).unwrap();
        assert_eq!(settings.data.path, folder.path().join("train"), "{}", fixture.name);
        settings
    };
    let healthy = healthy().unwrap();
    let base = settings_of(&healthy[0]).recipe;
    assert_eq!((base.model.name.as_str(), base.optimizer.lr, base.image_size), ("small-cnn", 0.02, 32));
    assert!(base.shuffle);
    for fixture in &healthy {
        assert!(fixture.finds.is_none() && fixture.top.is_none());
        settings_of(fixture);
    }
    for fault in faults().unwrap() {
        assert!(settings_of(&fault).recipe != base || fault.plant != Plant::default(), "{} plants nothing", fault.name);
    }
}

#[test]
fn a_fixtures_keys_lie_over_the_bases() {
    let folder = folder();
    let recipe = find("exploding-gradient").unwrap().settings(folder.path(), 0).unwrap().recipe;
    assert_eq!((recipe.normalize, recipe.model.init, recipe.optimizer.lr), (Normalize::None, Init::Normal { std: 0.5 }, 0.02));
}

#[test]
fn the_healthy_data_is_balanced_unnamed_and_the_same_for_the_same_seed() {
    let base = &healthy().unwrap()[0];
    let written = |seed| {
        let folder = folder();
        let settings = base.prepare(folder.path(), seed).unwrap();
        let listing = listing(&settings);
        assert_eq!((&*listing.classes, counts(&listing)), (&["circle", "square", "triangle"].map(String::from)[..], vec![250; 3]));
        assert_eq!(label_names(&listing).naming, 0);
        files(folder.path()).into_iter().map(|(path, bytes)| (path.strip_prefix(folder.path()).unwrap().to_owned(), bytes)).collect()
    };
    let first: BTreeMap<PathBuf, Vec<u8>> = written(7);
    assert!(first == written(7));
    assert!(first != written(8));
}

#[test]
fn classes_get_the_numbers_of_files_they_are_given() {
    let (_folder, settings) = prepared("class-imbalance");
    assert_eq!(counts(&listing(&settings)), [720, 24, 24]);
    let (_folder, settings) = prepared("single-class-data");
    assert_eq!(counts(&listing(&settings)), [400]);
}

#[test]
fn the_planted_shares_are_there() {
    let (_folder, settings) = prepared("labels-disagree-with-names");
    let names = label_names(&listing(&settings));
    assert_eq!(names.naming, 750);
    assert!((0.33..0.47).contains(&(names.disagreeing as f64 / 750.0)), "{names:?}");

    let (_folder, settings) = prepared("unreadable-images");
    let broken = files(&settings.data.path).into_values().filter(|bytes| image::load_from_memory(bytes).is_err()).count();
    assert!((0.23..0.37).contains(&(broken as f64 / 750.0)), "{broken}");
}

#[test]
fn constant_inputs_are_one_picture_and_random_labels_are_not_named() {
    let (_folder, settings) = prepared("constant-inputs");
    let pictures = files(&settings.data.path);
    assert!(pictures.values().all(|bytes| Some(bytes) == pictures.values().next()));
    let (_folder, settings) = prepared("uninformative-labels");
    assert_eq!(label_names(&listing(&settings)).naming, 0);
}

#[test]
fn planted_weights_can_be_read_back() {
    for (name, parameter, expected) in [("dead-relu", "conv2.bias", -30.0), ("non-finite-values", "conv2.bias", f32::NAN)] {
        let (_folder, settings) = prepared(name);
        let file = fs::read(settings.recipe.model.weights.unwrap()).unwrap();
        let tensors = safetensors::SafeTensors::deserialize(&file).unwrap();
        let tensor = tensors.tensor(parameter).unwrap();
        assert_eq!((tensors.len(), tensor.shape()), (1, &[32][..]));
        for value in tensor.data().chunks(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())) {
            assert_eq!(value.total_cmp(&expected), std::cmp::Ordering::Equal);
        }
    }
}

#[test]
fn a_near_name_is_suggested_and_a_full_folder_is_left_alone() {
    let unknown = find("unshuffled-batch").unwrap_err().to_string();
    assert!(unknown.contains("did you mean `unshuffled-batches`") && unknown.contains("--list"), "{unknown}");
    let folder = folder();
    fs::write(folder.path().join("mine.txt"), "").unwrap();
    let error = find(DEFAULT_FAULT).unwrap().prepare(folder.path(), 0).unwrap_err();
    assert!(matches!(error, DemoError::NotEmpty { .. }), "{error}");
    assert_eq!(files(folder.path()).len(), 1);
}

#[test]
fn a_wrong_fixture_says_what_is_wrong() {
    for (text, says) in [
        ("finds = \"dead-relu\"", "first line"),
        ("# x\n[plant]\ntruncated = 1.5", "plant.truncated"),
        ("# x\n[plant]\nblurred = 0.5", "blurred"),
        ("# x\n[plant]\nper-class = [1, 2, 3, 4]", "per-class"),
        ("# x\n[plant]\nweights.\"conv3.bias\" = 0.0", "conv3.bias"),
        ("# x\n[gate]\n", "gate"),
    ] {
        let error = Fixture::read("wrong", text, base()).unwrap_err().to_string();
        assert!(error.contains("`wrong`") && error.contains(says), "{error}");
    }
    let folder = folder();
    let error = Fixture::read("wrong", "# x\n[train]\nrate = 1", base()).unwrap().settings(folder.path(), 0).unwrap_err().to_string();
    assert!(error.contains("rate") && error.contains("nanprobe.toml"), "{error}");
}
