//! Small data sets on disk for the tests of this folder.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

/// A temporary folder with files in it.
pub(super) struct Tree(TempDir);

impl Tree {
    /// A folder with these files. An image is 4 x 3 pixels, of a colour that follows from its name.
    pub fn of<S: AsRef<str>>(files: &[S]) -> Self {
        let tree = Self(tempfile::tempdir().unwrap());
        for file in files {
            tree.add(file.as_ref());
        }
        tree
    }

    /// Adds a file: a PNG whatever image extension the name has, else its own name.
    pub fn add(&self, file: &str) {
        let path = self.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        if file.to_lowercase().ends_with("png") {
            let shade = file.bytes().fold(7_u8, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte));
            image::RgbImage::from_pixel(4, 3, image::Rgb([shade, 0, 255])).save_with_format(path, image::ImageFormat::Png).unwrap();
        } else {
            fs::write(path, file).unwrap();
        }
    }

    /// Adds a file with these bytes.
    pub fn write(&self, file: &str, bytes: &[u8]) {
        let path = self.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

/// The bytes of an IDX images file: image `i` is all `i`.
pub(super) fn idx_images(count: u32, height: u32, width: u32) -> Vec<u8> {
    let mut bytes = [0x803, count, height, width].map(u32::to_be_bytes).concat();
    bytes.extend((0..count).flat_map(|i| vec![i as u8; (height * width) as usize]));
    bytes
}

/// The bytes of an IDX labels file.
pub(super) fn idx_labels(labels: &[u8]) -> Vec<u8> {
    [[0x801, labels.len() as u32].map(u32::to_be_bytes).concat(), labels.to_vec()].concat()
}

/// The bytes, gzipped.
pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
