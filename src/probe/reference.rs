//! The first values and what they compute, against those of a reference file.

use nanprobe_checks::Remedy;
use nanprobe_checks::evidence::{NodeActivation, ParameterKind, Reference, ReferenceActivation, ReferenceTensor};
use tch::{Kind, Tensor, no_grad};

use super::{Lab, ProbeError, activations};
use crate::graph::GraphError;
use crate::model::{real, scalar};

pub fn measure(lab: &Lab) -> Result<Reference, ProbeError> {
    let path = lab.recipe().model.reference.clone().ok_or(ProbeError::NoReference)?;
    let own = lab.model(0)?.network;
    let meant = lab.treated(&[Remedy::LoadWeights { path: path.clone() }])?.model(0)?;
    let taken = meant.loaded.map(|loaded| loaded.parameters).unwrap_or_default();
    let pairs = own.parameters().iter().zip(meant.network.parameters());
    let tensors = no_grad(|| {
        (own.graph().parameters.iter().zip(pairs).zip(taken))
            .filter(|((parameter, _), taken)| *taken && parameter.kind == ParameterKind::Weight)
            .map(|((parameter, (own, meant)), _)| {
                Ok(ReferenceTensor {
                    name: parameter.name.clone(),
                    count: own.numel() as u64,
                    std: real(&own.f_std(false)?)?,
                    reference_std: real(&meant.f_std(false)?)?,
                    correlation: correlation(own, meant)?.into(),
                })
            })
            .collect::<Result<Vec<_>, GraphError>>()
    })?;
    let (with_own, with_meant) = (activations::measure(lab, &own)?, activations::measure(lab, &meant.network)?);
    let activations = with_own.into_iter().zip(with_meant);
    let activation =
        |(own, meant): (NodeActivation, NodeActivation)| ReferenceActivation { node: own.node, std: own.std, reference_std: meant.std };
    Ok(Reference { path: path.display().to_string(), tensors, activations: activations.map(activation).collect() })
}

/// Pearson's correlation of the values of two tensors of one shape; 0 where either is constant.
fn correlation(a: &Tensor, b: &Tensor) -> Result<f64, GraphError> {
    let centred = |t: &Tensor| t.f_to_kind(Kind::Double)?.f_sub(&t.f_to_kind(Kind::Double)?.f_mean(Kind::Double)?);
    let (a, b) = (centred(a)?, centred(b)?);
    let size = scalar(&a.f_norm()?)? * scalar(&b.f_norm()?)?;
    if size == 0.0 { Ok(0.0) } else { Ok(scalar(&a.f_mul(&b)?.f_sum(Kind::Double)?)? / size) }
}
