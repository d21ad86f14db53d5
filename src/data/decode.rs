//! From a file's bytes to the pixels that `Image.open(f).convert("RGB")` (or `"L"`) of PIL gives, for that
//! is what torchvision's `pil_loader` does.
//!
//! What follows from that, each checked against Pillow 13 in `tests/decoding.rs`:
//! - transparency is dropped, not composited: what an editor hid shows again;
//! - EXIF orientation is ignored: a photo lies on its side here if it does in training;
//! - 16-bit grey is *clipped* to 255, so most of a 16-bit scan turns white; 16-bit colour and 16-bit grey
//!   with alpha keep their high byte;
//! - colour profiles and gamma are ignored; of an animation the first frame counts;
//! - a JPEG without its end marker is truncated, an error, although most decoders would fill in grey.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use image::{DynamicImage, ImageFormat, ImageReader, Limits};

use super::palette_tiff::PaletteTiff;

/// Bytes that decoding one image may allocate.
const MAX_ALLOC: u64 = 512 << 20;
/// Longest side of an image, in pixels.
const MAX_SIDE: u32 = 20_000;

/// The channels of decoded pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Channels {
    /// Luma, as PIL's mode `L`.
    Grey,
    /// Red, green, blue.
    Rgb,
}

impl Channels {
    /// One or three channels.
    pub fn of(count: usize) -> Result<Self, String> {
        match count {
            1 => Ok(Self::Grey),
            3 => Ok(Self::Rgb),
            _ => Err(format!("{count} channels asked for; images have 1 or 3")),
        }
    }

    /// How many they are.
    pub fn count(self) -> usize {
        match self {
            Self::Grey => 1,
            Self::Rgb => 3,
        }
    }
}

/// Pixels, [H, W, C].
#[derive(Debug)]
pub(super) struct Raster {
    pub width: u32,
    pub height: u32,
    pub channels: Channels,
    pub pixels: Vec<u8>,
}

impl Raster {
    /// A raster of grey pixels, repeated over the channels.
    pub fn of_grey(width: u32, height: u32, grey: Vec<u8>, channels: Channels) -> Self {
        let pixels = match channels {
            Channels::Grey => grey,
            Channels::Rgb => grey.into_iter().flat_map(|value| [value; 3]).collect(),
        };
        Self { width, height, channels, pixels }
    }

    /// A raster of colour pixels, or their luma.
    pub fn of_rgb(width: u32, height: u32, colours: impl Iterator<Item = [u8; 3]>, channels: Channels) -> Self {
        let pixels = match channels {
            Channels::Grey => colours.map(luma).collect(),
            Channels::Rgb => colours.flatten().collect(),
        };
        Self { width, height, channels, pixels }
    }
}

/// ITU-R 601 luma in PIL's integer arithmetic (`L24` in its Convert.c).
fn luma([r, g, b]: [u8; 3]) -> u8 {
    ((u32::from(r) * 19_595 + u32::from(g) * 38_470 + u32::from(b) * 7_471 + 0x8000) >> 16) as u8
}

/// Decodes an image; the error is the reason in words. A decoder that panics is a reason too.
pub(super) fn decode(bytes: &[u8], channels: Channels) -> Result<Raster, String> {
    catch_unwind(AssertUnwindSafe(|| raster(bytes, channels))).unwrap_or_else(|_| Err("the decoder gave up on damaged data".to_owned()))
}

fn raster(bytes: &[u8], channels: Channels) -> Result<Raster, String> {
    let Some(palette) = PaletteTiff::find(bytes) else {
        return convert(open(bytes)?, is_plain_grey_png(bytes), channels);
    };
    let indices = open(&palette.as_grey)?.into_luma8();
    let colours = indices.pixels().map(|index| palette.colours[usize::from(index[0])]);
    Ok(Raster::of_rgb(indices.width(), indices.height(), colours, channels))
}

fn open(bytes: &[u8]) -> Result<DynamicImage, String> {
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_ALLOC);
    (limits.max_image_width, limits.max_image_height) = (Some(MAX_SIDE), Some(MAX_SIDE));
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|error| error.to_string())?;
    match reader.format() {
        None => return Err("not an image: the content is of no known format".to_owned()),
        Some(ImageFormat::Jpeg) if !has_jpeg_end(bytes) => return Err("truncated: the end of the JPEG is missing".to_owned()),
        Some(_) => reader.limits(limits),
    }
    reader.decode().map_err(|error| error.to_string())
}

