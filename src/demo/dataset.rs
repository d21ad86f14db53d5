//! The data set of a fixture: one folder a class of PNG files, numbered without regard to their class.

use std::fs;
use std::io::Cursor;
use std::path::Path;

use image::{ImageFormat, RgbImage};
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{RngExt, SeedableRng};
use rayon::prelude::*;

use super::error::DemoError;
use super::fixture::{Labels, Plant};
use super::shapes::{self, Shape};

/// Files of a class where the fixture does not say.
const PER_CLASS: usize = 250;

/// Writes the files below `root`.
pub(super) fn write(plant: &Plant, root: &Path, seed: u64) -> Result<(), DemoError> {
    let mut rng = StdRng::seed_from_u64(seed);
    let counts = plant.per_class.clone().unwrap_or_else(|| vec![PER_CLASS; Shape::ALL.len()]);
    let mut shown: Vec<Shape> = Shape::ALL.iter().zip(counts).flat_map(|(shape, count)| vec![*shape; count]).collect();
    shown.shuffle(&mut rng);
    let mut files: Vec<_> = shown
        .into_iter()
        .enumerate()
        .map(|(index, shape)| {
            let prefix = if plant.named.is_some() { shape.name() } else { "img" };
            let path = root.join(label(plant, shape, &mut rng).name()).join(format!("{prefix}_{:04}.png", index + 1));
            (path, shape, rng.random_bool(plant.truncated), rng.random())
        })
        .collect();
    for index in 0..files.len() {
        let (path, shape, cut, seed) = &files[index];
        let others: Vec<Shape> = Shape::ALL.into_iter().filter(|other| other != shape).collect();
        if rng.random_bool(plant.copied)
            && let (Some(other), Some(name)) = (others.choose(&mut rng), path.file_name())
        {
            files.push((root.join(other.name()).join(name), *shape, *cut, *seed));
        }
    }
    for folder in Shape::ALL.map(|shape| root.join(shape.name())) {
        if files.iter().any(|(path, ..)| path.starts_with(&folder)) {
            fs::create_dir_all(&folder).map_err(|source| DemoError::Write { path: folder.clone(), source })?;
        }
    }
    // Each picture follows from a seed of its own, so that the order in which they are drawn does not matter.
    files.into_par_iter().try_for_each(|(path, shape, cut, seed)| {
        let picture = if plant.identical { shapes::grey() } else { shapes::draw(shape, &mut StdRng::seed_from_u64(seed)) };
        let mut bytes = encode(&picture, &path)?;
        if cut {
            bytes.truncate(bytes.len() / 2);
        }
        fs::write(&path, bytes).map_err(|source| DemoError::Write { path: path.clone(), source })
    })
}

/// The class whose folder a picture of `shape` goes into.
fn label(plant: &Plant, shape: Shape, rng: &mut StdRng) -> Shape {
    let others: Vec<Shape> = Shape::ALL.into_iter().filter(|other| *other != shape).collect();
    let choices = match plant.labels {
        Labels::Random => &Shape::ALL[..],
        Labels::True if rng.random_bool(plant.named.unwrap_or(0.0)) => &others,
        Labels::True => &[shape],
    };
    choices.choose(rng).copied().unwrap_or(shape)
}

fn encode(picture: &RgbImage, path: &Path) -> Result<Vec<u8>, DemoError> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, ImageFormat::Png).map_err(|source| DemoError::Encode { path: path.to_owned(), source })?;
    Ok(bytes.into_inner())
}
