//! First values of the parameters.

use std::collections::HashSet;

use nanprobe_checks::evidence::{ParameterKind, ParameterStatistics, Parameters};
use tch::{Device, Kind, Tensor, no_grad};

use super::{Lab, ProbeError};
use crate::graph::knowledge::parameter_depths;
use crate::graph::{GraphError, Parameter};
use crate::model::{real, scalar};

pub fn measure(lab: &Lab) -> Result<Parameters, ProbeError> {
    let model = lab.model(0)?;
    let graph = model.network.graph();
    let depths = parameter_depths(graph);
    let deepest = depths.iter().max().copied().unwrap_or(0);
    let loaded = |index: usize| model.loaded.as_ref().is_some_and(|loaded| loaded.parameters[index]);
    let tensors = no_grad(|| {
        (graph.parameters.iter().zip(model.network.parameters()).enumerate())
            .map(|(index, (parameter, values))| {
                let depth = depths[index];
                Ok(ParameterStatistics { depth, last: depth == deepest, from_weights: loaded(index), ..statistics(parameter, values)? })
            })
            .collect::<Result<_, GraphError>>()
    })?;
    Ok(Parameters { from_weights: model.loaded.is_some(), tensors })
}

fn statistics(parameter: &Parameter, values: &Tensor) -> Result<ParameterStatistics, GraphError> {
    let share = |mask: Tensor| -> Result<f64, GraphError> { scalar(&mask.f_to_kind(Kind::Float)?.f_mean(Kind::Double)?) };
    let zero_share = share(values.f_eq(0.0)?)?;
    let positive = share(values.f_gt(0.0)?)?;
    Ok(ParameterStatistics {
        name: parameter.name.clone(),
        module: parameter.module().to_owned(),
        kind: parameter.kind,
        shape: parameter.shape.iter().map(|&n| n as u64).collect(),
        depth: 0,
        last: false,
        from_weights: false,
        mean: real(&values.f_mean(Kind::Float)?)?,
        std: real(&values.f_std(false)?)?,
        min: real(&values.f_min()?)?,
        max: real(&values.f_max()?)?,
        zero_share: zero_share.into(),
        positive_share: (if zero_share < 1.0 { positive / (1.0 - zero_share) } else { 0.0 }).into(),
        fan_in: parameter.fan_in().map(|n| n as u64),
        reference_std: parameter.fill.std().map(Into::into),
        distinct_units: if parameter.kind == ParameterKind::Weight { Some(distinct_rows(values)?) } else { None },
    })
}

fn distinct_rows(values: &Tensor) -> Result<u64, GraphError> {
    let rows = values.f_flatten(1, -1)?.f_to_device(Device::Cpu)?;
    let mut seen = HashSet::new();
    for row in 0..rows.size()[0] {
        let bits: Vec<u32> = Vec::<f32>::try_from(rows.f_select(0, row)?)?.into_iter().map(f32::to_bits).collect();
        seen.insert(bits);
    }
    Ok(seen.len() as u64)
}
