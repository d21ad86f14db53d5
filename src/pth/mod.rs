//! Reads what `torch.save(model.state_dict(), ...)` writes, without PyTorch and without executing anything.
//!
//! Such a file is a zip archive with one top folder: `data.pkl`, a pickle that describes the tensors, and `data/N`, the raw bytes they
//! lie in (torch.serialization). [`pickle`] understands of Python's pickle what a state dict needs and refuses the rest by name;
//! [`search`] finds the state dict in a checkpoint. Bytes are only read for the tensors that are in it.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::rc::Rc;

mod error;
mod op;
mod pickle;
mod reader;
mod rebuild;
mod search;
#[cfg(test)]
mod tests;
mod value;

pub use error::{PickleError, PthError};
pub use value::shown;

use crate::archive::{Archive, Stored};
use crate::pt2::OLD_GRAPH;
use pickle::Pickle;
use value::{Object, Storage, Value};

/// Bytes that storages may have together: the archive has its own limit, which is its length.
const MOST_STORAGE: u64 = 8 << 30;

/// Tensors by name.
#[derive(Debug, Default)]
pub struct StateDict {
    /// Those that are read.
    pub tensors: BTreeMap<String, Stored>,
    /// Names of those whose type of elements is not read, such as complex numbers.
    pub unread: Vec<String>,
    /// Key of the file's dict under which they are; empty for the dict itself.
    pub place: String,
}

/// Where the tensors are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// In the dict itself, which may be empty.
    Top,
    /// Wherever in the dict trainings keep a state dict.
    Checkpoint,
}

/// What the first bytes of a file say it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A zip archive, as `torch.save` writes since torch 1.6.
    Archive,
    /// A bare pickle, as it wrote before; or any other pickle.
    Pickle,
    /// Something else, such as safetensors.
    Other,
}

/// The kind of a file that begins so: at least 9 bytes are looked at.
pub fn kind(head: &[u8]) -> Kind {
    // Safetensors: the length of a JSON header in 8 bytes, then the header.
    match head {
        [_, _, _, _, _, _, _, _, b'{', ..] => Kind::Other,
        [b'P', b'K', 3, 4, ..] => Kind::Archive,
        // Opcode PROTO with a version.
        [0x80, 2..=5, ..] => Kind::Pickle,
        _ => Kind::Other,
    }
}

/// Reads a file.
pub fn read(path: &Path) -> Result<StateDict, PthError> {
    read_archive(&mut Archive::open(path)?, Extent::Checkpoint)
}

/// What to say of a bare pickle.
pub fn bare_pickle(path: &Path) -> PthError {
    let remedy = "write it anew with a torch of 1.6 or later: `torch.save(torch.load(\"old.pth\"), \"new.pth\")`";
    PthError::OtherKind { path: path.to_owned(), kind: "a pickle as torch wrote it before 1.6, which is not read", remedy }
}

/// Reads an archive.
pub fn read_archive(archive: &mut Archive, extent: Extent) -> Result<StateDict, PthError> {
    let path = archive.path().to_owned();
    let other = |kind, remedy| PthError::OtherKind { path: path.clone(), kind, remedy };
    if archive.has("models/model.json") || archive.has(OLD_GRAPH) {
        return Err(other("an exported model", "give it to `--model`, and here a state dict"));
    }
    if archive.has("constants.pkl") || archive.has_folder("code") {
        let remedy = "save its values alone: `torch.save(torch.jit.load(\"model.pt\").state_dict(), \"model.pth\")`";
        return Err(other("a TorchScript archive, which is code", remedy));
    }
    if archive.big_endian()? {
        return Err(other("of a big-endian machine, which is not read", "save it as safetensors there"));
    }
    let Some(bytes) = archive.bytes("data.pkl", pickle::MOST_BYTES as u64)? else {
        let remedy = "write one with `torch.save(model.state_dict(), \"model.pth\")`";
        return Err(other("a zip archive without `data.pkl`, so no state dict", remedy));
    };
    let pickle = Pickle::parse(&bytes).map_err(|source| PthError::Pickle { path: path.clone(), source })?;
    let place = match extent {
        Extent::Top => Ok(search::Place { dict: pickle.root.clone(), path: String::new() }),
        Extent::Checkpoint => search::find(&pickle),
    };
    let place = place.map_err(|found| PthError::NoStateDict { path: path.clone(), found })?;
    let mut files = HashMap::new();
    let mut state = StateDict { place: place.path, ..StateDict::default() };
    for (key, value) in pickle.dict(&place.dict).unwrap_or_default() {
        let (Value::Text(name), Value::Object(index)) = (key, value) else { continue };
        let Object::Tensor(tensor) = &pickle.objects[*index] else { continue };
        let Some(dtype) = tensor.dtype else {
            state.unread.push(name.to_string());
            continue;
        };
        let wrong = |problem| PthError::Tensor { path: path.clone(), name: shown(name), problem };
        let bytes = storage(archive, &tensor.storage, &mut files)?.map_err(wrong)?;
        let (sizes, strides) = (tensor.sizes.clone(), tensor.strides.clone());
        let stored = Stored::new(dtype, sizes, strides, tensor.offset, bytes).map_err(wrong)?;
        state.tensors.insert(name.to_string(), Stored { requires_grad: tensor.requires_grad, ..stored });
    }
    Ok(state)
}

/// The bytes of a storage, which tensors share; what is wrong with it otherwise.
fn storage(
    archive: &mut Archive,
    storage: &Storage,
    files: &mut HashMap<Rc<str>, Rc<Vec<u8>>>,
) -> Result<Result<Rc<Vec<u8>>, String>, PthError> {
    let bytes = match files.get(&storage.key) {
        Some(bytes) => Rc::clone(bytes),
        None => match archive.bytes(&format!("data/{}", storage.key), MOST_STORAGE)? {
            Some(bytes) => Rc::new(bytes),
            None => return Ok(Err(format!("it lies in `data/{}`, which the file does not have", shown(&storage.key)))),
        },
    };
    files.insert(Rc::clone(&storage.key), Rc::clone(&bytes));
    match storage.bytes {
        Some(declared) if declared != bytes.len() as u64 => {
            Ok(Err(format!("its storage has {} bytes, and {declared} are declared", bytes.len())))
        }
        _ => Ok(Ok(bytes)),
    }
}
