//! The first batches as pictures, and the samples whose labels are in doubt.

use std::io::Cursor;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use image::imageops::thumbnail;
use image::{DynamicImage, ImageFormat, RgbImage};
use nanprobe_checks::evidence::{NameDisagreement, Picture, Pictures};
use tch::{Kind, Tensor};

use super::{Lab, ProbeError};
use crate::graph::GraphError;
use crate::model::scalar;
use crate::sampler::Sampler;
use crate::samples::Samples;

/// Batches that are shown: the second tells an order from an accident.
const BATCHES: usize = 2;
/// Pictures of each.
const OF_A_BATCH: usize = 16;
/// Suspicious samples that are shown, of each kind.
const SUSPECTS: usize = 12;
/// Pixels a side; larger ones are reduced, so that a report stays small.
const SIDE: u32 = 48;

/// The beginning of the first seed's first batches, in the values that the network receives.
pub fn measure(lab: &Lab) -> Result<Pictures, ProbeError> {
    let shape = lab.train.pixels().map(Tensor::size).filter(|size| matches!(size[1], 1 | 3)).ok_or(ProbeError::NoPictures)?;
    let recipe = lab.recipe();
    let mut sampler = Sampler::new(&lab.train, recipe.batch_size, recipe.shuffle, lab.seed(0));
    let first = |mut batch: Vec<i64>| {
        batch.truncate(OF_A_BATCH);
        Received::of(lab, &lab.train, &batch)
    };
    let batches: Vec<Received> = (0..BATCHES).map(|_| first(sampler.next_batch())).collect::<Result<_, _>>()?;
    let suspects = [misnamed(lab)?, same_picture(lab)?];

    let all = || batches.iter().chain(&suspects);
    let black = all().map(|received| received.low).filter(|x| x.is_finite()).reduce(f64::min).unwrap_or(0.0);
    let white = all().map(|received| received.high).filter(|x| x.is_finite()).reduce(f64::max).unwrap_or(1.0);
    let draw = |received: &Received| received.pictures(black, white);
    let drawn: Vec<Vec<Picture>> = suspects.iter().map(draw).collect::<Result<_, _>>()?;
    Ok(Pictures {
        shape: shape[1..].iter().map(|&n| n as u64).collect(),
        black: black.into(),
        white: white.into(),
        batch_size: recipe.batch_size as u64,
        batches: batches.iter().map(draw).collect::<Result<_, _>>()?,
        suspects: drawn.concat(),
    })
}

/// Pictures that stand among the training samples with different labels.
fn same_picture(lab: &Lab) -> Result<Received, ProbeError> {
    let conflicting = super::identical_samples::measure(lab)?.conflicting;
    let indices: Vec<i64> = conflicting.into_iter().map(|index| index as i64).take(SUSPECTS).collect();
    let note = Note { text: "the same picture stands under another label too".to_owned(), file: None };
    let notes = vec![note; indices.len()];
    Ok(Received { notes, ..Received::of(lab, &lab.train, &indices)? })
}

/// Pictures whose file name speaks of another class.
fn misnamed(lab: &Lab) -> Result<Received, ProbeError> {
    let shown = &lab.misnamed[..lab.misnamed.len().min(SUSPECTS)];
    let count = shown.len() as i64;
    if count == 0 {
        return Received::of(lab, &lab.train, &[]);
    }
    let bytes: Vec<u8> = shown.iter().flat_map(|sample| &sample.pixels).copied().collect();
    let labels: Vec<i64> = shown.iter().map(|sample| sample.label).collect();
    let shape = [count, lab.shape.channels, lab.shape.size, lab.shape.size];
    let pixels = Tensor::f_from_data_size(&bytes, &shape, Kind::Uint8).map_err(GraphError::from)?;
    let labels = Tensor::f_from_slice(&labels).map_err(GraphError::from)?;
    let samples = Samples::new(vec![pixels], labels, lab.train.classes(), lab.device)?.standardized_as(&lab.train);
    let note = |names: &NameDisagreement| Note { text: format!("the file's name says {}", names.named), file: Some(names.path.clone()) };
    let notes = shown.iter().map(|sample| note(&sample.names)).collect();
    Ok(Received { notes, ..Received::of(lab, &samples, &(0..count).collect::<Vec<_>>())? })
}

