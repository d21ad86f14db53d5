//! The program of an exported model with parts of it removed, replaced, repeated or exchanged: well-formed JSON, so that what is
//! behind the parser is reached too.
#![no_main]

use std::sync::LazyLock;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use nanprobe::graph::{Exported, Network};
use nanprobe_fuzz::{Entries, as_file};
use serde_json::{Value, json};
use tch::Device;

#[derive(Arbitrary, Debug)]
struct Edit {
    place: u16,
    change: Change,
}

#[derive(Arbitrary, Debug)]
enum Change {
    Null,
    Flag(bool),
    Number(i64),
    Small(i8),
    Text(u16),
    Copy(u16),
    Empty,
    Shorten,
    Repeat(u8),
}

struct Model {
    entries: Entries,
    place: usize,
    program: Value,
}

static MODELS: LazyLock<[Model; 2]> = LazyLock::new(|| {
    let read = |archive: &[u8]| {
        let entries = Entries::of(archive);
        let (place, text) = entries.ending("models/model.json");
        let program = serde_json::from_slice(text).expect("a fixture");
        Model { place, program, entries }
    };
    [
        read(include_bytes!("../../fixtures/models/versions/torch-2.13.0-convnet.pt2")),
        read(include_bytes!("../../fixtures/models/versions/torch-2.13.0-attention.pt2")),
    ]
});

fn children(value: &mut Value) -> Vec<&mut Value> {
    match value {
        Value::Array(items) => items.iter_mut().collect(),
        Value::Object(entries) => entries.iter_mut().map(|(_, entry)| entry).collect(),
        _ => vec![],
    }
}

fn size(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(size).sum(),
        Value::Object(entries) => entries.values().map(size).sum(),
        _ => 0,
    }
}

/// The part at a place, in the order in which they are written.
fn part(value: &mut Value, place: usize) -> &mut Value {
    if place == 0 {
        return value;
    }
    let mut left = place - 1;
    for child in children(value) {
        let within = size(child);
        if left < within {
            return part(child, left);
        }
        left -= within;
    }
    unreachable!("the place lies within the value's size")
}

fn apply(program: &mut Value, edit: &Edit) {
    let all = size(program);
    let other = |place: u16, program: &mut Value| part(program, usize::from(place) % all).clone();
    let new = match edit.change {
        Change::Null => Some(Value::Null),
        Change::Flag(flag) => Some(json!(flag)),
        Change::Number(number) => Some(json!(number)),
        Change::Small(number) => Some(json!(number)),
        Change::Text(place) => Some(json!(other(place, program).as_str().unwrap_or_default())),
        Change::Copy(place) => Some(other(place, program)).filter(|copy| size(copy) < 200),
        Change::Empty | Change::Shorten | Change::Repeat(_) => None,
    };
    let target = part(program, usize::from(edit.place) % all);
    match (&edit.change, target) {
        (Change::Empty, Value::Array(items)) => items.clear(),
        (Change::Empty, Value::Object(entries)) => entries.clear(),
        (Change::Shorten, Value::Array(items)) => drop(items.pop()),
        (Change::Repeat(index), Value::Array(items)) if !items.is_empty() => {
            let again = items[usize::from(*index) % items.len()].clone();
            items.push(again);
        }
        (_, target) => {
            if let Some(new) = new {
                *target = new;
            }
        }
    }
}

fuzz_target!(|input: (bool, Vec<Edit>)| {
    let model = &MODELS[usize::from(input.0)];
    let mut program = model.program.clone();
    for edit in input.1.iter().take(8) {
        apply(&mut program, edit);
    }
    as_file(&model.entries.with(model.place, program.to_string().as_bytes()), |path| {
        Exported::read(path).ok().map(|exported| Network::new(exported.graph, Device::Cpu))
    });
});
