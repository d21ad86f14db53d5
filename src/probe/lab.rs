//! What the measurements share.

use std::collections::HashMap;
use std::time::Instant;

use nanprobe_checks::Remedy;
use nanprobe_checks::evidence::{Job, LabelNames, ModelSummary, NameDisagreement, Run, SourceSummary, TrainingRun};
use nanprobe_checks::recipe::{Loss, Normalize, Recipe};
use safetensors::Dtype;
use tch::{Device, Kind, Tensor};

use super::plan::{Plan, Timed, plan};
use super::{ProbeError, Sink, record, running_statistics};
use crate::config::Settings;
use crate::data::{self, Layout, Listing, Rows, SubsetOptions};
use crate::design::Design;
use crate::graph::GraphError;
use crate::model::{Model, Treatment, build};
use crate::samples::{Samples, spread};
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
    /// Samples whose file name disagrees with their label, decoded like the others.
    pub misnamed: Vec<Misnamed>,
    /// The first seed's training by the recipe in force, once it is made.
    pub first_run: Option<TrainingRun>,
}

/// A sample whose file name speaks of another class than its label.
#[derive(Clone)]
pub struct Misnamed {
    /// Its pixels, uint8 [C, H, W].
    pub pixels: Vec<u8>,
    /// Its label.
    pub label: i64,
    /// The disagreement.
    pub names: NameDisagreement,
}

impl Lab {
    /// Lists the data, fits the plan to the budget, decodes the subset; records what needs no training.
    pub fn open(settings: &Settings, sink: &mut dyn Sink) -> Result<Self, ProbeError> {
        let start = Instant::now();
        let seed = settings.run.seed;
        let mut design = Design::open(&settings.recipe.model.name)?;
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
        let names = data::label_names(&listing);
        sink.record(record(&names)?)?;

        let mut recipe = settle(settings, &design, &listing)?;
        let classes = listing.classes.len();
        design.answer_with(recipe.model.outputs.unwrap_or(classes));
        let asked = if listing.holds_tensors() {
            design.shape_of_tensors(&listing.layout(0, 0), recipe.model.outputs, classes)?
        } else {
            design.shape_of_pictures(recipe.image_size, settings.given.image_size, listing.grey, recipe.model.outputs, classes)?
        };
        if let Some(loss) = design.loss_of_one_output(asked.outputs, classes).filter(|_| !settings.given.loss) {
            recipe.loss = loss;
        }
        let options = |size: usize| SubsetOptions {
            train: settings.run.samples,
            held_out: settings.run.held_out,
            size,
            channels: asked.channels as usize,
            seed,
        };
        let decoded = |size: usize| data::subset(&listing, companion.as_ref(), &options(size), &|_, _| {});
        // Pictures are decoded once their size is known, and it follows from the time of a step; tensors are what they are.
        let ready = if listing.holds_tensors() { Some(decoded(0)?) } else { None };
        let few = ready.as_ref().map(|subset| samples(&subset.train, classes, device)).transpose()?;

        sink.stage("timing one training step");
        let left = settings.run.budget.saturating_sub(start.elapsed());
        let plan =
            plan(settings, &Timed { design: &design, recipe: &recipe, shape: asked, device, few: few.as_ref() }, left.as_secs_f64())?;
        let shape = Shape { size: plan.size as i64, ..asked };

        sink.stage("decoding a subset");
        let subset = ready.map_or_else(|| decoded(plan.size), Ok)?;
        if subset.train.layout != subset.held_out.layout {
            return Err(ProbeError::Shapes(described(&subset.held_out), described(&subset.train)));
        }
        sink.record(record(&data::class_counts(&listing, &subset))?)?;
        sink.record(record(&subset.unreadable)?)?;

        let misnamed = misnamed(&listing, names, shape);
        let train = samples(&subset.train, classes, device)?;
        let held_out = samples(&subset.held_out, classes, device)?.standardized_as(&train);
        let seen = train.chosen(&spread(held_out.len().min(train.len()), train.len()))?;
        recipe.image_size = plan.size;
        recipe.trainable = recipe.trainable.or_else(|| design.trainable());
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
        let input = subset.train.layout.first().map(|layout| layout.shape.iter().map(|&n| n as u64).collect()).unwrap_or_default();
        let model = ModelSummary { input, ..model_summary(&design, &recipe, shape, device, seed)? };
        let mut treatment = Treatment::none(&recipe);
        let mut lowered = plan.lowered.clone();
        if let Some(needed) = running_statistics::late(design.graph(shape)?, &recipe, plan.steps, listing.len()) {
            treatment.calibrate = true;
            lowered.push(format!(
                "a training of {} steps is too short for batch norm's statistics, which need {needed}: they are taken anew before each score",
                plan.steps
            ));
        }
        let run = Run {
            seed,
            device: device_name(device),
            threads: tch::get_num_threads() as u64,
            versions: versions(),
            budget: settings.run.budget.as_secs_f64(),
            lowered,
        };
        let job = Job { recipe, source, model, run };
        sink.record(record(&job)?)?;
        Ok(Self { job, design, treatment, train, seen, held_out, shape, device, plan, threads, misnamed, first_run: None })
    }