/// Why a sample is suspicious, and the file it comes from where that is known.
#[derive(Clone, Default)]
struct Note {
    text: String,
    file: Option<String>,
}

/// Some samples as the network receives them.
struct Received {
    /// One tensor a sample, float [C, H, W].
    inputs: Vec<Tensor>,
    labels: Vec<i64>,
    notes: Vec<Note>,
    /// Least and largest value; not finite where there is none.
    low: f64,
    high: f64,
}

impl Received {
    fn of(lab: &Lab, samples: &Samples, indices: &[i64]) -> Result<Self, ProbeError> {
        let mut received = Self { inputs: vec![], labels: vec![], notes: vec![], low: f64::NAN, high: f64::NAN };
        if indices.is_empty() {
            return Ok(received);
        }
        let (inputs, labels) = samples.batch(indices, lab.recipe().normalize)?;
        let Some(batch) = inputs.first() else { return Ok(received) };
        let batch = batch.f_nan_to_num(0.0, None, None).map_err(GraphError::from)?;
        received.low = scalar(&batch.f_min().map_err(GraphError::from)?)?;
        received.high = scalar(&batch.f_max().map_err(GraphError::from)?)?;
        received.inputs = (0..indices.len()).map(|i| batch.f_get(i as i64)).collect::<Result<_, _>>().map_err(GraphError::from)?;
        received.labels = Vec::<i64>::try_from(&labels).map_err(GraphError::from)?;
        received.notes = vec![Note::default(); indices.len()];
        Ok(received)
    }

    fn pictures(&self, black: f64, white: f64) -> Result<Vec<Picture>, ProbeError> {
        let samples = self.inputs.iter().zip(&self.labels).zip(self.notes.iter().cloned());
        let picture = |((input, &label), Note { text: note, file }): ((&Tensor, &i64), Note)| {
            Ok(Picture { png: png(input, black, white)?, label, file, note })
        };
        samples.map(picture).collect()
    }
}

/// A PNG, in base64, of an input [C, H, W].
fn png(input: &Tensor, black: f64, white: f64) -> Result<String, ProbeError> {
    let range = if white > black { white - black } else { 1.0 };
    let pixels = || -> Result<(Vec<u8>, u32, u32), GraphError> {
        let shown = input.f_sub_scalar(black)?.f_mul_scalar(255.0 / range)?.f_clamp(0.0, 255.0)?.f_to_kind(Kind::Uint8)?;
        let size = shown.size();
        // [H, W, 3]
        let rgb = shown.f_expand([3, size[1], size[2]], false)?.f_permute([1, 2, 0])?.f_contiguous()?.f_flatten(0, -1)?;
        Ok((Vec::<u8>::try_from(rgb)?, size[2] as u32, size[1] as u32))
    };
    let (bytes, width, height) = pixels()?;
    let full = RgbImage::from_raw(width, height, bytes).unwrap_or_default();
    let scale = f64::from(SIDE) / f64::from(width.max(height).max(1));
    let side = |n: u32| ((f64::from(n) * scale) as u32).max(1);
    let small = if scale < 1.0 { thumbnail(&full, side(width), side(height)) } else { full };
    let grey = small.pixels().all(|pixel| pixel.0[0] == pixel.0[1] && pixel.0[1] == pixel.0[2]);
    let small = DynamicImage::from(small);
    let small = if grey { DynamicImage::from(small.to_luma8()) } else { small };
    let mut file = Cursor::new(Vec::new());
    small.write_to(&mut file, ImageFormat::Png)?;
    Ok(STANDARD.encode(file.into_inner()))
}
