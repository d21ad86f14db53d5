//! TIFF with a palette, which the decoder refuses: its indices are decoded as grey, and looked up here.
//!
//! TIFF 6.0, sections 2 (structure) and 5 (palette colour): the colour map holds 256 reds, then greens, then blues, of 16 bits
//! each; like PIL, we take the high byte.

use std::ops::Range;

const PHOTOMETRIC: u16 = 262;
const BITS_PER_SAMPLE: u16 = 258;
const COLOR_MAP: u16 = 320;
/// Values of the photometric tag.
const BLACK_IS_ZERO: u16 = 1;
const PALETTE: u16 = 3;

/// What is needed to read the first picture of a file.
pub(super) struct PaletteTiff {
    /// The same file with its indices declared as grey.
    pub as_grey: Vec<u8>,
    /// The colour of each index.
    pub colours: Vec<[u8; 3]>,
}

impl PaletteTiff {
    /// None where it is not a TIFF whose first picture has a palette of 8 bits.
    pub fn find(bytes: &[u8]) -> Option<Self> {
        let file = File { bytes, little_endian: bytes.starts_with(b"II*\0") };
        if !(file.little_endian || bytes.starts_with(b"MM\0*")) {
            return None;
        }
        let photometric = file.entry(PHOTOMETRIC)?;
        if file.short(photometric + 8)? != PALETTE || file.short(file.entry(BITS_PER_SAMPLE)? + 8)? != 8 {
            return None;
        }
        let map = file.long(file.entry(COLOR_MAP)? + 8)? as usize;
        let channel = |index: usize, channel: usize| Some((file.short(map + 2 * (256 * channel + index))? >> 8) as u8);
        let colours = (0..256).map(|i| Some([channel(i, 0)?, channel(i, 1)?, channel(i, 2)?])).collect::<Option<_>>()?;
        let mut as_grey = bytes.to_vec();
        let grey = if file.little_endian { BLACK_IS_ZERO.to_le_bytes() } else { BLACK_IS_ZERO.to_be_bytes() };
        as_grey.get_mut(at(photometric + 8, 2))?.copy_from_slice(&grey);
        Some(Self { as_grey, colours })
    }
}

fn at(start: usize, length: usize) -> Range<usize> {
    start..start.saturating_add(length)
}

struct File<'a> {
    bytes: &'a [u8],
    little_endian: bool,
}

impl File<'_> {
    fn short(&self, start: usize) -> Option<u16> {
        let raw = self.bytes.get(at(start, 2))?.try_into().ok()?;
        Some(if self.little_endian { u16::from_le_bytes(raw) } else { u16::from_be_bytes(raw) })
    }

    fn long(&self, start: usize) -> Option<u32> {
        let raw = self.bytes.get(at(start, 4))?.try_into().ok()?;
        Some(if self.little_endian { u32::from_le_bytes(raw) } else { u32::from_be_bytes(raw) })
    }

    /// Where the first directory's entry of a tag begins.
    fn entry(&self, tag: u16) -> Option<usize> {
        let directory = self.long(4)? as usize;
        let entries = usize::from(self.short(directory)?);
        (0..entries).map(|i| directory + 2 + 12 * i).find(|&entry| self.short(entry) == Some(tag))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_file_or_another_format_is_none() {
        let whole = include_bytes!("../../fixtures/images/palette.tiff");
        assert!(PaletteTiff::find(whole).is_some_and(|found| found.colours.len() == 256 && found.as_grey.len() == whole.len()));
        for end in 0..whole.len() {
            // However it is cut, nothing panics.
            let _ = PaletteTiff::find(&whole[..end]);
        }
        assert!(PaletteTiff::find(&whole[..40]).is_none());
        assert!(PaletteTiff::find(include_bytes!("../../fixtures/images/grey.tiff")).is_none());
    }
}
