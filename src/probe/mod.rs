//! Measuring: one measurement a file, named as in `checks/evidence/`, cheapest first.
//!
//! [`Lab`] holds what they share: the decoded subset, the recipe, the plan that the budget allows.
//! [`measure`] takes every measurement once and gives each away as soon as it is there, so that what
//! arrived before an abort can still be judged.

use nanprobe_checks::Remedy;
use nanprobe_checks::evidence::{Measurement, ON_REQUEST, Record};
use thiserror::Error;

use crate::config::Settings;
use crate::data::DataError;
use crate::graph::GraphError;
use crate::model::ModelError;

mod activations;
mod batch_mixing;
mod blank_inputs;
mod calibration;
mod gradients;
mod identical_samples;
mod initial_loss;
mod input_statistics;
mod lab;
mod label_range;
mod lanes;
mod learning_rate_sweep;
mod logits;
mod memorise;
mod non_finite;
mod parameters;
mod permuted_labels;
mod pictures;
mod plan;
mod reference;
mod serve;
mod training;

pub use lab::Lab;
pub use serve::serve;
pub use training::trial;

/// Why nothing more can be measured.
#[derive(Debug, Error)]
pub enum ProbeError {
    /// The data cannot be used.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The model cannot be built.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The graph cannot be run.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// Held-out samples that are not like the training samples.
    #[error("the held-out samples are {0} and the training samples {1}; prepare both alike")]
    Shapes(String, String),
    /// No such device.
    #[error("device `{0}` is not available; use `--device cpu`")]
    Device(String),
    /// Nothing to compare the first values with.
    #[error("{ON_REQUEST}`--reference FILE`")]
    NoReference,
    /// Inputs that are no pictures.
    #[error("the inputs are no pictures of one or three channels")]
    NoPictures,
    /// A picture that cannot be drawn.
    #[error("cannot draw a picture: {0}")]
    Draw(#[from] image::ImageError),
    /// A measurement that another one builds on.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// Evidence that cannot be written.
    #[error("cannot write evidence: {0}")]
    Write(String),
}

/// What measuring tells its caller as it goes.
pub trait Sink {
    /// A measurement, or that one could not be taken.
    fn record(&mut self, record: Record) -> Result<(), ProbeError>;
    /// What is being done.
    fn stage(&mut self, text: &str);
}

/// Takes the measurements that checks read.
pub fn measure(settings: &Settings, sink: &mut dyn Sink) -> Result<Lab, ProbeError> {
    let mut lab = Lab::open(settings, sink)?;
    take(sink, "looking at the inputs", || input_statistics::measure(&lab))?;
    take(sink, "looking at the labels", || label_range::measure(&lab))?;
    take(sink, "looking for identical samples", || identical_samples::measure(&lab))?;
    take(sink, "drawing the first batches", || pictures::measure(&lab))?;
    take(sink, "looking at the parameters", || parameters::measure(&lab))?;
    take(sink, "comparing the parameters with the reference", || reference::measure(&lab))?;
    take(sink, "looking for samples that are mixed", || batch_mixing::measure(&lab))?;
    take(sink, "measuring the initial loss", || initial_loss::measure(&lab))?;
    sink.stage("training by your recipe");
    let seeds = lab.plan.seeds;
    training::measure(&mut lab, seeds, sink)?;
    take(sink, "sweeping the learning rate", || learning_rate_sweep::measure(&lab))?;
    take(sink, "comparing your labels with permuted ones", || permuted_labels::measure(&lab))?;
    Ok(lab)
}

/// The job of some settings, to be trained this many times longer than the budget allows.
pub fn open_longer(settings: &Settings, factor: usize, sink: &mut dyn Sink) -> Result<Lab, ProbeError> {
    let mut lab = Lab::open(settings, sink)?;
    lab.plan.steps *= factor;
    Ok(lab)
}

/// The controls that tell what is left where no check explains a training that does not learn.
pub fn controls(lab: &Lab, sink: &mut dyn Sink) -> Result<(), ProbeError> {
    take(sink, "learning a few samples by heart", || memorise::measure(lab))?;
    take(sink, "training on blank inputs", || blank_inputs::measure(lab))
}

/// What can be seen of the job with remedies applied: the evidence of one observed training, and of a sweep if wanted.
fn observe(lab: &Lab, remedies: &[Remedy], sweep: bool, sink: &mut dyn Sink) -> Result<(), ProbeError> {
    let mut treated = lab.treated(remedies)?;
    sink.record(record(&treated.job_in_force())?)?;
    take(sink, "looking at the mended inputs", || input_statistics::measure(&treated))?;
    take(sink, "looking at the mended parameters", || parameters::measure(&treated))?;
    take(sink, "measuring the mended initial loss", || initial_loss::measure(&treated))?;
    training::measure(&mut treated, 1, sink)?;
    if sweep {
        take(sink, "sweeping the learning rate of the mended training", || learning_rate_sweep::measure(&treated))?;
    }
    Ok(())
}

fn record<M: Measurement>(measurement: &M) -> Result<Record, ProbeError> {
    Record::of(measurement).map_err(|error| ProbeError::Write(error.to_string()))
}

/// Takes one measurement; a failure of its own is evidence and does not stop the others.
fn take<M: Measurement>(sink: &mut dyn Sink, stage: &str, measure: impl FnOnce() -> Result<M, ProbeError>) -> Result<(), ProbeError> {
    sink.stage(stage);
    let taken = match measure() {
        Ok(measurement) => record(&measurement)?,
        Err(error) => Record::failed(M::NAME, error.to_string()),
    };
    sink.record(taken)
}
