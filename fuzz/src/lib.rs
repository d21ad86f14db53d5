//! Archives with one entry replaced, checksums right: bytes that are flipped in a zip file seldom get past them.

use std::io::{Cursor, Read, Write};
use std::path::Path;

use zip::write::{SimpleFileOptions, ZipWriter};
use zip::{CompressionMethod, ZipArchive};

/// The entries of a well-formed archive.
pub struct Entries(Vec<(String, Vec<u8>)>);

impl Entries {
    /// Reads all entries; the archives are this project's own fixtures.
    pub fn of(archive: &[u8]) -> Self {
        let mut archive = ZipArchive::new(Cursor::new(archive)).expect("a fixture");
        let mut entries = Vec::new();
        for index in 0..archive.len() {
            let mut entry = archive.by_index(index).expect("an entry of a fixture");
            let name = entry.name().expect("a name in UTF-8").into_owned();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).expect("a whole fixture");
            entries.push((name, bytes));
        }
        Self(entries)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The place and the bytes of the entry whose name ends so.
    pub fn ending(&self, end: &str) -> (usize, &[u8]) {
        let place = self.0.iter().position(|(name, _)| name.ends_with(end)).expect("an entry of the fixture");
        (place, &self.0[place].1)
    }

    /// The archive with other bytes in one entry, stored as PyTorch stores them.
    pub fn with(&self, place: usize, content: &[u8]) -> Vec<u8> {
        let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
        for (index, (name, bytes)) in self.0.iter().enumerate() {
            let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
            archive.start_file(name.clone(), options).expect("a name that was read");
            archive.write_all(if index == place { content } else { bytes }).expect("memory takes it");
        }
        archive.finish().expect("memory takes it").into_inner()
    }
}

/// Gives the bytes to `read` as a file.
pub fn as_file<T>(bytes: &[u8], read: impl FnOnce(&Path) -> T) {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary folder");
    file.write_all(bytes).expect("room for a small file");
    drop(read(file.path()));
}
