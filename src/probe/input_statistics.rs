//! The pixels as the network receives them.

use std::collections::HashMap;

use nanprobe_checks::evidence::{ChannelStatistics, InputStatistics};
use tch::{Kind, Tensor};

use super::{Lab, ProbeError};
use crate::graph::GraphError;
use crate::model::{real, scalar};
use crate::train::{Samples, spread as evenly};

/// Enough for stable channel statistics, and little memory at 224 px.
const SAMPLES: usize = 256;

pub fn measure(lab: &Lab) -> Result<InputStatistics, ProbeError> {
    let total = lab.train.len();
    let count = total.min(SAMPLES);
    let indices = evenly(count, total);
    let (inputs, _) = lab.train.batch(&indices, lab.recipe().normalize)?;
    let channels = (0..inputs.size()[1]).map(|c| channel(&inputs.f_select(1, c)?)).collect::<Result<_, GraphError>>()?;
    let (between_samples, constant_share, non_finite_share) = spread(&inputs)?;
    Ok(InputStatistics {
        samples: count as u64,
        normalization: lab.recipe().normalize.to_string(),
        channels,
        between_samples: between_samples.into(),
        constant_share: constant_share.into(),
        most_common_share: most_common_share(&lab.train.chosen(&indices)?)?.into(),
        non_finite_share: non_finite_share.into(),
    })
}

fn channel(values: &Tensor) -> Result<ChannelStatistics, GraphError> {
    Ok(ChannelStatistics {
        mean: real(&values.f_mean(Kind::Float)?)?,
        std: real(&values.f_std(false)?)?,
        min: real(&values.f_min()?)?,
        max: real(&values.f_max()?)?,
    })
}

fn spread(inputs: &Tensor) -> Result<(f64, f64, f64), GraphError> {
    let flat = inputs.f_flatten(1, -1)?;
    let between = scalar(&flat.f_std_dim([0i64].as_slice(), false, false)?.f_mean(Kind::Float)?)?;
    let range = flat.f_amax([1i64], false)?.f_sub(&flat.f_amin([1i64], false)?)?;
    let constant = scalar(&range.f_eq(0.0)?.f_to_kind(Kind::Float)?.f_mean(Kind::Float)?)?;
    let finite = scalar(&flat.f_isfinite()?.f_to_kind(Kind::Float)?.f_mean(Kind::Double)?)?;
    Ok((between, constant, 1.0 - finite))
}

/// The share of samples that the commonest picture has.
fn most_common_share(samples: &Samples) -> Result<f64, GraphError> {
    let mut counts: HashMap<(u64, u64), u64> = HashMap::new();
    for digest in samples.digests()? {
        *counts.entry(digest).or_default() += 1;
    }
    Ok(counts.values().max().copied().unwrap_or(0) as f64 / samples.len().max(1) as f64)
}
