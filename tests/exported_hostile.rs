//! Exported models that were damaged or made to do harm: an error, never a panic, never more memory than declared.
//!
//! `NANPROBE_MUTATIONS=1000000 cargo test --release --test exported_hostile` tries so many.
#![cfg(feature = "engine")]

use std::fs;
use std::io::{Cursor, Read, Write};
use std::path::Path;

use nanprobe::graph::{Exported, Network};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::Value;
use tch::Device;
use zip::write::{SimpleFileOptions, ZipWriter};
use zip::{CompressionMethod, ZipArchive};

const MODEL: &[u8] = include_bytes!("../fixtures/models/batch-mixing.pt2");
/// Of torch 2.5: another layout, and tensors in pickles.
const OLD: &[u8] = include_bytes!("../fixtures/models/versions/torch-2.5.1-convnet.pt2");
const GRAPH: &str = "batch-mixing/models/model.json";
const WEIGHTS: &str = "batch-mixing/data/weights/model_weights_config.json";

fn mutations() -> u64 {
    std::env::var("NANPROBE_MUTATIONS").ok().and_then(|n| n.parse().ok()).unwrap_or(400)
}

/// Reads the file and makes the network; the error in words.
fn open(path: &Path) -> Result<(), String> {
    let exported = Exported::read(path).map_err(|error| error.to_string())?;
    Network::new(exported.graph, Device::Cpu).map(drop).map_err(|error| error.to_string())
}

fn open_bytes(bytes: &[u8]) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.pt2");
    fs::write(&path, bytes).unwrap();
    open(&path)
}

/// The entries of an archive.
fn entries(archive: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut zip = ZipArchive::new(Cursor::new(archive)).unwrap();
    (0..zip.len())
        .map(|index| {
            let mut entry = zip.by_index(index).unwrap();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            (entry.name().unwrap().into_owned(), bytes)
        })
        .collect()
}

/// The archive with one entry changed and all checksums right.
fn with(archive: &[u8], entry: &str, change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let mut change = Some(change);
    for (name, mut bytes) in entries(archive) {
        if name == entry {
            change.take().unwrap()(&mut bytes);
        }
        zip.start_file(name, SimpleFileOptions::default().compression_method(CompressionMethod::Stored)).unwrap();
        zip.write_all(&bytes).unwrap();
    }
    assert!(change.is_none(), "no entry {entry}");
    zip.finish().unwrap().into_inner()
}

fn with_json(entry: &str, change: impl FnOnce(&mut Value)) -> Vec<u8> {
    with(MODEL, entry, |bytes| {
        let mut json = serde_json::from_slice(bytes).unwrap();
        change(&mut json);
        *bytes = serde_json::to_vec(&json).unwrap();
    })
}

#[test]
fn the_model_itself_is_read() {
    open_bytes(MODEL).unwrap();
    open_bytes(&with(MODEL, GRAPH, |_| {})).unwrap();
    open_bytes(OLD).unwrap();
}

#[test]
fn a_file_cut_short_anywhere_is_an_error() {
    for model in [MODEL, OLD] {
        for length in (0..model.len()).step_by(model.len() / 50) {
            assert!(open_bytes(&model[..length]).is_err(), "{length} bytes");
        }
    }
}

#[test]
fn flipped_bits_are_no_panic() {
    let mut rng = StdRng::seed_from_u64(0);
    for attempt in 0..mutations() {
        let mut bytes = if attempt % 2 == 0 { MODEL } else { OLD }.to_vec();
        for _ in 0..rng.random_range(1..4) {
            let at = rng.random_range(0..bytes.len());
            bytes[at] ^= 1 << rng.random_range(0..8);
        }
        let _ = open_bytes(&bytes);
    }
}

/// Every place in a JSON value.
fn places(value: &Value, path: &str, found: &mut Vec<String>) {
    found.push(path.to_owned());
    match value {
        Value::Array(items) => items.iter().enumerate().for_each(|(i, item)| places(item, &format!("{path}/{i}"), found)),
        Value::Object(map) => {
            for (key, item) in map {
                places(item, &format!("{path}/{}", key.replace('~', "~0").replace('/', "~1")), found);
            }
        }
        _ => {}
    }
}

#[test]
fn a_graph_changed_anywhere_is_no_panic() {
    let mut rng = StdRng::seed_from_u64(1);
    for entry in [GRAPH, WEIGHTS] {
        let original: Value = serde_json::from_slice(&entries(MODEL).into_iter().find(|(name, _)| name == entry).unwrap().1).unwrap();
        let mut all = Vec::new();
        places(&original, "", &mut all);
        let donors: Vec<Value> = all.iter().map(|path| original.pointer(path).unwrap().clone()).collect();
        let extremes = [i64::MAX, i64::MIN, -1, 0, 1 << 40, 99].map(Value::from);
        for _ in 0..mutations() {
            let mut json = original.clone();
            for _ in 0..rng.random_range(1..3) {
                let path = &all[rng.random_range(0..all.len())];
                let new = if rng.random_bool(0.5) {
                    donors[rng.random_range(0..donors.len())].clone()
                } else {
                    extremes[rng.random_range(0..extremes.len())].clone()
                };
                if let Some(place) = json.pointer_mut(path).filter(|_| !path.is_empty()) {
                    *place = new;
                }
            }
            let bytes = with(MODEL, entry, |bytes| *bytes = serde_json::to_vec(&json).unwrap());
            let _ = open_bytes(&bytes);
        }
    }
}

