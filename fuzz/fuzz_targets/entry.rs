//! An archive with one entry replaced, checksums right: bytes that are flipped in a zip file seldom get past them.

use std::io::{Cursor, Read, Write};

use zip::write::{SimpleFileOptions, ZipWriter};
use zip::{CompressionMethod, ZipArchive};

/// Replaces the entry that the first byte chooses by the bytes after it.
pub fn replaced(archive: &[u8], data: &[u8]) -> Option<Vec<u8>> {
    let (&choice, content) = data.split_first()?;
    let mut from = ZipArchive::new(Cursor::new(archive)).ok()?;
    let chosen = usize::from(choice) % from.len();
    let mut to = ZipWriter::new(Cursor::new(Vec::new()));
    for index in 0..from.len() {
        let mut entry = from.by_index(index).ok()?;
        let name = entry.name().ok()?.into_owned();
        to.start_file(name, SimpleFileOptions::default().compression_method(CompressionMethod::Stored)).ok()?;
        if index == chosen {
            to.write_all(content).ok()?;
        } else {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).ok()?;
            to.write_all(&bytes).ok()?;
        }
    }
    Some(to.finish().ok()?.into_inner())
}

/// Gives the bytes to `read` as a file.
pub fn as_file<T>(bytes: &[u8], read: impl FnOnce(&std::path::Path) -> T) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    drop(read(file.path()));
}
