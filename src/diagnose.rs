//! The whole story on one page: measure, judge, experiment, rank.

use std::cmp::Reverse;
use std::time::Instant;

use nanprobe_checks::evidence::{EvidenceError, Job, Training};
use nanprobe_checks::progress::{LEARNS, learns, way};
use nanprobe_checks::{Evidence, Outcome, Remedy, Severity};

use crate::accept;
use crate::config::{GateSettings, Settings};
use crate::diagnosis::{Diagnosis, JobReport, Longer, RunReport, Status};
use crate::experiment::{self, Bench, Suspect, experiment};
use crate::panel::{Panel, guesses};
use crate::quote::quote;
use crate::rank::{Judged, rank};
use crate::worker::{Cost, Exam, Message, Worker, WorkerError};

/// Share of the time left that experiments may take; the rest is for ending in time.
const EXPERIMENTS: f64 = 0.95;
/// What measuring costs at least, in trainings: two of the baseline, a sweep, the permuted labels, and the data.
const MEASURING: u32 = 6;
/// Experiments may bring to light what the first faults hid: they are repeated on the mended job so often.
const ROUNDS: usize = 2;
/// Samples of which this much is known, on the way from guessing to perfect, are learned by heart. TheDeepChecker allows 5% errors.
const KNOWN_BY_HEART: f64 = 0.9;
/// Checks of what may cost nothing but steps; the second only where it learns as it is, for a rare class that is never answered is more than slow.
const PATIENT: [(&str, bool); 2] = [("learning-rate-too-low", false), ("class-imbalance", true)];
/// Steps that such a job is given, in multiples of the probe's: 20 epochs of 1,000 samples instead of four.
const LONGER: u32 = 5;
/// Share of what a remedy buys that it must reach by then. Ours: the rest comes with the next epochs.
const CATCHES_UP: f64 = 0.8;

/// Answers a job: a measuring process trains, this one judges, asks for experiments and ranks.
///
/// Whatever goes wrong there, what arrived is judged and the diagnosis says what went wrong. `recorded` is evidence of another program.
pub fn diagnose(settings: &Settings, recorded: Evidence, progress: &mut dyn FnMut(&str)) -> Diagnosis {
    let start = Instant::now();
    let mut evidence = recorded;
    let mut problems = Vec::new();

    let worker = Worker::start(settings).and_then(|mut worker| {
        collect(&mut worker, &mut evidence, progress)?;
        Ok(worker)
    });
    let mut panel = Panel::new(&settings.gate, &settings.limits, &settings.plugins);
    let mut judged = panel.judge(&evidence, &mut problems);
    let mut outcome = experiment::Outcome::default();
    let mut mended = None;
    let mut cost = Cost::default();
    match worker {
        Err(error) => problems.push(error.to_string()),
        Ok(worker) => {
            let left = settings.run.budget.saturating_sub(start.elapsed()).mul_f64(EXPERIMENTS);
            let guess = start.elapsed() / MEASURING;
            let mut bench = Bench::new(worker, left, guess, progress, &mut problems);
            (outcome, mended) = decide(&mut bench, settings, &mut panel, &evidence, &mut judged);
            let stuck = evidence.get::<Training>().is_some_and(|training| outcome.path.is_empty() && !learns(Some(training)));
            if stuck {
                bench.controls(&mut evidence);
            }
            cost = bench.cost();
        }
    }
    let config = settings.origin.as_ref().map(|path| path.display().to_string());
    let (conditions, spent) = (conditions(&evidence, settings), start.elapsed().as_secs_f64());
    let run = RunReport { conditions, spent, trained: cost, problems, config, ..RunReport::default() };
    let mut diagnosis = rank(&evidence, &judged, &outcome, mended.as_deref(), run);
    diagnosis.verdicts.iter_mut().for_each(quote);
    accept::apply(&mut diagnosis, &settings.accepts);
    diagnosis
}

/// Stored evidence, a record a line; an error comes with the line's number.
pub fn stored(text: &str) -> Result<Evidence, (usize, EvidenceError)> {
    let mut evidence = Evidence::default();
    for (number, line) in text.lines().enumerate() {
        evidence.insert_line(line).map_err(|error| (number + 1, error))?;
    }
    Ok(evidence)
}

