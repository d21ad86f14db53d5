//! The zip archives that torch writes, and the tensors in them.
//!
//! Entries are found by their name below the one top folder and read within limits: torch never compresses, so that an archive
//! cannot hold more than the file has bytes. NumPy's archives may be compressed and are read within a limit of their own. No name in it is ever used on disk. Source: torch's `caffe2/serialize/inline_container.h`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Cursor, Read, Seek};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use zip::ZipArchive;
use zip::read::{ArchiveOffset, Config};

mod error;
mod json;
mod stored;

pub use error::ArchiveError;
pub use stored::{DType, MOST_DIMENSIONS, Stored};

/// Entries in an archive: the largest models have a few thousand tensors.
const MOST_ENTRIES: usize = 100_000;
/// Bytes of a JSON entry: the graph of a model with 10,000 nodes takes 20 MB.
const MOST_JSON: u64 = 256 << 20;
/// Bytes of all tensors together: twice the largest classifier that is trained on one machine.
const MOST_BYTES: u64 = 16 << 30;

/// Where the bytes of an archive are.
trait Source: Read + Seek {}

impl<T: Read + Seek> Source for T {}

/// An open archive.
pub struct Archive {
    path: PathBuf,
    zip: ZipArchive<Box<dyn Source>>,
    /// Position of an entry by its name below the top folder.
    entries: BTreeMap<String, usize>,
    /// Bytes that may still be read. Entries that overlap could otherwise give a small file's bytes many times.
    left: u64,
}

impl Archive {
    /// Opens a file and lists its entries.
    pub fn open(path: &Path) -> Result<Self, ArchiveError> {
        Self::open_within(path, |length| length)
    }

    /// Opens a file whose entries may be compressed, `most` bytes of them together.
    pub fn open_compressed(path: &Path, most: u64) -> Result<Self, ArchiveError> {
        Self::open_within(path, |_| most)
    }

    /// `most` follows from the file's length.
    fn open_within(path: &Path, most: impl Fn(u64) -> u64) -> Result<Self, ArchiveError> {
        let read = |source| ArchiveError::Read { path: path.to_owned(), source };
        let file = File::open(path).map_err(read)?;
        let metadata = file.metadata().map_err(read)?;
        if metadata.is_dir() {
            return Err(ArchiveError::Damaged { path: path.to_owned(), problem: "it is a folder".to_owned() });
        }
        Self::list(path.to_owned(), Box::new(BufReader::new(file)), most(metadata.len()))
    }

    /// Opens an entry that is an archive itself; none where it is missing or empty.
    pub fn nested(&mut self, name: &str) -> Result<Option<Self>, ArchiveError> {
        let Some(bytes) = self.bytes(name, MOST_BYTES)? else { return Ok(None) };
        let length = bytes.len() as u64;
        if length == 0 {
            return Ok(None);
        }
        Self::list(self.path.join(name), Box::new(Cursor::new(bytes)), length).map(Some)
    }

    fn list(path: PathBuf, source: Box<dyn Source>, most: u64) -> Result<Self, ArchiveError> {
        // torch begins at the first byte. Without being told so, the reader takes an archive whose first entry has a header of a certain length
        // for one behind other bytes.
        let config = Config { archive_offset: ArchiveOffset::Known(0) };
        let zip = match ZipArchive::with_config(config, source) {
            Ok(zip) => zip,
            Err(error) => return Err(ArchiveError::Damaged { path, problem: error.to_string() }),
        };
        if zip.len() > MOST_ENTRIES {
            let problem = format!("it has {} entries, more than the {MOST_ENTRIES} that are read", zip.len());
            return Err(ArchiveError::Damaged { path, problem });
        }
        let below = |name: &str| name.split_once('/').map_or(name, |(_, rest)| rest).to_owned();
        let entries = (0..zip.len()).filter_map(|index| Some((below(&zip.name_for_index(index)?.ok()?), index))).collect();
        Ok(Self { path, zip, entries, left: most.min(MOST_BYTES) })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The names of its entries.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// Whether an entry exists.
    pub fn has(&self, name: &str) -> bool {
        self.entries.contains_key(name)
    }

    /// Whether a folder exists.
    pub fn has_folder(&self, name: &str) -> bool {
        let folder = format!("{name}/");
        self.entries.range(folder.clone()..).next().is_some_and(|(entry, _)| entry.starts_with(&folder))
    }

    /// Bytes of an entry, `most` of them; none where it is missing.
    pub fn bytes(&mut self, name: &str, most: u64) -> Result<Option<Vec<u8>>, ArchiveError> {
        let Some(&index) = self.entries.get(name) else { return Ok(None) };
        let damaged =
            |path: &Path, problem: String| ArchiveError::Damaged { path: path.to_owned(), problem: format!("`{name}`: {problem}") };
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
    pub fn text(&mut self, name: &str) -> Result<Option<String>, ArchiveError> {
        Ok(self.bytes(name, 1 << 10)?.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// A JSON entry.
    pub fn json<T: DeserializeOwned>(&mut self, name: &str) -> Result<Option<T>, ArchiveError> {
        let Some(bytes) = self.bytes(name, MOST_JSON)? else { return Ok(None) };
        // serde_json stops at 128 levels.
        let wrong = |error| ArchiveError::Content { path: self.path.clone(), problem: format!("`{name}`: {error}") };
        serde_json::from_slice(&json::strict(bytes)).map(Some).map_err(wrong)
    }

    /// Whether its numbers are big-endian, which is not read.
    pub fn big_endian(&mut self) -> Result<bool, ArchiveError> {
        Ok(self.text("byteorder")?.is_some_and(|order| order.trim() != "little"))
    }
}
