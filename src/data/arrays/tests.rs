use std::io::{Cursor, Write};

use proptest::prelude::*;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::npy::tests::npy;
use super::*;
use crate::data::testing::Tree;
use crate::data::{DataOptions, SubsetOptions, companion, subset};

/// An `.npz` file of these arrays.
fn npz(arrays: &[(&str, Vec<u8>)], method: CompressionMethod) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in arrays {
        zip.start_file(format!("{name}.npy"), SimpleFileOptions::default().compression_method(method)).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn stored(arrays: &[(&str, Vec<u8>)]) -> Vec<u8> {
    npz(arrays, CompressionMethod::Stored)
}

fn listed(content: &[u8]) -> Result<Listing, String> {
    let tree = Tree::of::<&str>(&[]);
    tree.write("data.npz", content);
    Listing::open(&tree.path().join("data.npz"), &DataOptions::default()).map_err(|error| error.to_string())
}

fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

#[test]
fn bytes_in_the_shape_of_pictures_are_pictures() {
    let labels = ("y_train", npy("<i8", false, &[2], &[[0_u8; 8], 1_u64.to_le_bytes()].concat()));
    for (shape, grey) in
        [(&[2, 2, 2][..], true), (&[2, 2, 2, 1], true), (&[2, 1, 2, 2], true), (&[2, 2, 2, 3], false), (&[2, 3, 2, 2], false)]
    {
        let half = shape.iter().product::<usize>() / 2;
        let bytes = [vec![3; half], vec![9; half]].concat();
        let listing = listed(&stored(&[("x_train", npy("|u1", false, shape, &bytes)), labels.clone()])).unwrap();
        assert_eq!((listing.kind, listing.grey, listing.holds_tensors()), (SourceKind::Arrays, grey, false), "{shape:?}");
        assert_eq!((listing.decode(1, 3, 2).unwrap(), listing.path_of(1)), (vec![9; 12], "data.npz#1".to_owned()));
    }
}

#[test]
fn a_compressed_file_a_folder_and_a_single_array_are_read_alike() {
    let inputs = npy("|u1", false, &[4, 1, 1], &[0, 1, 2, 3]);
    let targets = npy("|u1", false, &[4, 1], &[0, 1, 1, 0]);
    let tree = Tree::of::<&str>(&[]);
    tree.write("a.npz", &npz(&[("images", inputs.clone()), ("labels", targets.clone())], CompressionMethod::Deflated));
    tree.write("b/images.npy", &inputs);
    tree.write("b/labels.npy", &targets);
    tree.write("c/one.npz", &stored(&[("arr_0", inputs), ("arr_1", targets)]));
    for path in ["a.npz", "b", "b/images.npy", "c"] {
        let listing = Listing::open(&tree.path().join(path), &DataOptions::default()).unwrap();
        assert_eq!((listing.kind, &listing.labels[..]), (SourceKind::Arrays, &[0, 1, 1, 0][..]), "{path}");
        assert_eq!(listing.decode(2, 1, 1).unwrap(), [2]);
    }
    let message = Listing::open(&tree.path().join("b/labels.npy"), &DataOptions::default()).unwrap_err().to_string();
    assert!(message.contains("these are the targets; give the file of inputs"), "{message}");
}

#[test]
fn floats_are_tensors_and_the_test_arrays_are_held_out() {
    let table = |values: &[f32]| npy("<f4", false, &[values.len() / 2, 2], &floats(values));
    let tree = Tree::of::<&str>(&[]);
    tree.write(
        "data.npz",
        &stored(&[
            ("X_train", table(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])),
            ("Y_train", npy("<i4", false, &[3], &[0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0])),
            ("X_test", table(&[7.0, 8.0])),
            ("Y_test", npy("<u2", false, &[1], &[1, 0])),
        ]),
    );
    let options = DataOptions { path: tree.path().join("data.npz"), ..DataOptions::default() };
    let listing = Listing::open(&options.path, &options).unwrap();
    assert_eq!(listing.rule, "array `Y_train` of `data.npz`; inputs from `X_train`, [N, 2] as the network receives them");
    assert!(listing.holds_tensors() && listing.kind == SourceKind::Arrays);
    let held_out = companion(&listing, &options).unwrap().unwrap();
    assert_eq!((&held_out.labels[..], held_out.source()), (&[1][..], tree.path().join("data.npz:X_test")));
    let drawn = subset(&listing, Some(&held_out), &SubsetOptions { train: 3, ..SubsetOptions::default() }, &|_, _| {}).unwrap();
    assert_eq!((drawn.train.bytes, drawn.held_out.bytes), (floats(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), floats(&[7.0, 8.0])));
    let named = DataOptions { val: Some(options.path.clone()), ..options };
    assert_eq!(companion(&listing, &named).unwrap().unwrap().labels, [1]);
}

