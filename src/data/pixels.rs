//! Pictures that lie in memory as raw bytes, all of one size: what IDX, CIFAR and uint8 arrays hold.

use super::decode::{Channels, Raster};

/// Where a picture's bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Picture {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// 1, 3, or 4 with an alpha channel, which is dropped as PIL does.
    pub channels: usize,
    /// Whether one channel follows the other ([C, H, W]), not one pixel the other ([H, W, C]).
    pub planar: bool,
}

impl Picture {
    /// Bytes of one.
    pub fn bytes(self) -> usize {
        self.height * self.width * self.channels
    }
}

/// N pictures.
#[derive(Debug)]
pub(super) struct Pixels {
    picture: Picture,
    bytes: Vec<u8>,
    /// Where the first picture begins in `bytes`.
    start: usize,
    /// What each picture comes from, for messages: a file, and the first of its records.
    files: Vec<(String, u32)>,
}

impl Pixels {
    /// The pictures in `bytes` from `start` on. `files` name where they come from, each with its first record, ascending.
    pub fn new(files: Vec<(String, u32)>, picture: Picture, bytes: Vec<u8>, start: usize) -> Self {
        Self { picture, bytes, start, files }
    }

    /// Whether they have no colours.
    pub fn grey(&self) -> bool {
        self.picture.channels == 1
    }

    /// The name of one for messages, such as `data_batch_2.bin#17`.
    pub fn name_of(&self, record: u32) -> String {
        let file = self.files.iter().rev().find(|(_, first)| *first <= record);
        file.map_or_else(|| format!("#{record}"), |(name, first)| format!("{name}#{}", record - first))
    }

    /// One picture; `record` is below the number of pictures.
    pub fn raster(&self, record: u32, channels: Channels) -> Raster {
        let Picture { height, width, channels: count, planar } = self.picture;
        let start = self.start + record as usize * self.picture.bytes();
        let bytes = &self.bytes[start..start + self.picture.bytes()];
        let (wide, high) = (width as u32, height as u32);
        if count == 1 {
            return Raster::of_grey(wide, high, bytes.to_vec(), channels);
        }
        let (step, apart) = if planar { (1, height * width) } else { (count, 1) };
        let colours = (0..height * width).map(|pixel| [0, 1, 2].map(|channel| bytes[pixel * step + channel * apart]));
        Raster::of_rgb(wide, high, colours, channels)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planes_and_pixels_give_the_same_colours_and_alpha_is_dropped() {
        let colours = [1, 2, 3, 4, 5, 6];
        for (channels, planar, bytes) in
            [(3, false, vec![1, 2, 3, 4, 5, 6]), (3, true, vec![1, 4, 2, 5, 3, 6]), (4, false, vec![1, 2, 3, 99, 4, 5, 6, 99])]
        {
            let picture = Picture { height: 1, width: 2, channels, planar };
            // A header stands before the pictures.
            let pixels = Pixels::new(vec![], picture, [&[7, 7][..], &vec![0; picture.bytes()], &bytes].concat(), 2);
            assert_eq!(pixels.raster(1, Channels::Rgb).pixels, colours, "{picture:?}");
        }
    }

    #[test]
    fn a_picture_is_named_by_its_place_in_its_file() {
        let picture = Picture { height: 1, width: 1, channels: 1, planar: true };
        let pixels = Pixels::new(vec![("a.bin".to_owned(), 0), ("b.bin".to_owned(), 2)], picture, vec![0; 4], 0);
        assert_eq!([0, 1, 2, 3].map(|record| pixels.name_of(record)), ["a.bin#0", "a.bin#1", "b.bin#0", "b.bin#1"]);
    }
}
