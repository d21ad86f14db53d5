//! What nanprobe answers: the versioned type behind every report format.

use nanprobe_checks::evidence::Run;
use nanprobe_checks::recipe::Recipe;
use nanprobe_checks::stats::Interval;
use nanprobe_checks::{Location, Real, Remedy, Severity};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::worker::Cost;

mod figures;

pub use figures::{Control, CurveOf, Figures, LayerActivation, LayerWeight, LossCurve};

/// Version of the diagnosis format; changes when an old reader would misread it.
pub const SCHEMA: &str = "nanprobe.diagnosis/1";

/// The answer to one job.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Diagnosis {
    /// Version of this format.
    #[schemars(extend("const" = SCHEMA))]
    pub schema: String,
    /// One or two sentences: what is wrong and what to change.
    pub headline: String,
    /// What the training does now; none where it could not be measured.
    pub symptom: Option<Symptom>,
    /// Every check's verdict: findings first, by rank; then what was cleared and what was not measured.
    pub verdicts: Vec<Verdict>,
    /// The smallest set of fixes found, in order, with the accuracy after each.
    pub fixes: Vec<Fix>,
    /// The job as measured, where it could be opened.
    pub job: Option<JobReport>,
    /// How it was measured.
    pub run: RunReport,
    /// What a report draws.
    #[serde(default)]
    pub figures: Figures,
}

impl Diagnosis {
    /// Balanced accuracy that the fixes start from: where the first fix's own experiment began, which may have more seeds than the symptom.
    pub fn start(&self) -> Option<Real> {
        let first = self.fixes.first().and_then(|fix| self.verdicts.iter().find(|verdict| verdict.check == fix.check));
        let own = first.and_then(|verdict| verdict.effect.as_ref()).filter(|effect| effect.with.is_empty());
        own.map(|effect| effect.before).or(self.symptom.as_ref().map(|symptom| symptom.balanced_accuracy))
    }

    /// Whether the fixes' accuracies are those on a few samples learned by heart.
    pub fn by_heart(&self) -> bool {
        self.verdicts.iter().any(|verdict| verdict.decided_by(Criterion::ByHeart))
    }
}

impl Verdict {
    /// Of a check, with nothing said yet.
    pub fn new(check: &str, family: &str, status: Status) -> Self {
        Self {
            rank: None,
            check: check.to_owned(),
            family: family.to_owned(),
            status,
            severity: None,
            effect: None,
            message: String::new(),
            measured: String::new(),
            remedy: String::new(),
            edit: None,
            location: None,
            source: None,
            explained_by: None,
            accepted: None,
        }
    }

    /// Whether it is a finding that rests on that criterion.
    pub fn decided_by(&self, criterion: Criterion) -> bool {
        self.status.is_finding() && self.effect.as_ref().is_some_and(|effect| effect.decided_by == criterion)
    }
}

/// The job in the report.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct JobReport {
    /// Path of the data as given.
    pub data: String,
    /// What the data was recognised as and how labels are found.
    pub rule: String,
    /// Class names; the position is the label.
    pub classes: Vec<String>,
    /// Samples listed, probed for training, and held out.
    pub samples: [u64; 3],
    /// The model and its number of parameters.
    pub model: String,
    /// What the weights file gave, in words.
    pub weights: Option<String>,
    /// The recipe in force.
    pub recipe: Recipe,
}

/// What the training does now.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Symptom {
    /// Held-out accuracy, mean over seeds, 0..1.
    pub accuracy: Real,
    /// Held-out balanced accuracy, mean over seeds, 0..1.
    pub balanced_accuracy: Real,
    /// 95% interval of the accuracy.
    pub interval: Interval,
    /// Accuracy of guessing evenly: 1/classes.
    pub chance: Real,
    /// Accuracy of always answering the most frequent class.
    pub majority_rate: Real,
    /// Final training loss, mean over seeds; in nats where the criterion is cross-entropy.
    pub loss: Real,
    /// ln(classes): cross-entropy of guessing evenly, in nats.
    pub ln_classes: Real,
    /// `confusion[label][prediction]`, counts over the held-out samples, summed over seeds.
    pub confusion: Vec<Vec<u64>>,
    /// Held-out samples.
    pub samples: u64,
    /// Seeds.
    pub seeds: u64,
    /// Steps per seed.
    pub steps: u64,
    /// Training loss at each step of the first seed.
    pub losses: Vec<Real>,
}

