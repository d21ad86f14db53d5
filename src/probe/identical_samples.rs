//! Samples that are the same picture.

use std::collections::HashMap;

use nanprobe_checks::evidence::IdenticalSamples;

use super::{Lab, ProbeError};

/// One picture that fills more than this share of the samples is a fault of the inputs.
const ONE_PICTURE: f64 = 0.25;

pub fn measure(lab: &Lab) -> Result<IdenticalSamples, ProbeError> {
    let labels = lab.train.labels()?;
    let mut groups: HashMap<(u64, u64), Vec<usize>> = HashMap::new();
    for (index, digest) in lab.train.digests()?.into_iter().enumerate() {
        groups.entry(digest).or_default().push(index);
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
