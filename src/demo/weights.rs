//! The planted weights: a safetensors file with single tensors of small-cnn, each filled with one value.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

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
    let name = path.display().to_string();
    let mut tensors = Vec::with_capacity(fills.len());
    for (parameter, &value) in fills {
        let shape = shape(parameter).map_err(|problem| DemoError::fixture(&name, &problem))?;
        let bytes = (value as f32).to_le_bytes().repeat(shape.iter().product());
        tensors.push((parameter, shape, bytes));
    }
    let views = tensors
        .iter()
        .map(|(parameter, shape, bytes)| Ok((parameter.as_str(), TensorView::new(Dtype::F32, shape.to_vec(), bytes)?)))
        .collect::<Result<Vec<_>, safetensors::SafeTensorError>>();
    let file = views.and_then(|views| serialize(views, None)).map_err(|error| DemoError::fixture(&name, &error))?;
    fs::write(path, file).map_err(|source| DemoError::Write { path: path.to_owned(), source })
}
