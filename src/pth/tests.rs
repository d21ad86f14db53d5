//! What torch's versions wrote is read, what is hostile or of another kind is refused in words, and nothing panics.

use std::collections::BTreeMap;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use zip::CompressionMethod;
use zip::write::{SimpleFileOptions, ZipWriter};

use super::pickle::Pickle;
use super::*;
use crate::archive::DType;

const VERSIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/models/versions");

fn fixture(name: &str) -> PathBuf {
    Path::new(VERSIONS).join(name)
}

/// Float values of a tensor, whatever its type.
fn numbers(tensor: &Stored) -> Vec<f64> {
    let size = tensor.dtype.size();
    let number = |bytes: &[u8]| {
        let mut full = [0; 8];
        full[..size].copy_from_slice(bytes);
        let (low, raw) = (u64::from_le_bytes(full) as u32, i64::from_le_bytes(full));
        match tensor.dtype {
            DType::Float32 => f64::from(f32::from_bits(low)),
            DType::Float64 => f64::from_le_bytes(full),
            DType::BFloat16 => f64::from(f32::from_bits(low << 16)),
            DType::Float16 => half(low as u16),
            _ => raw as f64,
        }
    };
    tensor.contiguous().chunks(size).map(number).collect()
}

fn half(bits: u16) -> f64 {
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f64::from(bits & 1023));
    let value = if exponent == 0 { fraction * 2f64.powi(-24) } else { (1.0 + fraction / 1024.0) * 2f64.powi(exponent - 15) };
    if bits >> 15 == 1 { -value } else { value }
}

/// A file of torch.save's layout: a pickle and one storage of 16 bytes.
fn archive(pickle: &[u8]) -> Vec<u8> {
    archive_of(&[("model/data.pkl", pickle), ("model/byteorder", b"little"), ("model/data/0", &[7; 16])])
}

fn archive_of(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        zip.start_file(*name, SimpleFileOptions::default().compression_method(CompressionMethod::Stored)).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn open(bytes: &[u8]) -> Result<StateDict, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.pth");
    std::fs::write(&path, bytes).unwrap();
    read(&path).map_err(|error| error.to_string())
}

fn text(text: &str) -> Vec<u8> {
    [b"X", &(text.len() as u32).to_le_bytes()[..], text.as_bytes()].concat()
}

/// The opcodes of a tensor in storage 0, which has four float32.
fn tensor(sizes: &[u8], strides: &[u8], offset: &[u8]) -> Vec<u8> {
    let storage =
        [b"(".to_vec(), text("storage"), b"ctorch\nFloatStorage\n".to_vec(), text("0"), text("cpu"), b"K\x04tQ".to_vec()].concat();
    [b"ctorch._utils\n_rebuild_tensor_v2\n(", &storage[..], offset, sizes, strides, b"\x89ccollections\nOrderedDict\n)RtR"].concat()
}

/// A dict with one entry.
fn dict(name: &str, value: &[u8]) -> Vec<u8> {
    [b"\x80\x02}", &text(name)[..], value, b"s."].concat()
}

#[test]
fn state_dicts_of_several_versions_are_read() {
    let files = std::fs::read_dir(VERSIONS).unwrap().map(|entry| entry.unwrap().path());
    let files: Vec<_> =
        files.filter(|path| path.extension().is_some_and(|e| e == "pth") && path.to_string_lossy().contains("torch-")).collect();
    assert!(files.len() >= 4, "{files:?}");
    for path in files {
        let state = read(&path).unwrap();
        assert_eq!(state.place, "");
        assert_eq!(state.tensors.len(), 11, "{path:?}");
        assert_eq!(state.tensors["conv1.weight"].sizes, [6, 3, 3, 3]);
        assert_eq!(numbers(&state.tensors["norm1.num_batches_tracked"]), [3.0]);
    }
}