    /// The same job with remedies applied, on the same samples.
    pub fn treated(&self, remedies: &[Remedy]) -> Result<Self, GraphError> {
        let mut lab = self.treated_as(Treatment::of(&self.job.recipe, remedies));
        lab.treatment.calibrate |= self.treatment.calibrate;
        if lab.treatment.prepare_held_out {
            lab.held_out = lab.held_out.prepared_like(&lab.train)?;
        }
        Ok(lab)
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
            misnamed: vec![],
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

/// The files in question, decoded; one that cannot be is counted elsewhere.
fn misnamed(listing: &Listing, names: LabelNames, shape: Shape) -> Vec<Misnamed> {
    // Names that never agree are of something else than the class.
    if !names.independent || 2 * names.disagreeing > names.naming {
        return vec![];
    }
    let mut examples: HashMap<String, NameDisagreement> = names.examples.into_iter().map(|names| (names.path.clone(), names)).collect();
    let mut found = Vec::new();
    for index in 0..listing.len() {
        if examples.is_empty() {
            break;
        }
        let Some(names) = examples.remove(&listing.path_of(index)) else { continue };
        if let Ok(pixels) = listing.decode(index, shape.channels as usize, shape.size as usize) {
            found.push(Misnamed { pixels, label: i64::from(listing.labels[index]), names });
        }
    }
    found
}

/// The recipe in force: what the user left open follows from the data and the model.
fn settle(settings: &Settings, design: &Design, listing: &Listing) -> Result<Recipe, ProbeError> {
    let mut recipe = settings.recipe.clone();
    let own = design.criterion().map(|own| own.kind);
    if recipe.loss == Loss::Exported || !settings.given.loss {
        match own {
            Some(kind) => recipe.loss = kind,
            None if recipe.loss == Loss::Exported => return Err(GraphError::NoCriterion.into()),
            None => {}
        }
    }
    let pixels = listing.layout(0, 0).iter().any(|layout| layout.dtype == Dtype::U8 && layout.shape.len() == 3);
    if !settings.given.normalize && (!pixels || design.takes_integers()) {
        recipe.normalize = Normalize::Given;
    }
    Ok(recipe)
}

/// Shapes of the inputs in words.
fn described(rows: &Rows) -> String {
    let input = |layout: &Layout| format!("{:?} of {:?}", layout.shape, layout.dtype);
    rows.layout.iter().map(input).collect::<Vec<_>>().join(" and ")
}

fn samples(rows: &Rows, classes: usize, device: Device) -> Result<Samples, GraphError> {
    let input = |(index, layout): (usize, &Layout)| {
        let kind = match layout.dtype {
            Dtype::U8 => Kind::Uint8,
            Dtype::I8 => Kind::Int8,
            Dtype::I16 => Kind::Int16,
            Dtype::I32 => Kind::Int,
            Dtype::BOOL => Kind::Bool,
            Dtype::F16 => Kind::Half,
            Dtype::BF16 => Kind::BFloat16,
            Dtype::F32 => Kind::Float,
            Dtype::F64 => Kind::Double,
            // The reader takes no other type.
            _ => Kind::Int64,
        };
        let shape: Vec<i64> = std::iter::once(rows.len()).chain(layout.shape.iter().copied()).map(|n| n as i64).collect();
        Ok(Tensor::f_from_data_size(&rows.input(index), &shape, kind)?)
    };
    let inputs = rows.layout.iter().enumerate().map(input).collect::<Result<_, GraphError>>()?;
    Samples::new(inputs, Tensor::f_from_slice(&rows.labels)?, classes, device)
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
        input: vec![],
        weights: model.loaded.as_ref().map(crate::graph::weights::Loaded::describe),
        modules: design.modules(),
    })
}
