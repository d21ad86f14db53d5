//! The labels against the model's outputs.

use nanprobe_checks::evidence::LabelRange;

use super::{Lab, ProbeError};

pub fn measure(lab: &Lab) -> Result<LabelRange, ProbeError> {
    let labels = lab.train.labels()?;
    // A single output takes 0 and 1.
    let limit = lab.shape.outputs.max(2);
    Ok(LabelRange {
        outputs: lab.shape.outputs as u64,
        classes: lab.train.classes() as u64,
        min: labels.iter().min().copied().unwrap_or(0),
        max: labels.iter().max().copied().unwrap_or(0),
        out_of_range: labels.iter().filter(|label| !(0..limit).contains(label)).count() as u64,
        samples: labels.len() as u64,
    })
}
