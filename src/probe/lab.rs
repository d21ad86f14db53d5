//! What the measurements share.

use std::time::Instant;

use nanprobe_checks::Remedy;
use nanprobe_checks::evidence::{Job, ModelSummary, Run, SourceSummary, TrainingRun};
use nanprobe_checks::recipe::Recipe;
use tch::{Device, Tensor};

use super::plan::{Plan, plan};
use super::{ProbeError, Sink, record};
use crate::config::Settings;
use crate::data::{self, Images, Listing, SubsetOptions};
use crate::design::Design;
use crate::graph::GraphError;
use crate::model::{Model, Treatment, build};
use crate::train::{Samples, spread};
use crate::zoo::Shape;

/// Samples to learn by heart: CS231n takes 20; a full batch costs the same.
pub const BY_HEART: usize = 32;

/// The job under measurement.
pub struct Lab {
    /// What is trained on what.
    pub job: Job,
    /// Where its model comes from.
    pub design: Design,
    /// What the probes train: the job's recipe, with remedies where an experiment applies them.
    pub treatment: Treatment,
    /// Training samples of the probe subset.
    pub train: Samples,
    /// As many of the training samples as there are held-out ones, spread over the listing, to score on.
    pub seen: Samples,
    /// Held-out samples.
    pub held_out: Samples,
    /// Input and output sizes of the model.
    pub shape: Shape,
    /// Where tensors live.
    pub device: Device,
    /// What the budget allows.
    pub plan: Plan,
    /// Threads that one training uses when it is alone.
    pub threads: usize,
    /// The first seed's training by the recipe in force, once it is made.
    pub first_run: Option<TrainingRun>,
}

impl Lab {
    /// Lists the data, fits the plan to the budget, decodes the subset; records what needs no training.
    pub fn open(settings: &Settings, sink: &mut dyn Sink) -> Result<Self, ProbeError> {
        let start = Instant::now();
        let seed = settings.run.seed;
        let design = Design::open(&settings.recipe.model.name)?;
        let device = device(&settings.run.device)?;
        // A small network's operators are too short to share: waiting for a second thread costs more than it does.
        if design.small() && std::env::var_os("OMP_NUM_THREADS").is_none() {
            tch::set_num_threads(1);
        }
        let threads = tch::get_num_threads() as usize;

        sink.stage("listing the data");
        let listing = Listing::open(&settings.data.path, &settings.data)?;
        let companion = data::companion(&listing, &settings.data)?;
        sink.record(record(&data::batch_labels(&listing, settings.recipe.batch_size, settings.recipe.shuffle, seed))?)?;
        sink.record(record(&data::label_names(&listing))?)?;

        sink.stage("timing one training step");
        let (recipe, classes) = (&settings.recipe, listing.classes.len());
        let shape = design.shape(recipe.image_size, settings.image_size_given, listing.grey, recipe.model.outputs, classes)?;
        let left = settings.run.budget.saturating_sub(start.elapsed());
        let plan = plan(settings, &design, shape, device, left.as_secs_f64())?;
        let shape = Shape { size: plan.size as i64, ..shape };

        sink.stage("decoding a subset");
        let options = SubsetOptions {
            train: settings.run.samples,
            held_out: settings.run.held_out,
            size: plan.size,
            channels: shape.channels as usize,
            seed,
        };
        let subset = data::subset(&listing, companion.as_ref(), &options, &|_, _| {})?;
        sink.record(record(&data::class_counts(&listing, &subset))?)?;
        sink.record(record(&subset.unreadable)?)?;

        let train = samples(&subset.train, classes, device)?;
        let held_out = samples(&subset.held_out, classes, device)?;
        let seen = train.chosen(&spread(held_out.len().min(train.len()), train.len()))?;
        let mut recipe = Recipe { image_size: plan.size, ..settings.recipe.clone() };
        if recipe.trainable.is_empty() {
            recipe.trainable = design.trainable();
        }
        let source = SourceSummary {
            path: settings.data.path.display().to_string(),
            kind: listing.kind.to_string(),
            rule: listing.rule.clone(),
            classes: listing.classes.clone(),
            listed: listing.len() as u64,
            train: train.len() as u64,
            held_out: held_out.len() as u64,
            held_out_from: subset.held_out_from,
        };
        let model = model_summary(&design, &recipe, shape, device, seed)?;
        let run = Run {
            seed,
            device: device_name(device),
            threads: tch::get_num_threads() as u64,
            versions: versions(),
            budget: settings.run.budget.as_secs_f64(),
            lowered: plan.lowered.clone(),
        };
        let job = Job { recipe, source, model, run };
        sink.record(record(&job)?)?;
        let treatment = Treatment::none(&job.recipe);
        Ok(Self { job, design, treatment, train, seen, held_out, shape, device, plan, threads, first_run: None })
    }