/// How sure a verdict is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// The remedy alone helps beyond noise.
    Confirmed,
    /// The remedy helps only together with another.
    Contributing,
    /// The rule fired and no experiment could decide.
    Suspected,
    /// The rule fired and the experiment shows no cost.
    Harmless,
    /// Measured and within limits.
    Clear,
    /// A measurement was missing.
    NotMeasured,
}

impl Status {
    /// The word in tables and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Contributing => "contributing",
            Self::Suspected => "suspected",
            Self::Harmless => "harmless",
            Self::Clear => "clear",
            Self::NotMeasured => "not-measured",
        }
    }

    /// Whether the verdict counts against the job (for the exit code and the ranked table).
    pub fn is_finding(self) -> bool {
        matches!(self, Self::Confirmed | Self::Contributing | Self::Suspected)
    }
}

/// What an experiment's verdict rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Criterion {
    /// Balanced accuracy on samples that were held out.
    HeldOut,
    /// Training loss, of a model whose accuracy does not move yet.
    Loss,
    /// Steps until it learns, where the accuracy after the last step is the same.
    Speed,
    /// Balanced accuracy on a few samples trained on again and again, where the task is too hard for the steps there are.
    ByHeart,
}

/// What a remedy bought: a paired difference over the same seeds and samples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Effect {
    /// Held-out balanced accuracy without the remedy, 0..1, mean over seeds.
    pub before: Real,
    /// Held-out balanced accuracy with the remedy, 0..1, mean over seeds.
    pub after: Real,
    /// 95% interval of the difference `after - before`.
    pub interval: Interval,
    /// Final training loss without the remedy.
    pub loss_before: Real,
    /// Final training loss with the remedy.
    pub loss_after: Real,
    /// Mean steps until the batches' accuracy was half-way from guessing to perfect, without the remedy; none where a seed never got there.
    pub half_way_before: Option<Real>,
    /// The same steps with the remedy.
    pub half_way_after: Option<Real>,
    /// What the status rests on.
    pub decided_by: Criterion,
    /// Held-out balanced accuracy without the remedy after several times the steps, where that was tried because the training learns anyway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longer: Option<Longer>,
    /// Number of seeds.
    pub seeds: u64,
    /// Checks whose remedies were in force in both arms.
    pub with: Vec<String>,
}

/// A longer training without the remedy.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Longer {
    /// Times the steps of the probe.
    pub times: u32,
    /// Held-out balanced accuracy, 0..1, mean over seeds.
    pub accuracy: Real,
}

/// One check's verdict.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    /// Place among the findings, from 1; none where it does not count against the job.
    pub rank: Option<u32>,
    /// The check's name.
    pub check: String,
    /// The check's family; `plugin` for a check of a plug-in.
    pub family: String,
    /// How sure it is.
    pub status: Status,
    /// How bad it is if real; none where it is cleared or not measured.
    pub severity: Option<Severity>,
    /// What the remedy bought, where it was tried.
    pub effect: Option<Effect>,
    /// What is wrong, what cleared it, or what was missing.
    pub message: String,
    /// The numbers, with units and what they are compared with.
    pub measured: String,
    /// What to change, in the user's terms; empty where nothing is to be.
    pub remedy: String,
    /// The edit that was tried.
    pub edit: Option<Remedy>,
    /// Where it stands.
    pub location: Option<Location>,
    /// The user's line there, quoted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The check whose remedy makes this finding vanish.
    pub explained_by: Option<String>,
    /// That the user has accepted the finding; none where that is not so. It then has no rank and does not set the exit code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<Accepted>,
}

/// An entry under `[[accept]]` in `nanprobe.toml` that covers a finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Accepted {
    /// Why the finding is accepted, in the user's words.
    pub reason: String,
    /// Since when, as YYYY-MM-DD.
    pub date: String,
}

/// One step of the fix path.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Fix {
    /// The check.
    pub check: String,
    /// What to change.
    pub remedy: String,
    /// Held-out balanced accuracy after this fix and those before it, 0..1.
    pub accuracy: Real,
}

/// How it was measured.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct RunReport {
    /// Seed, device, threads, versions, budget, what was lowered.
    #[serde(flatten)]
    pub conditions: Run,
    /// Seconds spent.
    pub spent: f64,
    /// Of these, what the trainings took.
    pub trained: Cost,
    /// What went wrong while measuring, or in a plug-in, in words.
    pub problems: Vec<String>,
    /// The `nanprobe.toml` that was read, as it was found: relative to the working directory where it lies below it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<String>,
    /// The command that was run, as a shell takes it; empty where it is not known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub command: String,
    /// Entries under `[[accept]]` whose fault was looked for and is not there any more, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stale_accepts: Vec<String>,
}
