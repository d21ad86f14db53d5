//! The planted weights: safetensors files of small-cnn, with single tensors each filled with one value, or with all of them drawn soundly.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use safetensors::Dtype;
use safetensors::tensor::{TensorView, serialize};

use super::error::DemoError;
use crate::config::value::suggest;

/// Parameters of small-cnn for RGB pictures of 32 pixels and three classes, as `zoo::small` builds it.
const SHAPES: [(&str, &[usize]); 8] = [
    ("conv1.weight", &[16, 3, 3, 3]),
    ("conv1.bias", &[16]),
    ("conv2.weight", &[32, 16, 3, 3]),
    ("conv2.bias", &[32]),
    ("fc1.weight", &[64, 2048]),
    ("fc1.bias", &[64]),
    ("fc2.weight", &[3, 64]),
    ("fc2.bias", &[3]),
];

/// Shape of a parameter, or what is known.
pub(super) fn shape(name: &str) -> Result<&'static [usize], String> {
    let known = SHAPES.iter().find(|(known, _)| *known == name).map(|(_, shape)| *shape);
    known.ok_or_else(|| format!("small-cnn has no parameter `{name}`; {}", suggest(name, SHAPES.iter().map(|(known, _)| *known))))
}

/// Writes the file; none where nothing is planted.
pub(super) fn write(fills: &BTreeMap<String, f64>, path: &Path) -> Result<(), DemoError> {
    if fills.is_empty() {
        return Ok(());
    }
    let fill = |(name, &value): (&String, &f64)| Ok((name.clone(), shape(name)?, vec![value as f32; shape(name)?.iter().product()]));
    let tensors = fills.iter().map(fill).collect::<Result<Vec<_>, String>>();
    save(tensors.map_err(|problem| DemoError::fixture(&path.display().to_string(), &problem))?, path)
}

/// Writes a whole set of weights, drawn as torch.nn draws them: U(-1/sqrt(fan in), 1/sqrt(fan in)).
pub(super) fn draw(path: &Path, seed: u64) -> Result<(), DemoError> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut fan_in = 1;
    let mut values = |(name, shape): &(&str, &'static [usize])| {
        // A bias follows its weight in the list.
        if let [_, rest @ ..] = shape
            && !rest.is_empty()
        {
            fan_in = rest.iter().product();
        }
        let bound = 1.0 / (fan_in as f32).sqrt();
        ((*name).to_owned(), *shape, (0..shape.iter().product()).map(|_| rng.random_range(-bound..bound)).collect())
    };
    save(SHAPES.iter().map(&mut values).collect(), path)
}

fn save(tensors: Vec<(String, &'static [usize], Vec<f32>)>, path: &Path) -> Result<(), DemoError> {
    let name = path.display().to_string();
    let bytes = |values: Vec<f32>| values.into_iter().flat_map(f32::to_le_bytes).collect::<Vec<u8>>();
    let tensors: Vec<_> = tensors.into_iter().map(|(parameter, shape, values)| (parameter, shape, bytes(values))).collect();
    let views = tensors
        .iter()
        .map(|(parameter, shape, bytes)| Ok((parameter.as_str(), TensorView::new(Dtype::F32, shape.to_vec(), bytes)?)))
        .collect::<Result<Vec<_>, safetensors::SafeTensorError>>();
    let file = views.and_then(|views| serialize(views, None)).map_err(|error| DemoError::fixture(&name, &error))?;
    fs::write(path, file).map_err(|source| DemoError::Write { path: path.to_owned(), source })
}