    /// The same job with remedies applied, on the same samples.
    #[must_use]
    pub fn treated(&self, remedies: &[Remedy]) -> Self {
        self.treated_as(Treatment::of(&self.job.recipe, remedies))
    }

    /// The same lab, sharing the samples.
    #[must_use]
    pub fn again(&self) -> Self {
        self.treated_as(self.treatment.clone())
    }

    fn treated_as(&self, treatment: Treatment) -> Self {
        Self {
            job: self.job.clone(),
            design: self.design.shallow_clone(),
            treatment,
            train: self.train.shallow_clone(),
            seen: self.seen.shallow_clone(),
            held_out: self.held_out.shallow_clone(),
            plan: self.plan.clone(),
            first_run: None,
            ..*self
        }
    }

    /// The training samples that a treatment leaves, where it leaves some out but not nearly all.
    pub fn kept(&self) -> Result<Option<Samples>, GraphError> {
        let left_out = |index: &u64| self.treatment.drop.binary_search(index).is_ok();
        let kept: Vec<i64> = (0..self.train.len() as u64).filter(|index| !left_out(index)).map(|index| index as i64).collect();
        let enough = kept.len() < self.train.len() && kept.len() >= BY_HEART;
        if enough { self.train.chosen(&kept).map(Some) } else { Ok(None) }
    }

    /// Trains on a few of its samples from now on, and scores on the same.
    pub fn learn_by_heart(&mut self) -> Result<(), ProbeError> {
        let few = self.train.chosen(&spread(BY_HEART.min(self.train.len()), self.train.len()))?;
        (self.seen, self.held_out) = (few.shallow_clone(), few.shallow_clone());
        self.train = few;
        Ok(())
    }

    /// The job with the recipe in force.
    pub fn job_in_force(&self) -> Job {
        let mut recipe = self.treatment.recipe.clone();
        if self.treatment.drop_output_activation {
            recipe.model.output_activation = None;
        }
        Job { recipe, ..self.job.clone() }
    }

    /// The recipe in force, with the image size that is used.
    pub fn recipe(&self) -> &Recipe {
        &self.treatment.recipe
    }

    /// The seed of a repetition.
    pub fn seed(&self, repetition: usize) -> u64 {
        self.job.run.seed.wrapping_add(repetition as u64)
    }

    /// The model in force with first values from the seed of a repetition.
    pub fn model(&self, repetition: usize) -> Result<Model, ProbeError> {
        Ok(build(&self.design, &self.treatment, self.shape, self.device, self.seed(repetition))?)
    }

    /// Indices of held-out samples spread over all classes, at most `count`.
    pub fn spread(&self, count: usize) -> Vec<i64> {
        spread(count.min(self.held_out.len()), self.held_out.len())
    }
}

fn samples(images: &Images, classes: usize, device: Device) -> Result<Samples, GraphError> {
    let shape = [images.len(), images.channels, images.size, images.size].map(|n| n as i64);
    let pixels = Tensor::f_from_data_size(&images.pixels, &shape, tch::Kind::Uint8)?;
    Ok(Samples::new(pixels, Tensor::f_from_slice(&images.labels)?, classes, device))
}

fn device(name: &str) -> Result<Device, ProbeError> {
    let cuda = |index: usize| if tch::Cuda::device_count() > index as i64 { Some(Device::Cuda(index)) } else { None };
    match name {
        "auto" => Some(Device::cuda_if_available()),
        "cpu" => Some(Device::Cpu),
        "cuda" => cuda(0),
        _ => name.strip_prefix("cuda:").and_then(|index| cuda(index.parse().ok()?)),
    }
    .ok_or_else(|| ProbeError::Device(name.to_owned()))
}

fn device_name(device: Device) -> String {
    match device {
        Device::Cuda(index) => format!("cuda:{index}"),
        _ => "cpu".to_owned(),
    }
}

fn versions() -> Vec<(String, String)> {
    [("nanprobe", env!("CARGO_PKG_VERSION")), ("libtorch", "2.13.0")].map(|(name, version)| (name.to_owned(), version.to_owned())).to_vec()
}

fn model_summary(design: &Design, recipe: &Recipe, shape: Shape, device: Device, seed: u64) -> Result<ModelSummary, ProbeError> {
    let model = build(design, &Treatment::none(recipe), shape, device, seed)?;
    let count = |trained_only: bool| {
        let parameters = model.network.graph().parameters.iter();
        let counted = parameters.filter(|p| !trained_only || recipe.trains(&p.name));
        counted.map(|p| p.shape.iter().product::<i64>() as u64).sum()
    };
    Ok(ModelSummary {
        name: recipe.model.name.clone(),
        parameters: count(false),
        trainable: count(true),
        outputs: shape.outputs as u64,
        input: [shape.channels as u64, shape.size as u64, shape.size as u64],
        weights: model.loaded.as_ref().map(crate::graph::weights::Loaded::describe),
        modules: design.modules(),
    })
}
