//! Samples in memory: what a network is given, and how raw values become its inputs.

use std::hash::{DefaultHasher, Hash, Hasher};

use nanprobe_checks::recipe::Normalize;
use rayon::prelude::*;
use tch::{Device, Kind, Tensor, no_grad};

use crate::graph::GraphError;

/// Samples that means and deviations are taken from.
const MOMENTS_FROM: usize = 256;
/// A deviation below this is that of a constant, which no division brings to 1.
const LEAST_DEVIATION: f64 = 1e-6;

/// Inputs in memory with their labels.
pub struct Samples {
    /// One tensor an input of the model, [N, ...]: pictures as uint8 pixels [N, C, H, W], anything else as the network receives it.
    inputs: Vec<Tensor>,
    /// Class indices, int64, [N].
    labels: Tensor,
    /// Number of classes in the data.
    classes: usize,
    device: Device,
    /// What [`Normalize::Standardize`] goes by.
    moments: Vec<Option<Moments>>,
}

/// Mean and deviation of an input's channels or features, in a shape that broadcasts against it.
struct Moments {
    mean: Tensor,
    deviation: Tensor,
}

impl Moments {
    /// Those of a channel of pictures, a feature of a table, or of all values of anything else; none for whole numbers that are no pixels.
    fn of(input: &Tensor) -> Result<Option<Self>, GraphError> {
        let kind = input.kind();
        if !is_float(kind) && !is_picture(input) {
            return Ok(None);
        }
        let total = input.size()[0] as usize;
        let some = Tensor::f_from_slice(&spread(MOMENTS_FROM.min(total), total))?;
        let values = input.f_index_select(0, &some)?.f_to_kind(Kind::Float)?;
        let over: Vec<i64> = match input.dim() {
            2 => vec![0],
            4 => vec![0, 2, 3],
            more => (0..more as i64).collect(),
        };
        let mean = values.f_mean_dim(over.as_slice(), true, Kind::Float)?;
        let deviation = values.f_std_dim(over.as_slice(), false, true)?.f_clamp_min(LEAST_DEVIATION)?;
        Ok(Some(Self { mean, deviation }))
    }

    fn shallow_clone(&self) -> Self {
        Self { mean: self.mean.shallow_clone(), deviation: self.deviation.shallow_clone() }
    }
}

/// Whether values of that type are quantities, which have a mean and a scale.
pub fn is_float(kind: Kind) -> bool {
    matches!(kind, Kind::Half | Kind::Float | Kind::Double | Kind::BFloat16)
}

/// Whether an input holds pixels, 0 to 255.
fn is_picture(input: &Tensor) -> bool {
    input.kind() == Kind::Uint8 && input.dim() == 4
}

impl Samples {
    /// Samples of some inputs, each [N, ...], and `labels` (int64, [N]); batches arrive on `device`.
    pub fn new(inputs: Vec<Tensor>, labels: Tensor, classes: usize, device: Device) -> Result<Self, GraphError> {
        let moments = no_grad(|| inputs.iter().map(Moments::of).collect::<Result<_, _>>())?;
        Ok(Self { inputs, labels, classes, device, moments })
    }

    /// The same samples, to be standardised by the means and deviations of others.
    #[must_use]
    pub fn standardized_as(self, others: &Self) -> Self {
        Self { moments: others.moments.iter().map(|m| m.as_ref().map(Moments::shallow_clone)).collect(), ..self }
    }

