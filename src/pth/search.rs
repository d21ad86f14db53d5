//! Where in a checkpoint the state dict is.

use super::pickle::Pickle;
use super::value::{Object, Value, shown};

/// Keys under which trainings keep a model's state dict, the usual ones first. Averaged weights are last: they are not those that
/// the training went on from.
const KEYS: [&str; 17] = [
    "state_dict",
    "model_state_dict",
    "model_state",
    "model",
    "module",
    "net",
    "network",
    "net_state_dict",
    "classifier",
    "backbone",
    "weights",
    "params",
    "state",
    "ema",
    "model_ema",
    "state_dict_ema",
    "ema_state_dict",
];
/// Dicts within dicts.
const DEEPEST: usize = 2;
/// Entries of a dict whose values are looked into: a checkpoint has a dozen.
const MOST_ENTRIES: usize = 1000;

/// A dict of tensors.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// The dict.
    pub dict: Value,
    /// Its key, or keys with points between; empty at the top.
    pub path: String,
}

/// The state dict: the top dict if it has as many tensors as any within it; else the first under a usual key; else the only one.
pub fn find(pickle: &Pickle) -> Result<Place, String> {
    let Some(top) = pickle.dict(&pickle.root) else { return Err("no dict, so no state dict either".to_owned()) };
    let own = tensors(pickle, &pickle.root).count();
    let top_place = Place { dict: pickle.root.clone(), path: String::new() };
    if let Some(place) = usual(pickle, &pickle.root, "", DEEPEST)
        && tensors(pickle, &place.dict).count() > own
    {
        return Ok(place);
    }
    if own > 0 {
        return Ok(top_place);
    }
    let others: Vec<Place> = top.iter().take(MOST_ENTRIES).filter_map(|(key, value)| place(pickle, key, value)).collect();
    match &others[..] {
        [one] => Ok(one.clone()),
        [] if top.is_empty() => Err("an empty dict".to_owned()),
        [] => Err(format!("no tensors under any usual key; its keys are {}", keys(top))),
        several => {
            let several: Vec<&str> = several.iter().take(5).map(|place| place.path.as_str()).collect();
            Err(format!("tensors under several keys ({}), of which none is a usual one for a model", several.join(", ")))
        }
    }
}

/// The first usual key with tensors, within the usual keys where they are dicts of dicts.
fn usual(pickle: &Pickle, value: &Value, path: &str, depth: usize) -> Option<Place> {
    let dict = pickle.dict(value).filter(|dict| dict.len() <= MOST_ENTRIES)?;
    for key in KEYS {
        let Some((_, inner)) = dict.iter().rev().find(|(name, _)| matches!(name, Value::Text(text) if &**text == key)) else { continue };
        let path = if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
        if tensors(pickle, inner).next().is_some() {
            return Some(Place { dict: inner.clone(), path });
        }
        if depth > 1
            && let Some(place) = usual(pickle, inner, &path, depth - 1)
        {
            return Some(place);
        }
    }
    None
}

fn place(pickle: &Pickle, key: &Value, value: &Value) -> Option<Place> {
    let Value::Text(key) = key else { return None };
    tensors(pickle, value).next().map(|_| Place { dict: value.clone(), path: shown(key) })
}

/// Tensors with names directly in a dict.
fn tensors<'a>(pickle: &'a Pickle, value: &Value) -> impl Iterator<Item = &'a Value> {
    let is_tensor = |value: &Value| matches!(value, Value::Object(index) if matches!(pickle.objects[*index], Object::Tensor(_)));
    let entries = pickle.dict(value).unwrap_or_default().iter();
    entries.filter(move |(key, value)| matches!(key, Value::Text(_)) && is_tensor(value)).map(|(_, value)| value)
}

fn keys(dict: &[(Value, Value)]) -> String {
    let keys = dict.iter().take(5).map(|(key, _)| match key {
        Value::Text(text) => format!("`{}`", shown(text)),
        other => format!("{other:?}"),
    });
    keys.collect::<Vec<_>>().join(", ")
}
