//! Samples that are the same picture.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use nanprobe_checks::evidence::IdenticalSamples;
use rayon::prelude::*;

use super::{Lab, ProbeError};
use crate::graph::GraphError;

/// One picture that fills more than this share of the samples is a fault of the inputs.
const ONE_PICTURE: f64 = 0.25;

pub fn measure(lab: &Lab) -> Result<IdenticalSamples, ProbeError> {
    let labels = lab.train.labels()?;
    let pixels = Vec::<u8>::try_from(lab.train.pixels().f_flatten(0, -1).map_err(GraphError::from)?).map_err(GraphError::from)?;
    let each = (pixels.len() / labels.len().max(1)).max(1);
    let hashes: Vec<(u64, u64)> = pixels.par_chunks(each).map(digest).collect();
    let mut groups: HashMap<(u64, u64), Vec<usize>> = HashMap::new();
    for (index, hash) in hashes.into_iter().enumerate() {
        groups.entry(hash).or_default().push(index);
    }
    let (mut repeated, mut conflicting) = (0, Vec::new());
    for group in groups.into_values().filter(|group| group.len() > 1) {
        if group.iter().any(|&i| labels[i] != labels[group[0]]) {
            if group.len() as f64 <= ONE_PICTURE * labels.len() as f64 {
                conflicting.extend(group.iter().map(|&i| i as u64));
            }
        } else {
            repeated += group.len() as u64;
        }
    }
    conflicting.sort_unstable();
    Ok(IdenticalSamples { samples: labels.len() as u64, repeated, conflicting })
}

/// 128 bits of two hashes with different keys: among a thousand pictures no two that differ collide.
fn digest(bytes: &[u8]) -> (u64, u64) {
    let with = |key: u8| {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        bytes.hash(&mut hasher);
        hasher.finish()
    };
    (with(0), with(1))
}