/// What opening the file says when that was changed.
fn complaint(entry: &str, change: impl FnOnce(&mut Value)) -> String {
    open_bytes(&with_json(entry, change)).expect_err("it was read")
}

#[test]
fn what_is_wrong_is_named() {
    let node = |json: &mut Value, index: usize| json["graph_module"]["graph"]["nodes"][index].take();
    let complaints = [
        // A node whose input was taken away, and nodes in the wrong order.
        (
            complaint(GRAPH, |json| drop(json["graph_module"]["graph"]["nodes"].as_array_mut().unwrap().remove(0))),
            "is read before it is computed",
        ),
        (
            complaint(GRAPH, |json| json["graph_module"]["graph"]["nodes"].as_array_mut().unwrap().reverse()),
            "is read before it is computed",
        ),
        (
            complaint(GRAPH, |json| {
                json["graph_module"]["graph"]["nodes"][1]["target"] = "torch.ops.aten.no_such_operator.default".into();
            }),
            "no_such_operator",
        ),
        (
            complaint(GRAPH, |json| {
                json["graph_module"]["graph"]["nodes"][1]["target"] = "torch.ops.aten.from_file.default".into();
            }),
            "operator `aten.from_file.default`",
        ),
        (
            complaint(GRAPH, |json| {
                json["graph_module"]["graph"]["nodes"][1]["target"] = "torch.ops.aten.relu(x); import os #.default".into();
            }),
            "is not known",
        ),
        (complaint(GRAPH, |json| json["schema_version"]["major"] = 6.into()), "schema 6"),
        (complaint(GRAPH, |json| drop(node(json, 2))), "models/model.json"),
        (
            complaint(WEIGHTS, |json| json["config"]["conv1.weight"]["tensor_meta"]["dtype"] = 77.into()),
            "tensor `conv1.weight`: dtype code 77",
        ),
        (
            complaint(WEIGHTS, |json| json["config"]["fc1.weight"]["tensor_meta"]["sizes"][0]["as_int"] = (1i64 << 60).into()),
            "do not fit into its",
        ),
        (complaint(WEIGHTS, |json| json["config"]["fc1.weight"]["path_name"] = "../../../etc/passwd".into()), "which it does not have"),
        (
            complaint(WEIGHTS, |json| drop(json["config"].as_object_mut().unwrap().remove("fc1.weight"))),
            "parameter `fc1.weight` has no values",
        ),
        (open_bytes(b"not a zip archive at all").unwrap_err(), "is not an exported model"),
    ];
    for (complaint, part) in complaints {
        assert!(complaint.contains(part), "`{part}` is not in: {complaint}");
    }
}

#[test]
fn a_file_that_is_missing_or_a_folder_is_named() {
    let folder = tempfile::tempdir().unwrap();
    assert!(open(folder.path()).unwrap_err().contains("folder"));
    let missing = folder.path().join("none.pt2");
    assert!(open(&missing).unwrap_err().contains("none.pt2"));
}

#[test]
fn pickled_tensors_of_an_old_model_are_read_with_the_same_suspicion() {
    let weights = "serialized_state_dict.pt";
    let pickle = "archive/data.pkl";
    // The pickle within the archive within the archive.
    let with_pickle = |change: &dyn Fn(&mut Vec<u8>)| open_bytes(&with(OLD, weights, |bytes| *bytes = with(bytes, pickle, change)));
    with_pickle(&|_| {}).unwrap();
    let replaced = |from: &[u8], to: &[u8]| {
        with_pickle(&|bytes| {
            let at = bytes.windows(from.len()).position(|window| window == from).unwrap();
            bytes.splice(at..at + from.len(), to.iter().copied());
        })
    };
    for (complaint, part) in [
        (replaced(b"ctorch._utils\n_rebuild_parameter\n", b"cposix\nsystem\n"), "calls `posix.system`"),
        (replaced(b"K\xa2", b"K\xa1"), "tensor `conv1.weight`: its storage has 648 bytes, and 644 are declared"),
        (replaced(b"conv1.weight", b"conv1.height"), "parameter `conv1.weight` has no values"),
        (replaced(b"\x80\x02", b"\x80\x02\x82"), "the opcode 0x82"),
        (open_bytes(&with(OLD, weights, |bytes| bytes.truncate(100))), "`serialized_state_dict.pt`"),
        (open_bytes(&with(OLD, weights, Vec::clear)), "has no values"),
    ] {
        let complaint = complaint.expect_err(part);
        assert!(complaint.contains(part) && complaint.contains("model.pt2"), "`{part}` is not in: {complaint}");
    }
    let mut rng = StdRng::seed_from_u64(2);
    for _ in 0..mutations() {
        let (place, bit) = (rng.random_range(0..1 << 16), rng.random_range(0..8));
        let _ = with_pickle(&|bytes| {
            let place = place % bytes.len();
            bytes[place] ^= 1 << bit;
        });
    }
}