fn convert(image: DynamicImage, plain_grey: bool, channels: Channels) -> Result<Raster, String> {
    let (width, height) = (image.width(), image.height());
    let high = |value: u16| (value >> 8) as u8;
    let clipped = |value: u16| value.min(255) as u8;
    let grey = |pixels| Ok(Raster::of_grey(width, height, pixels, channels));
    match image {
        DynamicImage::ImageLuma8(image) => grey(image.into_raw()),
        DynamicImage::ImageLumaA8(image) => grey(image.pixels().map(|pixel| pixel[0]).collect()),
        DynamicImage::ImageLuma16(image) => grey(image.into_raw().into_iter().map(clipped).collect()),
        DynamicImage::ImageLumaA16(image) if plain_grey => grey(image.pixels().map(|pixel| clipped(pixel[0])).collect()),
        DynamicImage::ImageLumaA16(image) => grey(image.pixels().map(|pixel| high(pixel[0])).collect()),
        DynamicImage::ImageRgb8(image) if channels == Channels::Rgb => Ok(Raster { width, height, channels, pixels: image.into_raw() }),
        DynamicImage::ImageRgb8(image) => Ok(Raster::of_rgb(width, height, image.pixels().map(|pixel| pixel.0), channels)),
        DynamicImage::ImageRgba8(image) => {
            Ok(Raster::of_rgb(width, height, image.pixels().map(|&image::Rgba([r, g, b, _])| [r, g, b]), channels))
        }
        DynamicImage::ImageRgb16(image) => Ok(Raster::of_rgb(width, height, image.pixels().map(|pixel| pixel.0.map(high)), channels)),
        DynamicImage::ImageRgba16(image) => {
            Ok(Raster::of_rgb(width, height, image.pixels().map(|&image::Rgba([r, g, b, _])| [r, g, b].map(high)), channels))
        }
        other => Err(format!("pixels of type {:?} are not read; PIL does not read them as RGB either", other.color())),
    }
}

/// Whether it is a PNG of grey without an alpha channel; the decoder makes alpha of a transparent shade.
fn is_plain_grey_png(bytes: &[u8]) -> bool {
    const COLOUR_TYPE_AT: usize = 25;
    bytes.starts_with(b"\x89PNG") && bytes.get(COLOUR_TYPE_AT) == Some(&0)
}

/// Whether an end-of-image marker follows the first scan. Within a scan every other 0xff is followed by a
/// zero or a restart marker, so a truncated file has none; a thumbnail's stands before the scan.
fn has_jpeg_end(bytes: &[u8]) -> bool {
    const START_OF_SCAN: u8 = 0xda;
    const END_OF_IMAGE: u8 = 0xd9;
    let mut at = 2;
    while let Some(&[0xff, marker, high, low]) = bytes.get(at..at + 4) {
        if marker == START_OF_SCAN {
            return bytes[at..].windows(2).any(|pair| pair == [0xff, END_OF_IMAGE]);
        }
        // A marker may be preceded by any number of fill bytes 0xff.
        at += if marker == 0xff { 1 } else { 2 + usize::from(u16::from_be_bytes([high, low])) };
    }
    // No scan at all: let the decoder say so.
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        image.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    #[test]
    fn luma_is_pils() {
        // Image.new("RGB", (1, 1), colour).convert("L") of Pillow 13.
        for (colour, expected) in [([10, 20, 30], 18), ([207, 198, 190], 200), ([255, 255, 255], 255), ([0, 0, 0], 0)] {
            assert_eq!(luma(colour), expected, "{colour:?}");
        }
    }

    #[test]
    fn a_jpeg_without_its_end_is_truncated() {
        let jpeg = encoded(&DynamicImage::new_rgb8(40, 30), ImageFormat::Jpeg);
        assert!(decode(&jpeg, Channels::Rgb).is_ok());
        for cut in [1, 2, 20] {
            let reason = decode(&jpeg[..jpeg.len() - cut], Channels::Rgb).unwrap_err();
            assert_eq!(reason, "truncated: the end of the JPEG is missing", "{cut}");
        }
        assert!(decode(&[&jpeg[..], b"trailing"].concat(), Channels::Rgb).is_ok());
    }

    #[test]
    fn damaged_and_foreign_files_are_errors_never_panics() {
        for format in [ImageFormat::Png, ImageFormat::Gif, ImageFormat::Bmp, ImageFormat::WebP, ImageFormat::Tiff] {
            let whole = encoded(
                &DynamicImage::ImageRgba8(image::RgbaImage::from_fn(40, 30, |x, y| image::Rgba([x as u8 * 6, y as u8 * 8, 7, 255]))),
                format,
            );
            assert!(decode(&whole, Channels::Rgb).is_ok(), "{format:?}");
            assert!(decode(&whole[..whole.len() / 2], Channels::Rgb).is_err(), "{format:?}");
            assert!(decode(&whole[..12], Channels::Rgb).is_err(), "{format:?}");
        }
        for bytes in [&b""[..], b"GIF89a", b"\xff\xd8\xff", b"<html></html>"] {
            assert!(decode(bytes, Channels::Rgb).is_err());
        }
    }

    #[test]
    fn an_image_of_hostile_size_is_refused() {
        let mut png = encoded(&DynamicImage::new_luma8(1, 1), ImageFormat::Png);
        png[16..20].copy_from_slice(&60_000_u32.to_be_bytes());
        assert!(decode(&png, Channels::Rgb).is_err());
    }
}
