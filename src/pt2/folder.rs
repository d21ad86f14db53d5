//! Tensors of a `.pt2` file of torch 2.8 and later: a folder of raw bytes, and an index that says what they are.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use serde::Deserialize;

use super::error::Pt2Error;
use super::schema::TensorMeta;
use crate::archive::{Archive, DType, Stored};

/// Bytes of one tensor.
const MOST_BYTES: u64 = 8 << 30;

/// The index of a folder of tensors.
#[derive(Deserialize)]
struct Index {
    config: BTreeMap<String, Entry>,
}

#[derive(Deserialize)]
struct Entry {
    path_name: String,
    #[serde(default)]
    use_pickle: bool,
    tensor_meta: Option<TensorMeta>,
}

/// Reads the tensors of a folder; none where there is no index.
pub fn read(archive: &mut Archive, folder: &str, index: &str) -> Result<BTreeMap<String, Stored>, Pt2Error> {
    let Some(index) = archive.json::<Index>(&format!("{folder}/{index}"))? else { return Ok(BTreeMap::new()) };
    let mut files: HashMap<String, Rc<Vec<u8>>> = HashMap::new();
    let mut tensors = BTreeMap::new();
    for (name, entry) in index.config {
        // A custom object or a tensor subclass is pickled: it is not opened, and only missed if the graph reads it.
        let Some(meta) = entry.tensor_meta.filter(|_| !entry.use_pickle) else { continue };
        let bytes = if let Some(bytes) = files.get(&entry.path_name) {
            Rc::clone(bytes)
        } else {
            let read = archive.bytes(&format!("{folder}/{}", entry.path_name), MOST_BYTES)?;
            let missing = || Pt2Error::content(archive, format!("`{name}` lies in `{}`, which it does not have", entry.path_name));
            let bytes = Rc::new(read.ok_or_else(missing)?);
            files.insert(entry.path_name.clone(), Rc::clone(&bytes));
            bytes
        };
        let stored = stored(&meta, bytes).map_err(|problem| Pt2Error::content(archive, format!("tensor `{name}`: {problem}")))?;
        tensors.insert(name, stored);
    }
    Ok(tensors)
}

/// A tensor of which every element lies within its bytes.
fn stored(meta: &TensorMeta, bytes: Rc<Vec<u8>>) -> Result<Stored, String> {
    let dtype = DType::of(meta.dtype).ok_or_else(|| format!("dtype code {} is not read", meta.dtype))?;
    let number = |value: &serde_json::Value| value.get("as_int").and_then(serde_json::Value::as_i64);
    let numbers = |values: &[serde_json::Value], what: &str| {
        values.iter().map(number).collect::<Option<Vec<i64>>>().ok_or_else(|| format!("its {what} are not whole numbers"))
    };
    let offset = meta.storage_offset.as_ref().map_or(Some(0), number).ok_or("its offset is no whole number")?;
    let stored = Stored::new(dtype, numbers(&meta.sizes, "sizes")?, numbers(&meta.strides, "strides")?, offset, bytes)?;
    Ok(Stored { requires_grad: meta.requires_grad, ..stored })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tensor_is_what_its_index_says() {
        let numbers = |numbers: &[i64]| numbers.iter().map(|n| serde_json::json!({ "as_int": n })).collect();
        let meta = |dtype| TensorMeta {
            dtype,
            sizes: numbers(&[2, 2]),
            strides: numbers(&[1, 2]),
            storage_offset: Some(serde_json::json!({ "as_int": 1 })),
            requires_grad: true,
        };
        let bytes = Rc::new((0..5).collect::<Vec<u8>>());
        let read = stored(&meta(1), Rc::clone(&bytes)).unwrap();
        assert!(read.requires_grad);
        assert_eq!(read.contiguous(), [1, 3, 2, 4]);
        assert!(stored(&meta(99), Rc::clone(&bytes)).unwrap_err().contains("dtype code 99"));
        let symbolic = TensorMeta { sizes: vec![serde_json::json!({ "as_expr": "s0" }); 2], ..meta(1) };
        assert!(stored(&symbolic, bytes).unwrap_err().contains("sizes are not whole numbers"));
    }
}