/// Judges evidence: the same without experiments.
pub fn judge_stored(evidence: &Evidence, settings: &GateSettings) -> Diagnosis {
    let mut problems = Vec::new();
    let judged = Panel::new(&settings.gate, &settings.limits, &settings.plugins).judge(evidence, &mut problems);
    let conditions = evidence.get::<Job>().map(|job| job.run.clone()).unwrap_or_default();
    let run = RunReport { conditions, problems, ..RunReport::default() };
    let mut diagnosis = rank(evidence, &judged, &experiment::Outcome::default(), None, run);
    accept::apply(&mut diagnosis, &settings.accepts);
    diagnosis
}

/// Takes evidence in until all is measured.
fn collect(worker: &mut Worker, evidence: &mut Evidence, progress: &mut dyn FnMut(&str)) -> Result<(), WorkerError> {
    loop {
        match worker.receive(progress)? {
            Message::Record(record) => evidence.insert(record).map_err(|error| WorkerError::Failed(error.to_string()))?,
            Message::Measured => return Ok(()),
            other => return Err(WorkerError::Failed(format!("the measuring process answered out of turn: {other:?}"))),
        }
    }
}

/// The findings with a remedy: the worst first, of equal ones the first in the chain of causes. Guesses only where there is nothing else.
fn suspects(judged: &[Judged], so_far: &experiment::Outcome) -> Vec<Suspect> {
    // On top of new fixes what was tried before may help; without any it would give the same answer.
    let tried = |check: &str| match so_far.path.as_slice() {
        [] => so_far.decisions.iter().any(|decision| decision.check == check),
        path => path.iter().any(|step| step.check == check),
    };
    let untried = |(_, judged): &(usize, &Judged)| !tried(&judged.check);
    let suspect = |(place, judged): (usize, &Judged)| {
        let finding = judged.finding()?;
        Some((guesses(&judged.check), finding.severity, Suspect { check: judged.check.clone(), remedy: finding.remedy.clone()?, place }))
    };
    let mut suspects: Vec<(bool, Severity, Suspect)> = judged.iter().enumerate().filter(untried).filter_map(suspect).collect();
    if suspects.iter().any(|(guess, ..)| !guess) {
        suspects.retain(|(guess, ..)| !guess);
    }
    suspects.sort_by_key(|(_, severity, suspect)| (Reverse(*severity), suspect.place));
    suspects.into_iter().map(|(_, _, suspect)| suspect).collect()
}

/// Experiments until nothing is left to try, and what the checks say of the job with the fixes applied. A finding that
/// only shows once others are mended replaces the judgement of the job as it was.
fn decide(
    bench: &mut Bench,
    settings: &Settings,
    panel: &mut Panel,
    evidence: &Evidence,
    judged: &mut [Judged],
) -> (experiment::Outcome, Option<Vec<Judged>>) {
    let Some(training) = evidence.get::<Training>() else { return (experiment::Outcome::default(), None) };
    let mut outcome = experiment::Outcome { mended: training.runs.clone(), ..Default::default() };
    let mut mended: Option<Vec<Judged>> = None;
    for _ in 0..ROUNDS {
        let suspects = suspects(mended.as_deref().unwrap_or(judged), &outcome);
        if suspects.is_empty() {
            break;
        }
        let base: Vec<Remedy> = outcome.path.iter().map(|step| step.remedy.clone()).collect();
        let mut later = experiment(&base, &outcome.mended, &suspects, settings.run.seeds, &mut |remedies, seeds| {
            bench.trial(Exam::HeldOut, remedies, seeds)
        });
        later.on_top_of(&outcome);
        let helped = !later.path.is_empty();
        for step in &later.path {
            let found = mended.as_ref().and_then(|now| now.iter().find(|j| j.check == step.check));
            if let (Some(found), Some(old)) = (found, judged.iter_mut().find(|j| j.check == step.check)) {
                old.outcome = found.outcome.clone();
            }
        }
        outcome.extend(later);
        if helped {
            let fixes = outcome.path.iter().map(|step| step.remedy.clone()).collect();
            let Some(seen) = bench.observe(fixes, evidence) else { break };
            mended = Some(panel.judge(&seen, bench.problems));
        } else if mended.is_some() {
            break;
        }
    }
    patience(bench, training, &mut outcome);
    let decided = outcome.decisions.iter().any(|decision| matches!(decision.status, Status::Confirmed | Status::Contributing));
    if !decided && !learns(Some(training)) {
        // A guess that memorises better explains nothing: it says little of what was not learned by heart.
        let known = |suspect: &Suspect| !guesses(&suspect.check);
        let suspects: Vec<Suspect> = suspects(judged, &experiment::Outcome::default()).into_iter().filter(known).collect();
        outcome.extend(by_heart(bench, settings, training, &suspects));
    }
    (outcome, mended)
}

