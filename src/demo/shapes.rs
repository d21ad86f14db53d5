//! The pictures: one bright shape on a dark, noisy ground.
//!
//! All classes have the same distributions of area, place, colour and noise, so that neither the mean colour nor
//! the number of bright pixels tells them apart: what is to be learned is the outline.

use std::f64::consts::PI;

use image::{Rgb, RgbImage};
use rand::RngExt;
use rand::rngs::StdRng;

/// Side of a picture in pixels.
pub(super) const SIDE: u32 = 32;
/// Smallest and largest area of a shape, of 1024 pixels.
const AREA: (f64, f64) = (120.0, 280.0);
/// Largest turn to either side, in radians: a square stays no diamond.
const TURN: f64 = 0.25;
/// Largest change that noise makes to a pixel's channel, of 255.
const NOISE: f64 = 30.0;
/// Points per pixel and axis at which coverage is sampled, for smooth edges.
const SUPERSAMPLING: u32 = 2;

/// The classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Circle,
    Square,
    Triangle,
}

impl Shape {
    /// Every class, in the order of their labels.
    pub const ALL: [Self; 3] = [Self::Circle, Self::Square, Self::Triangle];

    /// The class folder's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Circle => "circle",
            Self::Square => "square",
            Self::Triangle => "triangle",
        }
    }

    /// Whether a point, from the centre and with y downwards, is within a shape of that area.
    fn covers(self, x: f64, y: f64, area: f64) -> bool {
        match self {
            Self::Circle => x * x + y * y <= area / PI,
            Self::Square => x.abs().max(y.abs()) <= area.sqrt() / 2.0,
            Self::Triangle => {
                let inradius = inradius(area);
                // Within the three edges, whose outward normals are 120 degrees apart.
                let slanted = x.abs() * 3_f64.sqrt() / 2.0 - y / 2.0;
                y <= inradius && slanted <= inradius
            }
        }
    }
}

/// Of an equilateral triangle: area = 3 sqrt(3) r^2.
fn inradius(area: f64) -> f64 {
    (area / (3.0 * 3_f64.sqrt())).sqrt()
}

/// A picture of a shape.
pub(super) fn draw(shape: Shape, rng: &mut StdRng) -> RgbImage {
    let area = rng.random_range(AREA.0..AREA.1);
    // As far from the middle as keeps a triangle's corners, twice the inradius away, inside.
    let middle = f64::from(SIDE) / 2.0;
    let reach = (middle - 2.0 * inradius(area)).max(0.0);
    let mut coordinate = || middle + rng.random_range(-reach..=reach);
    let (cx, cy) = (coordinate(), coordinate());
    let (sin, cos) = rng.random_range(-TURN..TURN).sin_cos();
    let ground: [f64; 3] = std::array::from_fn(|_| rng.random_range(20.0..90.0));
    let colour: [f64; 3] = std::array::from_fn(|_| rng.random_range(110.0..250.0));
    let mut noise = [0_u8; (SIDE * SIDE * 3) as usize];
    rng.fill(&mut noise[..]);
    RgbImage::from_fn(SIDE, SIDE, |px, py| {
        let points = (0..SUPERSAMPLING * SUPERSAMPLING).filter(|point| {
            let at = |pixel: u32, step: u32| f64::from(pixel) + (f64::from(step) + 0.5) / f64::from(SUPERSAMPLING);
            let (x, y) = (at(px, point % SUPERSAMPLING) - cx, at(py, point / SUPERSAMPLING) - cy);
            shape.covers(x * cos + y * sin, y * cos - x * sin, area)
        });
        let coverage = points.count() as f64 / f64::from(SUPERSAMPLING * SUPERSAMPLING);
        let first = ((py * SIDE + px) * 3) as usize;
        Rgb(std::array::from_fn(|c| {
            let value = ground[c] + coverage * (colour[c] - ground[c]) + NOISE * (f64::from(noise[first + c]) / 127.5 - 1.0);
            value.round().clamp(0.0, 255.0) as u8
        }))
    })
}

/// The picture in which there is nothing to see.
pub(super) fn grey() -> RgbImage {
    RgbImage::from_pixel(SIDE, SIDE, Rgb([128; 3]))
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn shapes_have_the_area_they_are_asked_for() {
        for shape in Shape::ALL {
            let steps = 400_u32;
            let at = |i: u32| (f64::from(i) + 0.5) / f64::from(steps) * 40.0 - 20.0;
            let inside = (0..steps * steps).filter(|i| shape.covers(at(i % steps), at(i / steps), 200.0)).count();
            let area = inside as f64 * (40.0 / f64::from(steps)).powi(2);
            assert!((area - 200.0).abs() < 2.0, "{shape:?}: {area}");
        }
    }

    #[test]
    fn brightness_does_not_tell_the_classes_apart() {
        let mut rng = StdRng::seed_from_u64(5);
        let brightness = |shape, rng: &mut StdRng| {
            let pixels: f64 = (0..200).map(|_| draw(shape, rng).as_raw().iter().map(|&p| f64::from(p)).sum::<f64>()).sum();
            pixels / (200.0 * 3.0 * f64::from(SIDE * SIDE))
        };
        let means = Shape::ALL.map(|shape| brightness(shape, &mut rng));
        let spread = means.iter().copied().fold(f64::MIN, f64::max) - means.iter().copied().fold(f64::MAX, f64::min);
        // Between pictures the deviation is about 14, so the mean of 200 has a standard error of 1.
        assert!(spread < 5.0, "{means:?}");
    }
}
