//! torchvision's `Resize(size)` (bilinear, antialiased, on PIL images) followed by `CenterCrop(size)`.

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};

use super::decode::{Channels, Raster};

/// The pixels, [C, size, size]. Only what the crop keeps is computed, so that a long thin image costs no more.
pub(super) fn resize_and_crop(raster: &Raster, size: usize) -> Result<Vec<u8>, String> {
    let side =
        u32::try_from(size).ok().filter(|&side| side > 0).ok_or_else(|| format!("an image size of {size} pixels is not possible"))?;
    if raster.width == 0 || raster.height == 0 {
        return Err("the image has no pixels".to_owned());
    }
    let pixel = match raster.channels {
        Channels::Grey => PixelType::U8,
        Channels::Rgb => PixelType::U8x3,
    };
    let (left, width) = crop(raster.width, raster.height, side);
    let (top, height) = crop(raster.height, raster.width, side);
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear)).crop(left, top, width, height);
    let source = ImageRef::new(raster.width, raster.height, &raster.pixels, pixel).map_err(|error| error.to_string())?;
    let mut target = Image::new(side, side, pixel);
    Resizer::new().resize(&source, &mut target, &options).map_err(|error| error.to_string())?;
    Ok(planes(target.into_vec(), raster.channels.count()))
}

/// Start and extent, in source pixels along one side, of what is left after both steps.
fn crop(this: u32, other: u32, size: u32) -> (f64, f64) {
    let resized = resized(this, other, size);
    let scale = f64::from(this) / resized as f64;
    let start = crop_start(resized - u64::from(size)) as f64 * scale;
    (start, (f64::from(size) * scale).min(f64::from(this) - start))
}

/// A side after `Resize`: the shorter one becomes `size`, the longer one is rounded down.
fn resized(this: u32, other: u32, size: u32) -> u64 {
    if this <= other { u64::from(size) } else { u64::from(size) * u64::from(this) / u64::from(other) }
}

/// Where `CenterCrop` starts: half of what is cut off, rounded as Python rounds, to even.
fn crop_start(surplus: u64) -> u64 {
    let half = surplus / 2;
    half + (surplus % 2) * (half % 2)
}

/// [H, W, C] to [C, H, W].
fn planes(pixels: Vec<u8>, channels: usize) -> Vec<u8> {
    if channels == 1 {
        return pixels;
    }
    (0..channels).flat_map(|channel| pixels.iter().skip(channel).step_by(channels).copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raster(width: u32, height: u32, grey: Vec<u8>) -> Raster {
        Raster::of_grey(width, height, grey, Channels::Grey)
    }

    #[test]
    fn sides_and_crops_are_rounded_as_torchvision_rounds() {
        // torchvision.transforms.functional: int(size * long / short); int(round(surplus / 2)).
        assert_eq!((resized(500, 375, 224), resized(375, 500, 224)), (298, 224));
        assert_eq!([0, 1, 2, 3, 5, 7].map(crop_start), [0, 0, 1, 2, 2, 4]);
    }

    #[test]
    fn an_image_of_the_right_size_is_only_cropped() {
        let pixels: Vec<u8> = (0..6).collect();
        assert_eq!(resize_and_crop(&raster(3, 2, pixels), 2).unwrap(), [0, 1, 3, 4]);
    }

    #[test]
    fn channels_become_planes() {
        let raster = Raster { width: 2, height: 2, channels: Channels::Rgb, pixels: (0..12).collect() };
        assert_eq!(resize_and_crop(&raster, 2).unwrap(), [0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11]);
    }

    #[test]
    fn a_long_thin_image_costs_no_more_than_its_crop() {
        assert_eq!(resize_and_crop(&raster(20_000, 1, vec![9; 20_000]), 64).unwrap(), vec![9; 64 * 64]);
        assert_eq!(resize_and_crop(&raster(1, 20_000, vec![9; 20_000]), 64).unwrap(), vec![9; 64 * 64]);
    }

    #[test]
    fn no_pixels_are_an_error() {
        assert!(resize_and_crop(&raster(0, 3, vec![]), 4).is_err());
        assert!(resize_and_crop(&raster(1, 1, vec![0]), 0).is_err());
    }
}