#[test]
fn values_are_read_whatever_their_type_and_strides_and_shared_ones_stay_shared() {
    let state = read(&fixture("views.pth")).unwrap();
    let expected = std::fs::read_to_string(fixture("views.json")).unwrap();
    let expected: BTreeMap<String, (Vec<i64>, Vec<f64>)> = serde_json::from_str(&expected).unwrap();
    assert_eq!(state.tensors.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (name, (sizes, values)) in expected {
        assert_eq!((&state.tensors[&name].sizes, numbers(&state.tensors[&name])), (&sizes, values), "{name}");
    }
    assert_eq!(state.unread, ["complex", "uint16"]);
    assert!(Rc::ptr_eq(&state.tensors["whole"].bytes, &state.tensors["transposed"].bytes));
    assert!(state.tensors["parameter"].requires_grad && !state.tensors["whole"].requires_grad);
}

#[test]
fn a_checkpoint_gives_its_state_dict_and_not_its_averages() {
    let state = read(&fixture("checkpoint.pth")).unwrap();
    assert_eq!(state.place, "state_dict");
    assert_eq!(state.tensors.len(), 11);
    let weight = numbers(&state.tensors["module.conv1.weight"]);
    assert!(weight.iter().any(|value| *value != 0.0));
}

#[test]
fn files_of_another_kind_say_what_to_do() {
    for (name, parts) in [
        ("whole-model.pth", ["whole pickled model of the class `torch.nn.modules.container.Sequential`", "torch.save(model.state_dict()"]),
        ("scripted.pt", ["TorchScript", "torch.jit.load"]),
        ("torch-2.13.0-convnet.pt2", ["exported model", "--model"]),
        ("torch-2.6.0-convnet.pt2", ["exported model", "--model"]),
    ] {
        let complaint = read(&fixture(name)).unwrap_err().to_string();
        for part in parts.into_iter().chain([name]) {
            assert!(complaint.contains(part), "`{part}` is not in: {complaint}");
        }
    }
    let legacy = std::fs::read(fixture("legacy.pth")).unwrap();
    assert_eq!(kind(&legacy), Kind::Pickle);
    assert!(bare_pickle(Path::new("old.pth")).to_string().contains("torch.load"));
    assert_eq!(kind(&std::fs::read(fixture("views.pth")).unwrap()), Kind::Archive);
    assert_eq!(kind(b"PK\x03\x04\0\0\0\0{\"__metadata__\""), Kind::Other);
    assert_eq!(kind(b""), Kind::Other);
}

#[test]
fn a_pickle_that_would_run_a_command_is_refused_by_the_name_of_what_it_calls() {
    let complaints = [
        (b"\x80\x02cposix\nsystem\nX\x02\0\0\0id\x85R.".to_vec(), "calls `posix.system`"),
        (b"cos\nsystem\n(S'id'\ntR.".to_vec(), "calls `os.system`"),
        (b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93\x8c\x011\x85R.".to_vec(), "calls `builtins.eval`"),
        (b"(S'id'\nios\nsystem\n.".to_vec(), "class `os.system`"),
        (b"(cos\nsystem\nS'id'\no.".to_vec(), "class `os.system`"),
        (b"\x80\x02csubprocess\nPopen\n)\x81.".to_vec(), "class `subprocess.Popen`"),
        (b"\x80\x04cx\nY\n)}\x92.".to_vec(), "class `x.Y`"),
        (b"\x80\x02cos\nenviron\n}b.".to_vec(), "class `os.environ`"),
        // By way of torch's own helper, and of a name that shows itself as another.
        (b"\x80\x02ctorch._tensor\n_rebuild_from_type_v2\n(cos\nsystem\nctorch\nTensor\n)}tR.".to_vec(), "is damaged"),
        (b"\x80\x02cos\n\x1b[2Jsystem\n)R.".to_vec(), "calls `os.\\u{1b}[2Jsystem`"),
        // Deep in a checkpoint, in what nobody would read.
        (dict("epoch", b"](cposix\nsystem\n)Re"), "calls `posix.system`"),
    ];
    for (pickle, part) in complaints {
        let complaint = open(&archive(&pickle)).unwrap_err();
        assert!(complaint.contains(part), "`{part}` is not in: {complaint}");
        assert!(complaint.contains("model.pth was not loaded") && complaint.contains("torch.save(model.state_dict()"), "{complaint}");
    }
    // Named and never used, it does nothing.
    assert!(open(&archive(&dict("epoch", b"cposix\nsystem\n"))).unwrap_err().contains("no tensors"));
}

#[test]
fn a_tensor_that_reaches_beyond_its_storage_is_an_error() {
    let read = |sizes: &[u8], strides: &[u8], offset: &[u8]| open(&archive(&dict("w", &tensor(sizes, strides, offset))));
    assert_eq!(read(b"K\x02K\x02\x86", b"K\x02K\x01\x86", b"K\x00").unwrap().tensors["w"].sizes, [2, 2]);
    for (sizes, strides, offset) in [
        (&b"K\x05\x85"[..], &b"K\x01\x85"[..], &b"K\x00"[..]),
        (b"K\x04\x85", b"K\x01\x85", b"K\x01"),
        (b"K\x02\x85", b"K\x04\x85", b"K\x00"),
        (b"K\x02\x85", b"J\xff\xff\xff\xff\x85", b"K\x01"),
        (b"K\x02\x85", b"K\x01\x85", b"J\xff\xff\xff\xff"),
        (b"\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f\x85", b"K\x00\x85", b"K\x00"),
        (b"\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f\x85", b"\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f\x85", b"K\x00"),
        (b"K\x02\x85", b"K\x01K\x01\x86", b"K\x00"),
    ] {
        let complaint = read(sizes, strides, offset).unwrap_err();
        assert!(complaint.contains("tensor `w`"), "{complaint}");
    }
    let many = [b"(", &b"K\x01".repeat(17)[..], b"t"].concat();
    assert!(read(&many, &many, b"K\x00").unwrap_err().contains("not described"));
    // A storage that the file does not have, and one of another length.
    let pickle = dict("w", &tensor(b"K\x01\x85", b"K\x01\x85", b"K\x00"));
    assert!(open(&archive_of(&[("m/data.pkl", &pickle)])).unwrap_err().contains("`data/0`, which the file does not have"));
    let short = archive_of(&[("m/data.pkl", &pickle), ("m/data/0", &[0; 4])]);
    assert!(open(&short).unwrap_err().contains("its storage has 4 bytes, and 16 are declared"));
}

#[test]
fn what_is_deep_shared_or_in_a_circle_costs_no_more_than_its_bytes() {
    // A million lists within lists, and tuples within tuples.
    let deep = [b"\x80\x02", &b"]".repeat(1_000_000)[..], &b"a".repeat(999_999), b"."].concat();
    let tuples = [b"\x80\x02)", &b"\x85".repeat(1_000_000)[..], b"."].concat();
    assert_eq!(Pickle::parse(&deep).unwrap().objects.len(), 1_000_000);
    assert_eq!(Pickle::parse(&tuples).unwrap().objects.len(), 1_000_001);
    // Each list holds the one before ten times: ten to the power of thousand items if they were copied.
    let bomb = [&b"\x80\x02]q\x00"[..], &b"](h\x00h\x00h\x00h\x00h\x00h\x00h\x00h\x00h\x00h\x00eq\x00".repeat(1000), b"."].concat();
    assert_eq!(Pickle::parse(&bomb).unwrap().objects.len(), 1001);
    // A list in itself, a dict in itself under a usual key, and a checkpoint of checkpoints.
    Pickle::parse(b"\x80\x02]q\x00h\x00a.").unwrap();
    let circle = [b"\x80\x02}q\x00", &text("state_dict")[..], b"h\x00s", &text("model"), b"h\x00s."].concat();
    assert!(open(&archive(&circle)).unwrap_err().contains("no tensors under any usual key"));
    // Marks without end.
    assert!(Pickle::parse(&[b"(".repeat(1_000_000), b".".to_vec()].concat()).is_err());
}

#[test]
fn too_much_of_anything_is_an_error_before_memory_is_taken() {
    let opcodes = [b"\x80\x02", &b"N0".repeat(3_000_000)[..], b"N."].concat();
    assert!(matches!(Pickle::parse(&opcodes), Err(PickleError::TooLarge { what: "opcodes", .. })));
    for counted in
        [&b"X\xff\xff\xff\xff"[..], b"\x8d\xff\xff\xff\xff\xff\xff\xff\xff", b"B\xff\xff\xff\x7f", b"\x8b\xff\xff\xff\x7f", b"\x95"]
    {
        assert!(matches!(Pickle::parse(counted), Err(PickleError::Damaged { .. })), "{counted:?}");
    }
    // Entries that are given to a call would be copied by each of many: only Python 2 wrote that.
    assert!(Pickle::parse(b"\x80\x02ccollections\nOrderedDict\n](K\x01K\x02\x86e\x85R.").is_err());
}

#[test]
fn the_stack_below_a_mark_is_out_of_reach() {
    for pickle in [&b"."[..], b"0.", b"t.", b"N(.", b"N(s.", b"](a.", b"h\x07.", b"NR.", b"N\x87.", b"}NNu.", b"Nb.", b"NQ.", b"2."] {
        let read = Pickle::parse(pickle);
        assert!(matches!(read, Err(PickleError::Damaged { .. })), "{pickle:?}");
    }
    // POP takes the mark itself.
    assert_eq!(Pickle::parse(b"K\x05(0.").unwrap().root, Value::Int(5));
}

#[test]
fn plain_values_of_all_protocols_are_read_and_mean_nothing() {
    let plain: &[&[u8]] = &[
        b"N",
        b"\x88",
        b"K\x01",
        b"M\x01\x02",
        b"J\x01\x02\x03\x04",
        b"\x8a\x09\0\0\0\0\0\0\0\0\x40",
        b"G\0\0\0\0\0\0\0\0",
        b"U\x01a",
        b"\x8c\x01a",
        b"C\x01a",
        b"B\x01\0\0\0a",
        b"\x96\x01\0\0\0\0\0\0\0a",
        b"\x8f(K\x01\x90",
        b"(K\x01\x91",
        b"(K\x01l",
        b"(K\x01K\x02d",
        b"I01\n",
        b"L5L\n",
        b"F1.5\n",
        b"Va\n",
        b"c__builtin__\nset\n]\x85R",
        b"ctorch\nfloat32\n",
        b"ctorch\nSize\nK\x01\x85\x85R",
        b"ctorch\ndevice\nU\x03cpu\x85R",
    ];
    let entries: Vec<u8> = plain.iter().flat_map(|value| [text("plain"), value.to_vec()].concat()).collect();
    let weight = [text("weight"), tensor(b"K\x04\x85", b"K\x01\x85", b"K\x00")].concat();
    let pickle = [&b"\x80\x05\x95\0\0\0\0\0\0\0\0}\x94("[..], &entries, &weight, b"u."].concat();
    assert_eq!(open(&archive(&pickle)).unwrap().tensors.len(), 1);
}

#[test]
fn a_file_cut_short_anywhere_is_an_error() {
    let whole = archive(&dict("w", &tensor(b"K\x04\x85", b"K\x01\x85", b"K\x00")));
    open(&whole).unwrap();
    for length in 0..whole.len() {
        assert!(open(&whole[..length]).is_err(), "{length} bytes");
    }
}

#[test]
fn a_pickle_cut_short_or_changed_anywhere_is_no_panic() {
    let whole = dict("w", &tensor(b"K\x04\x85", b"K\x01\x85", b"K\x00"));
    for length in 0..whole.len() {
        assert!(Pickle::parse(&whole[..length]).is_err(), "{length} bytes");
    }
    for at in 0..whole.len() {
        for byte in 0..=255 {
            let mut changed = whole.clone();
            changed[at] = byte;
            if let Ok(pickle) = Pickle::parse(&changed) {
                let _ = search::find(&pickle);
            }
        }
    }
    // The archive around it: every byte inverted, and a bit of each.
    let file = archive(&whole);
    for at in 0..file.len() {
        for change in [0xff, 1 << (at % 8)] {
            let mut changed = file.clone();
            changed[at] ^= change;
            let _ = open(&changed);
        }
    }
}

proptest! {
    #[test]
    fn opcodes_in_any_order_are_no_panic(codes in prop::collection::vec(opcode(), 0..60)) {
        if let Ok(pickle) = Pickle::parse(&codes.concat()) {
            let _ = search::find(&pickle);
        }
    }
}

/// An opcode with its argument, so that long programs do not end at their first byte.
fn opcode() -> impl Strategy<Value = Vec<u8>> {
    let simple =
        prop::sample::select(b".(012N\x88\x89]})ltdasueRbQo\x81\x92\x93\x94\x85\x86\x87\x8f\x90\x91".to_vec()).prop_map(|code| vec![code]);
    let memo = (prop::sample::select(b"qhK".to_vec()), 0..4u8).prop_map(|(code, key)| vec![code, key]);
    let names = [
        "collections\nOrderedDict",
        "torch._utils\n_rebuild_tensor_v2",
        "torch._utils\n_rebuild_parameter",
        "torch\nFloatStorage",
        "torch\nSize",
    ];
    let names = prop::sample::select(names.to_vec()).prop_map(|name| format!("c{name}\n").into_bytes());
    let texts = prop::sample::select(vec!["storage", "0", "model", "w"]).prop_map(text);
    prop_oneof![4 => simple, 2 => memo, 1 => names, 1 => texts, 1 => Just(tensor(b"K\x04\x85", b"K\x01\x85", b"K\x00"))]
}