/// What looks like a fault in a short probe may only need the many epochs of a whole training. Such a job is given more steps with
/// every other fix, and what catches up is no fault.
fn patience(bench: &mut Bench, training: &Training, outcome: &mut experiment::Outcome) {
    let classes = training.runs.first().map_or(2, |run| run.held_out.confusion.len()).max(2);
    for (check, only_if_it_learns) in PATIENT {
        let Some(step) = outcome.path.iter().find(|step| step.check == check).cloned() else { continue };
        let before =
            outcome.decisions.iter().find(|d| d.check == check).and_then(|d| d.effect.as_ref()).map_or(0.0, |effect| effect.before.0);
        if only_if_it_learns && way(before, classes) < LEARNS {
            continue;
        }
        let others: Vec<Remedy> = outcome.path.iter().filter(|step| step.check != check).map(|step| step.remedy.clone()).collect();
        let runs = bench.trial(Exam::Longer(LONGER), &others, 0..training.runs.len()).filter(|runs| !runs.is_empty());
        let Some(accuracy) = runs.map(|runs| experiment::accuracy(&runs)) else { continue };
        let left = (step.accuracy - before) * (1.0 - CATCHES_UP);
        if accuracy >= step.accuracy - left.max(experiment::TOLERANCE) {
            outcome.only_slower(check, Longer { times: LONGER, accuracy: accuracy.into() });
        }
    }
}

/// Where no remedy shows in held-out accuracy the task may be too hard for the steps there are: what does each change for learning a few
/// samples by heart?
fn by_heart(bench: &mut Bench, settings: &Settings, training: &Training, suspects: &[Suspect]) -> experiment::Outcome {
    let classes = training.runs.first().map_or(2, |run| run.held_out.confusion.len()).max(2);
    let baseline = if suspects.is_empty() { None } else { bench.trial(Exam::ByHeart, &[], 0..training.runs.len()) };
    // What is learned by heart as it is needs no remedy for that.
    let Some(baseline) = baseline.filter(|runs| !runs.is_empty() && way(experiment::accuracy(runs), classes) < KNOWN_BY_HEART) else {
        return experiment::Outcome::default();
    };
    let mut outcome =
        experiment(&[], &baseline, suspects, settings.run.seeds, &mut |remedies, seeds| bench.trial(Exam::ByHeart, remedies, seeds));
    outcome.of_learning_by_heart();
    outcome
}

fn conditions(evidence: &Evidence, settings: &Settings) -> nanprobe_checks::evidence::Run {
    evidence.get::<Job>().map_or_else(
        || nanprobe_checks::evidence::Run { seed: settings.run.seed, budget: settings.run.budget.as_secs_f64(), ..Default::default() },
        |job| job.run.clone(),
    )
}

impl JobReport {
    /// The job of the evidence.
    pub fn of(job: &Job) -> Self {
        let source = &job.source;
        Self {
            data: source.path.clone(),
            rule: format!("{}; label from the {}; held out: {}", source.kind, source.rule, source.held_out_from),
            classes: source.classes.clone(),
            samples: [source.listed, source.train, source.held_out],
            model: format!("{} ({} parameters)", job.model.name, job.model.parameters),
            weights: job.model.weights.clone(),
            recipe: job.recipe.clone(),
        }
    }
}

impl Judged {
    /// The finding, where the rule fired.
    pub fn finding(&self) -> Option<&nanprobe_checks::Finding> {
        match &self.outcome {
            Outcome::Judged(judgement) => judgement.finding(),
            Outcome::NotMeasured { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use nanprobe_checks::Finding;

    use super::*;

    #[test]
    fn a_plug_ins_remedy_is_tried_like_any_other() {
        let finding = |severity, remedy| {
            let [message, measured, fix] = ["m", "n", "f"].map(str::to_owned);
            Outcome::Judged(Finding { severity, strength: 0.5, message, measured, fix, remedy, location: None }.into())
        };
        let judged = |check: &'static str, family, outcome| Judged { check: check.into(), family, outcome };
        let judged = [
            judged("class-imbalance", "data", finding(Severity::Warning, Some(Remedy::BalanceClasses))),
            judged("house-rules/order", "plugin", finding(Severity::Error, Some(Remedy::Shuffle))),
            judged("house-rules/names", "plugin", finding(Severity::Error, None)),
        ];
        let tried: Vec<_> = suspects(&judged, &experiment::Outcome::default()).into_iter().map(|suspect| suspect.check).collect();
        assert_eq!(tried, ["house-rules/order", "class-imbalance"]);
    }
}