    /// The same samples with float inputs moved and scaled to the means and deviations of others.
    pub fn prepared_like(&self, others: &Self) -> Result<Self, GraphError> {
        let moved = |(input, theirs): (&Tensor, &Option<Moments>)| match (Moments::of(input)?, theirs) {
            (Some(own), Some(theirs)) if is_float(input.kind()) => {
                let standard = input.f_to_kind(Kind::Float)?.f_sub(&own.mean)?.f_div(&own.deviation)?;
                Ok(standard.f_mul(&theirs.deviation)?.f_add(&theirs.mean)?)
            }
            _ => Ok(input.shallow_clone()),
        };
        let inputs = self.inputs.iter().zip(&others.moments).map(moved).collect::<Result<_, GraphError>>()?;
        Ok(self.with_inputs(inputs))
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.labels.size().first().map_or(0, |&n| n as usize)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of classes in the data.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// All labels.
    pub fn labels(&self) -> Result<Vec<i64>, GraphError> {
        Ok(Vec::<i64>::try_from(&self.labels)?)
    }

    /// All inputs, raw, each [N, ...].
    pub fn inputs(&self) -> &[Tensor] {
        &self.inputs
    }

    /// The pixels, uint8 [N, C, H, W], where the samples are pictures.
    pub fn pixels(&self) -> Option<&Tensor> {
        match &self.inputs[..] {
            [pixels] if is_picture(pixels) => Some(pixels),
            _ => None,
        }
    }

    /// A digest of each sample's inputs: of a few thousand samples no two that differ have the same 128 bits.
    pub fn digests(&self) -> Result<Vec<(u64, u64)>, GraphError> {
        let bytes = |input: &Tensor| -> Result<Vec<u8>, GraphError> {
            let flat = input.f_contiguous()?.f_flatten(0, -1)?;
            // Viewed byte by byte, floats are compared as they are: -0 and 0 differ, NaN equals itself.
            let kind = flat.kind();
            let flat = if kind == Kind::Uint8 { flat } else { flat.f_view_dtype(Kind::Uint8)? };
            Ok(Vec::<u8>::try_from(flat)?)
        };
        let inputs: Vec<Vec<u8>> = self.inputs.iter().map(bytes).collect::<Result<_, _>>()?;
        let count = self.len();
        let digest = |key: u8, sample: usize| {
            let mut hasher = DefaultHasher::new();
            key.hash(&mut hasher);
            for input in &inputs {
                let size = input.len() / count;
                input[sample * size..(sample + 1) * size].hash(&mut hasher);
            }
            hasher.finish()
        };
        Ok((0..count).into_par_iter().map(|sample| (digest(0, sample), digest(1, sample))).collect())
    }

    /// The same samples, sharing memory.
    #[must_use]
    pub fn shallow_clone(&self) -> Self {
        self.with_inputs(self.inputs.iter().map(Tensor::shallow_clone).collect())
    }

    /// Some of the samples.
    pub fn chosen(&self, indices: &[i64]) -> Result<Self, GraphError> {
        let index = Tensor::f_from_slice(indices)?;
        let inputs = self.inputs.iter().map(|input| input.f_index_select(0, &index)).collect::<Result<_, _>>()?;
        Ok(Self { labels: self.labels.f_index_select(0, &index)?, ..self.with_inputs(inputs) })
    }

    /// The same samples with other labels.
    pub fn relabelled(&self, labels: &[i64]) -> Result<Self, GraphError> {
        Ok(Self { labels: Tensor::f_from_slice(labels)?, ..self.shallow_clone() })
    }

    /// The same labels with other inputs of the same kind.
    #[must_use]
    pub fn with_inputs(&self, inputs: Vec<Tensor>) -> Self {
        let moments = self.moments.iter().map(|m| m.as_ref().map(Moments::shallow_clone)).collect();
        Self { inputs, labels: self.labels.shallow_clone(), moments, ..*self }
    }

    /// The inputs as the network receives them, [B, ...], and their labels, int64 [B].
    pub fn batch(&self, indices: &[i64], normalize: Normalize) -> Result<(Vec<Tensor>, Tensor), GraphError> {
        let index = Tensor::f_from_slice(indices)?;
        let chosen = |tensor: &Tensor| tensor.f_index_select(0, &index)?.f_to_device(self.device);
        let prepared = |(input, moments): (&Tensor, &Option<Moments>)| self.prepare(chosen(input)?, moments.as_ref(), normalize);
        let inputs = self.inputs.iter().zip(&self.moments).map(prepared).collect::<Result<_, _>>()?;
        Ok((inputs, chosen(&self.labels)?))
    }

    /// Raw values as the network receives them: float32, or int64 for what is no quantity.
    fn prepare(&self, input: Tensor, moments: Option<&Moments>, normalize: Normalize) -> Result<Tensor, GraphError> {
        let Some(moments) = moments else {
            return Ok(if input.kind() == Kind::Bool { input } else { input.f_to_kind(Kind::Int64)? });
        };
        let input = input.f_to_kind(Kind::Float)?;
        match normalize {
            Normalize::Given => Ok(input),
            Normalize::Standardize => {
                Ok(input.f_sub(&moments.mean.f_to_device(self.device)?)?.f_div(&moments.deviation.f_to_device(self.device)?)?)
            }
            _ => {
                let channels = if input.dim() == 4 { input.size()[1] } else { 1 };
                let affine = normalize.affine(channels as usize);
                let mut shape = vec![1; input.dim()];
                if channels > 1 {
                    shape[1] = channels;
                }
                let column = |values: Vec<f32>| Tensor::f_from_slice(&values)?.f_view(shape.as_slice())?.f_to_device(self.device);
                let scale = column(affine.iter().map(|a| a.0 as f32).collect())?;
                let shift = column(affine.iter().map(|a| a.1 as f32).collect())?;
                Ok(input.f_mul(&scale)?.f_add(&shift)?)
            }
        }
    }
}

/// `count` indices below `total`, evenly spaced.
pub fn spread(count: usize, total: usize) -> Vec<i64> {
    (0..count).map(|i| (i * total / count) as i64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(count: i64) -> Tensor {
        Tensor::arange(count, (Kind::Int64, Device::Cpu)).remainder(2)
    }

    #[test]
    fn tables_are_standardised_by_feature_and_held_out_ones_by_the_training_samples() {
        let table = Tensor::from_slice(&[1.0f32, 100.0, 3.0, 300.0]).view([2, 2]);
        let train = Samples::new(vec![table], labels(2), 2, Device::Cpu).unwrap();
        let (inputs, _) = train.batch(&[0, 1], Normalize::Standardize).unwrap();
        assert_eq!(Vec::<f32>::try_from(inputs[0].flatten(0, -1)).unwrap(), [-1.0, -1.0, 1.0, 1.0]);
        let other = Samples::new(vec![Tensor::from_slice(&[2.0f32, 400.0]).view([1, 2])], labels(1), 2, Device::Cpu).unwrap();
        let (inputs, _) = other.standardized_as(&train).batch(&[0], Normalize::Standardize).unwrap();
        assert_eq!(Vec::<f32>::try_from(inputs[0].flatten(0, -1)).unwrap(), [0.0, 2.0]);
    }

    #[test]
    fn token_ids_stay_whole_and_floats_as_given() {
        let tokens = Tensor::from_slice(&[5i32, 7]).view([1, 2]);
        let floats = Tensor::from_slice(&[200.0f64]).view([1, 1]);
        let samples = Samples::new(vec![tokens, floats], labels(1), 2, Device::Cpu).unwrap();
        for normalize in [Normalize::Given, Normalize::Standardize] {
            let (inputs, _) = samples.batch(&[0], normalize).unwrap();
            assert_eq!(inputs[0].kind(), Kind::Int64);
        }
        assert_eq!(samples.batch(&[0], Normalize::Given).unwrap().0[1].double_value(&[0, 0]), 200.0);
    }

    #[test]
    fn samples_prepared_alike_have_the_others_moments() {
        let of = |values: &[f32]| Samples::new(vec![Tensor::from_slice(values).view([4, 1])], labels(4), 2, Device::Cpu).unwrap();
        let (train, raw) = (of(&[-1.0, 1.0, -1.0, 1.0]), of(&[0.0, 255.0, 0.0, 255.0]));
        let (inputs, _) = raw.prepared_like(&train).unwrap().batch(&[0, 1], Normalize::Given).unwrap();
        assert_eq!(Vec::<f32>::try_from(inputs[0].flatten(0, -1)).unwrap(), [-1.0, 1.0]);
    }

    #[test]
    fn equal_samples_of_any_type_have_equal_digests() {
        let floats = Tensor::from_slice(&[1.5f32, 2.5, 1.5]).view([3, 1]);
        let ids = Tensor::from_slice(&[1i64, 1, 1]).view([3, 1]);
        let digests = Samples::new(vec![floats, ids], labels(3), 2, Device::Cpu).unwrap().digests().unwrap();
        assert!(digests[0] == digests[2] && digests[0] != digests[1]);
    }
}