#[test]
fn targets_may_be_names_or_one_hot_rows_and_a_table_of_bytes_is_floats() {
    let inputs = || ("x", npy("|u1", false, &[2, 5], &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]));
    let names = listed(&stored(&[inputs(), ("y", npy("|S3", false, &[2], b"dogcat"))])).unwrap();
    assert_eq!((&names.classes[..], &names.labels[..]), (&["cat", "dog"].map(str::to_owned)[..], &[1, 0][..]));
    assert_eq!(names.decode(0, 3, 8).unwrap(), floats(&[0.0, 1.0, 2.0, 3.0, 4.0]));
    assert_eq!(listed(&stored(&[inputs(), ("y", npy("|b1", false, &[2, 2], &[0, 1, 1, 0]))])).unwrap().labels, [1, 0]);
    let message = listed(&stored(&[inputs(), ("y", npy("|b1", false, &[2, 2], &[0, 1, 1, 1]))])).unwrap_err();
    assert!(message.contains("`y` names 2 classes at sample 1"), "{message}");
}

#[test]
fn what_does_not_fit_is_named() {
    let inputs = || ("x", npy("|u1", false, &[2, 1, 1], &[0, 1]));
    let targets = || ("y", npy("|u1", false, &[2], &[0, 1]));
    for (content, says) in [
        (
            stored(&[inputs(), ("z", vec![])]),
            "its arrays (`x`, `z`) are not inputs and targets by the usual names; save them so: np.savez(",
        ),
        (
            stored(&[inputs(), ("y", npy("|O", false, &[2], b"\x80\x04"))]),
            "`y`: it is an array of Python objects, a pickle, which is never opened",
        ),
        (stored(&[inputs(), ("y", npy("|u1", false, &[3], &[0; 3]))]), "`x` has shape [2, 1, 1] beside 3 of `y`"),
        (stored(&[("x", npy("|u1", false, &[0, 1], &[])), ("y", npy("|u1", false, &[0], &[]))]), "nothing to train on"),
        (stored(&[("x", npy("|u1", false, &[2, 1 << 40], &[0])), targets()]), "its header promises 2199023255552"),
        (stored(&[inputs(), ("y", npy("<f4", false, &[2], &floats(&[0.5, 1.0])))]), "is 0.5 at sample 0"),
        (stored(&[inputs(), targets()])[..60].to_vec(), "no zip archive, or a damaged one"),
        (vec![], "no zip archive"),
    ] {
        let message = listed(&content).unwrap_err();
        assert!(message.contains(says) && message.contains("data.npz` is not read as NumPy arrays"), "{message}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn a_file_that_is_changed_anywhere_still_reads_within_itself(places in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8), cut in any::<prop::sample::Index>()) {
        let mut content = stored(&[("x", npy("|u1", false, &[2, 1, 1], &[0, 1])), ("y", npy("|u1", false, &[2], &[0, 1]))]);
        for (place, byte) in places {
            let place = place.index(content.len());
            content[place] = byte;
        }
        for content in [&content[..], &content[..cut.index(content.len())]] {
            if let Ok(listing) = listed(content) {
                (0..listing.len()).for_each(|sample| drop(listing.decode(sample, 3, 4)));
            }
        }
    }
}
