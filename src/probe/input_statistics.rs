//! The inputs as the network receives them.

use std::collections::HashMap;

use nanprobe_checks::evidence::{ChannelStatistics, InputStatistics};
use tch::{Kind, Tensor};

use super::{Lab, ProbeError};
use crate::graph::GraphError;
use crate::model::{real, scalar};
use crate::samples::{Samples, spread as evenly};

/// Enough for stable channel statistics, and little memory at 224 px.
const SAMPLES: usize = 256;

/// Values of a sample from which on it is blank where they are all equal; a table of two columns is not.
const PICTURE: i64 = 64;

pub fn measure(lab: &Lab) -> Result<InputStatistics, ProbeError> {
    let total = lab.train.len();
    let count = total.min(SAMPLES);
    let indices = evenly(count, total);
    let (inputs, _) = lab.train.batch(&indices, lab.recipe().normalize)?;
    // Token ids have no scale.
    let quantities: Vec<&Tensor> = inputs.iter().filter(|input| input.kind() == Kind::Float).collect();
    let mut channels = Vec::new();
    let (mut between_samples, mut constant_share, mut non_finite_share): (f64, f64, f64) = (0.0, 0.0, 0.0);
    for input in quantities {
        let own = statistics(input)?;
        let (between, constant, not_finite) = spread(input, &own)?;
        channels.extend(own);
        between_samples = between_samples.max(between);
        constant_share = constant_share.max(constant);
        non_finite_share = non_finite_share.max(not_finite);
    }
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

/// Statistics of each channel of pictures [N, C, H, W] and each feature of a table [N, F]; of all values of anything else.
fn statistics(input: &Tensor) -> Result<Vec<ChannelStatistics>, GraphError> {
    if !matches!(input.dim(), 2 | 4) {
        return Ok(vec![channel(input)?]);
    }
    (0..input.size()[1]).map(|c| channel(&input.f_select(1, c)?)).collect()
}

fn channel(values: &Tensor) -> Result<ChannelStatistics, GraphError> {
    Ok(ChannelStatistics {
        mean: real(&values.f_mean(Kind::Float)?)?,
        std: real(&values.f_std(false)?)?,
        min: real(&values.f_min()?)?,
        max: real(&values.f_max()?)?,
    })
}

/// The deviation across samples (in units of the largest channel's), the share of blank samples, that of values that are not finite.
fn spread(input: &Tensor, channels: &[ChannelStatistics]) -> Result<(f64, f64, f64), GraphError> {
    let flat = input.f_flatten(1, -1)?;
    let finite = scalar(&flat.f_isfinite()?.f_to_kind(Kind::Float)?.f_mean(Kind::Double)?)?;
    let deviations = flat.f_std_dim([0i64].as_slice(), false, false)?;
    let between = if input.dim() == 2 {
        // Features have units of their own: one that varies in its own is enough.
        scalar(&deviations.f_max()?)?
    } else {
        scalar(&deviations.f_mean(Kind::Float)?)?
    };
    let blank = if flat.size()[1] < PICTURE || channels.is_empty() {
        0.0
    } else {
        let range = flat.f_amax([1i64], false)?.f_sub(&flat.f_amin([1i64], false)?)?;
        scalar(&range.f_eq(0.0)?.f_to_kind(Kind::Float)?.f_mean(Kind::Float)?)?
    };
    Ok((between, blank, 1.0 - finite))
}

/// The share of samples that the commonest picture has.
fn most_common_share(samples: &Samples) -> Result<f64, GraphError> {
    let mut counts: HashMap<(u64, u64), u64> = HashMap::new();
    for digest in samples.digests()? {
        *counts.entry(digest).or_default() += 1;
    }
    Ok(counts.values().max().copied().unwrap_or(0) as f64 / samples.len().max(1) as f64)
}
