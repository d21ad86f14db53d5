//! The zip archive: entries by their name below the one top folder, read within limits.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use zip::ZipArchive;

use super::Pt2Error;

/// Entries in an archive: the largest models have a few thousand tensors.
const MOST_ENTRIES: usize = 100_000;
/// Bytes of a JSON entry: the graph of a model with 10,000 nodes takes 20 MB.
const MOST_JSON: u64 = 256 << 20;
/// Bytes of all tensors together: twice the largest classifier that is trained on one machine.
const MOST_BYTES: u64 = 16 << 30;

/// An open archive.
pub struct Archive {
    path: PathBuf,
    zip: ZipArchive<BufReader<File>>,
    /// Position of an entry by its name below the top folder.
    entries: BTreeMap<String, usize>,
    /// Bytes that may still be read.
    left: u64,
}

impl Archive {
    /// Opens a file and lists its entries.
    pub fn open(path: &Path) -> Result<Self, Pt2Error> {
        let read = |source| Pt2Error::Read { path: path.to_owned(), source };
        let file = File::open(path).map_err(read)?;
        if file.metadata().map_err(read)?.is_dir() {
            return Err(Pt2Error::Archive { path: path.to_owned(), problem: "it is a folder".to_owned() });
        }
        let damaged = |error: zip::result::ZipError| Pt2Error::Archive { path: path.to_owned(), problem: error.to_string() };
        let zip = ZipArchive::new(BufReader::new(file)).map_err(damaged)?;
        if zip.len() > MOST_ENTRIES {
            let problem = format!("it has {} entries, more than the {MOST_ENTRIES} that are read", zip.len());
            return Err(Pt2Error::Archive { path: path.to_owned(), problem });
        }
        let below = |name: &str| name.split_once('/').map_or(name, |(_, rest)| rest).to_owned();
        let entries = (0..zip.len()).filter_map(|index| Some((below(&zip.name_for_index(index)?.ok()?), index))).collect();
        Ok(Self { path: path.to_owned(), zip, entries, left: MOST_BYTES })
    }

    /// An error about the content.
    pub fn error(&self, problem: String) -> Pt2Error {
        Pt2Error::Content { path: self.path.clone(), problem }
    }

    /// That the graph is missing, and why that may be.
    pub fn no_model(&self) -> Pt2Error {
        let has = |name: &str| self.entries.contains_key(name);
        let problem = if has("serialized_exported_program.json") || self.zip.index_for_name("serialized_exported_program.json").is_some() {
            "it was written by a torch before 2.8, which pickles the weights; export it again with torch 2.8 or later"
        } else if has("data.pkl") {
            "it is a pickled checkpoint or a TorchScript file; export the model with `torch.export.save`"
        } else {
            "it has no `models/model.json`"
        };
        self.error(problem.to_owned())
    }

    /// Bytes of an entry; none where it is missing. `size` is what it must have, if known; `most` what it may have.
    pub fn bytes(&mut self, name: &str, most: u64) -> Result<Option<Vec<u8>>, Pt2Error> {
        let Some(&index) = self.entries.get(name) else { return Ok(None) };
        let damaged = |path: &Path, problem: String| Pt2Error::Archive { path: path.to_owned(), problem: format!("`{name}`: {problem}") };
        let entry = self.zip.by_index(index).map_err(|error| damaged(&self.path, error.to_string()))?;
        let (size, most) = (entry.size(), most.min(self.left));
        if size > most {
            return Err(damaged(&self.path, format!("it declares {size} bytes, more than the {most} that are read")));
        }
        // What is declared may be a lie: memory grows with what arrives.
        let mut bytes = Vec::with_capacity(size.min(1 << 20) as usize);
        entry.take(most + 1).read_to_end(&mut bytes).map_err(|error| damaged(&self.path, error.to_string()))?;
        if bytes.len() as u64 != size {
            return Err(damaged(&self.path, format!("it declares {size} bytes and has {}", bytes.len())));
        }
        self.left -= size;
        Ok(Some(bytes))
    }

    /// A short text entry.
    pub fn text(&mut self, name: &str) -> Result<Option<String>, Pt2Error> {
        Ok(self.bytes(name, 1 << 10)?.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// A JSON entry.
    pub fn json<T: DeserializeOwned>(&mut self, name: &str) -> Result<Option<T>, Pt2Error> {
        let Some(bytes) = self.bytes(name, MOST_JSON)? else { return Ok(None) };
        // serde_json stops at 128 levels.
        serde_json::from_slice(&bytes).map(Some).map_err(|error| self.error(format!("`{name}`: {error}")))
    }
}
