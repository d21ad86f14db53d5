//! What was measured: one file a measurement, one slot each in [`Evidence`].
//!
//! Evidence leaves the process as JSON lines of [`Record`]s, whoever made them: the engine, the
//! Python package, or someone else's program. [`SCHEMA`] names the version.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::check::{Needs, read_one};

mod activations;
mod batch_labels;
mod batch_mixing;
mod blank_inputs;
mod calibration;
mod class_counts;
mod gradients;
mod identical_samples;
mod initial_loss;
mod input_statistics;
mod job;
mod label_names;
mod label_range;
mod learning_rate_sweep;
mod logits;
mod memorise;
mod non_finite;
mod parameters;
mod permuted_labels;
mod pictures;
mod reference;
mod schema;
mod training;
mod training_loop;
mod unreadable_files;

pub use activations::{Activations, NodeActivation, NodeKind};
pub use batch_labels::BatchLabels;
pub use batch_mixing::{BatchMixing, MixingNode};
pub use blank_inputs::BlankInputs;
pub use calibration::Calibration;
pub use class_counts::{ClassCount, ClassCounts};
pub use gradients::{Gradients, ParameterGradient};
pub use identical_samples::IdenticalSamples;
pub use initial_loss::InitialLoss;
pub use input_statistics::{ChannelStatistics, InputStatistics};
pub use job::{Job, ModelSummary, ModuleSource, Run, SourceSummary};
pub use label_names::{LabelNames, NameDisagreement};
pub use label_range::LabelRange;
pub use learning_rate_sweep::{LearningRateSweep, Suggestion, SweepCurve};
pub use logits::{Logits, OutputValues, TrailingActivation};
pub use memorise::Memorise;
pub use non_finite::{FirstNonFinite, NonFinite, Phase};
pub use parameters::{ParameterKind, ParameterStatistics, Parameters};
pub use permuted_labels::{LabelContest, PermutedLabels};
pub use pictures::{Picture, Pictures};
pub use reference::{Reference, ReferenceActivation, ReferenceTensor};
pub use schema::schema;
pub use training::{Score, Training, TrainingRun};
pub use training_loop::{
    ExportError, LoopBatchNorm, LoopClip, LoopCriterion, LoopEvaluation, LoopGradients, LoopLoader, LoopMetric, LoopModes, LoopOptimizer,
    LoopOtherEvaluated, LoopRankBatches, LoopRankParameters, LoopRanks, LoopSampler, LoopSchedule, LoopUnregistered, LoopValidation,
    Moments, TrainingLoop,
};
pub use unreadable_files::{FileError, UnreadableFiles};

/// Version of the evidence format; changes when an old reader would misread it.
pub const SCHEMA: &str = "nanprobe.evidence/1";

/// How the reason begins why a measurement is missing that is only taken on request.
pub const ON_REQUEST: &str = "only on request: ";

/// A fact of one kind about a job.
pub trait Measurement: Serialize + DeserializeOwned + JsonSchema + 'static {
    /// Its name in records and in `not-measured` answers.
    const NAME: &'static str;
    /// What it measures, in half a sentence.
    const TITLE: &'static str;

    /// Its slot.
    fn slot(evidence: &Evidence) -> Option<&Self>;
    /// Its slot, to fill.
    fn slot_mut(evidence: &mut Evidence) -> &mut Option<Self>;
}

/// A line that cannot be read as evidence.
#[derive(Debug, Error)]
pub enum EvidenceError {
    /// Not a record of this schema.
    #[error("not an evidence record: {0}")]
    NotARecord(#[source] serde_json::Error),
    /// A record of another version.
    #[error("evidence of schema `{found}`; this nanprobe reads `{SCHEMA}`: measure again, or use the version that wrote it")]
    Schema {
        /// The schema named in the line.
        found: String,
    },
    /// A known measurement whose value has another shape.
    #[error("measurement `{name}` has an unexpected value: {source}")]
    Value {
        /// The measurement.
        name: String,
        /// What serde found.
        source: serde_json::Error,
    },
}

/// One JSON line of an evidence stream.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    /// [`SCHEMA`].
    pub schema: String,
    /// Name of the measurement.
    pub measurement: String,
    /// The measurement itself, or null where it could not be taken.
    pub value: serde_json::Value,
    /// Why it could not be taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

impl Record {
    /// The record of a measurement.
    pub fn of<M: Measurement>(measurement: &M) -> Result<Self, serde_json::Error> {
        let value = serde_json::to_value(measurement)?;
        Ok(Self { schema: SCHEMA.to_owned(), measurement: M::NAME.to_owned(), value, failure: None })
    }

    /// The record of a measurement that could not be taken.
    pub fn failed(measurement: &str, why: String) -> Self {
        Self { schema: SCHEMA.to_owned(), measurement: measurement.to_owned(), value: serde_json::Value::Null, failure: Some(why) }
    }
}

macro_rules! measurements {
    ($($slot:ident: $type:ident = $name:literal, $title:literal;)+) => {
        /// All that was measured of one job.
        #[derive(Clone, Debug, Default)]
        pub struct Evidence {
            $($slot: Option<$type>,)+
            /// Why a measurement could not be taken, by name.
            pub failures: BTreeMap<String, String>,
        }

        $(
            impl Measurement for $type {
                const NAME: &'static str = $name;
                const TITLE: &'static str = $title;

                fn slot(evidence: &Evidence) -> Option<&Self> {
                    evidence.$slot.as_ref()
                }

                fn slot_mut(evidence: &mut Evidence) -> &mut Option<Self> {
                    &mut evidence.$slot
                }
            }

            impl Needs for $type {
                type Ref<'a> = &'a $type;

                fn names() -> Vec<&'static str> {
                    vec![$name]
                }

                fn read(evidence: &Evidence) -> Result<&Self, Vec<&'static str>> {
                    read_one::<$type>(evidence)
                }
            }
        )+

        impl Evidence {
            /// Name and title of every measurement.
            pub const MEASUREMENTS: &'static [(&'static str, &'static str)] = &[$(($name, $title)),+];

            /// What was measured and what could not be, as the records of an evidence stream.
            pub fn records(&self) -> Result<Vec<Record>, serde_json::Error> {
                let mut records = Vec::new();
                $(records.extend(self.$slot.as_ref().map(Record::of).transpose()?);)+
                records.extend(self.failures.iter().map(|(name, why)| Record::failed(name, why.clone())));
                Ok(records)
            }

            /// The schema of each measurement's value, by name and title.
            fn value_schemas(generator: &mut SchemaGenerator) -> Vec<(&'static str, &'static str, Schema)> {
                vec![$(($name, $title, generator.subschema_for::<$type>())),+]
            }

            /// Takes a record in; one of an unknown measurement is kept out without an error, so that
            /// evidence of a newer minor version can still be judged.
            pub fn insert(&mut self, record: Record) -> Result<(), EvidenceError> {
                if record.schema != SCHEMA {
                    return Err(EvidenceError::Schema { found: record.schema });
                }
                if let Some(why) = record.failure {
                    self.failures.insert(record.measurement, why);
                    return Ok(());
                }
                match record.measurement.as_str() {
                    $($name => {
                        self.$slot = Some(serde_json::from_value(record.value)
                            .map_err(|source| EvidenceError::Value { name: record.measurement, source })?);
                    })+
                    _ => {}
                }
                Ok(())
            }
        }
    };
}

measurements! {
    job: Job = "job", "what is trained on what, and how it was measured";
    class_counts: ClassCounts = "class-counts", "how many samples each class has";
    unreadable_files: UnreadableFiles = "unreadable-files", "files that could not be decoded";
    batch_labels: BatchLabels = "batch-labels", "the labels of the first training batches, in the loader's order";
    input_statistics: InputStatistics = "input-statistics", "the pixels as the network receives them";
    identical_samples: IdenticalSamples = "identical-samples", "training samples that are the same picture";
    pictures: Pictures = "pictures", "the first batches and suspicious samples as pictures";
    label_range: LabelRange = "label-range", "the labels against the model's outputs";
    label_names: LabelNames = "label-names", "the labels against class names that occur in file names";
    parameters: Parameters = "parameters", "first values of the parameters, by tensor";
    batch_mixing: BatchMixing = "batch-mixing", "whether the answer for one sample depends on the others";
    initial_loss: InitialLoss = "initial-loss", "the loss before training";
    logits: Logits = "logits", "the model's output, before and after training";
    gradients: Gradients = "gradients", "the gradient of each parameter before training, and its first updates";
    activations: Activations = "activations", "the outputs of inner nodes, before and after training";
    non_finite: NonFinite = "non-finite", "the first node whose output or gradient is not finite";
    calibration: Calibration = "calibration", "the trained model with batch-norm statistics taken anew";
    reference: Reference = "reference", "the first values against those of a reference file";
    training: Training = "training", "short trainings by the user's recipe over several seeds";
    memorise: Memorise = "memorise", "whether a few dozen samples can be learned by heart";
    permuted_labels: PermutedLabels = "permuted-labels", "the given labels against the same labels permuted, by a reference learner";
    blank_inputs: BlankInputs = "blank-inputs", "real inputs against constant ones";
    learning_rate_sweep: LearningRateSweep = "learning-rate-sweep", "the loss while the learning rate grows exponentially";
    training_loop: TrainingLoop = "training-loop", "what the user's own training loop does";
}

impl Evidence {
    /// A measurement, if it was taken.
    pub fn get<M: Measurement>(&self) -> Option<&M> {
        M::slot(self)
    }

    /// Keeps a measurement.
    pub fn set<M: Measurement>(&mut self, measurement: M) {
        *M::slot_mut(self) = Some(measurement);
    }

    /// Takes one JSON line in; an empty line is passed over.
    pub fn insert_line(&mut self, line: &str) -> Result<(), EvidenceError> {
        if line.trim().is_empty() {
            return Ok(());
        }
        self.insert(serde_json::from_str(line).map_err(EvidenceError::NotARecord)?)
    }
}
