//! The whole story on one page: measure, judge, experiment, rank.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use nanprobe_checks::evidence::{EvidenceError, Job, Record, Training};
use nanprobe_checks::{Evidence, Outcome, Remedy};

use crate::config::{Gate, Settings};
use crate::diagnosis::{Diagnosis, JobReport, RunReport};
use crate::experiment::{self, Deadline, Suspect, experiment};
use crate::rank::{Judged, rank};
use crate::worker::{Message, Request, Worker, WorkerError};

/// Answers a job: a measuring process trains, this one judges, asks for experiments and ranks.
///
/// Whatever goes wrong there, what arrived is judged and the diagnosis says what went wrong.
pub fn diagnose(settings: &Settings, progress: &mut dyn FnMut(&str)) -> Diagnosis {
    let start = Instant::now();
    let mut evidence = Evidence::default();
    let mut problems = Vec::new();

    let worker = Worker::start(settings).and_then(|mut worker| {
        collect(&mut worker, &mut evidence, progress)?;
        Ok(worker)
    });
    let judged = judge(&evidence, &settings.gate, &settings.limits, &mut problems);

    let mut outcome = experiment::Outcome::default();
    let mut mended = None;
    match worker {
        Err(error) => problems.push(error.to_string()),
        Ok(mut worker) => {
            if let Some(training) = evidence.get::<Training>() {
                let left = settings.run.budget.saturating_sub(start.elapsed());
                outcome = decide(&mut worker, training, &suspects(&judged), left, progress, &mut problems);
                let chosen = remedies(&judged, &outcome);
                mended = observe(&mut worker, chosen, &evidence, progress);
            }
        }
    }
    let mended = mended.map(|evidence| judge(&evidence, &settings.gate, &settings.limits, &mut problems));
    let run = RunReport { conditions: conditions(&evidence, settings), spent: start.elapsed().as_secs_f64(), problems };
    rank(&evidence, &judged, &outcome, mended.as_deref(), run)
}

/// Judges stored evidence: the same without experiments.
pub fn judge_stored(text: &str, gate: &Gate, limits: &BTreeMap<String, serde_json::Value>) -> Result<Diagnosis, (usize, EvidenceError)> {
    let mut evidence = Evidence::default();
    for (number, line) in text.lines().enumerate() {
        evidence.insert_line(line).map_err(|error| (number + 1, error))?;
    }
    let mut problems = Vec::new();
    let judged = judge(&evidence, gate, limits, &mut problems);
    let conditions = evidence.get::<Job>().map(|job| job.run.clone()).unwrap_or_default();
    let run = RunReport { conditions, spent: 0.0, problems };
    Ok(rank(&evidence, &judged, &experiment::Outcome::default(), None, run))
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

/// Every check that the gate includes, judged.
fn judge(evidence: &Evidence, gate: &Gate, limits: &BTreeMap<String, serde_json::Value>, problems: &mut Vec<String>) -> Vec<Judged> {
    let mut judged = Vec::new();
    for check in nanprobe_checks::checks().filter(|check| gate.includes(*check)) {
        match check.judge(evidence, limits.get(check.name())) {
            Ok(outcome) => judged.push(Judged { check, outcome }),
            Err(error) => problems.push(format!("limits of {}: {error}", check.name())),
        }
    }
    judged
}

/// The findings with a remedy, most suspicious first.
fn suspects(judged: &[Judged]) -> Vec<Suspect> {
    let mut findings: Vec<_> = judged.iter().filter_map(|j| Some((j.check.name(), j.finding()?))).collect();
    findings.sort_by(|(_, a), (_, b)| b.severity.cmp(&a.severity).then(b.strength.total_cmp(&a.strength)));
    findings.into_iter().filter_map(|(check, finding)| Some(Suspect { check, remedy: finding.remedy.clone()? })).collect()
}

fn decide(
    worker: &mut Worker,
    training: &Training,
    suspects: &[Suspect],
    left: Duration,
    progress: &mut dyn FnMut(&str),
    problems: &mut Vec<String>,
) -> experiment::Outcome {
    let mut deadline = Deadline::new(left.mul_f64(0.9));
    let mut count = 0;
    experiment(training, suspects, &mut |remedies| {
        count += 1;
        progress(&format!("experiment {count}: {}", remedies.iter().map(name).collect::<Vec<_>>().join(" + ")));
        let request = Request::Trial { remedies: remedies.to_vec(), seeds: training.runs.len() };
        deadline.run(|| match worker.ask(&request, progress) {
            Ok(Message::Trial(trial)) => Some(trial.runs),
            Ok(other) => {
                problems.push(format!("an experiment was answered with {other:?}"));
                None
            }
            Err(error) => {
                problems.push(error.to_string());
                None
            }
        })
    })
}

/// An edit's name, as its JSON tag has it.
fn name(remedy: &Remedy) -> String {
    let value = serde_json::to_value(remedy).unwrap_or_default();
    value.get("edit").and_then(|edit| edit.as_str()).unwrap_or("remedy").to_owned()
}

/// The remedies of the chosen fixes.
fn remedies(judged: &[Judged], outcome: &experiment::Outcome) -> Vec<Remedy> {
    let remedy = |check: &str| judged.iter().find(|j| j.check.name() == check)?.finding()?.remedy.clone();
    outcome.path.iter().filter_map(|&(index, _)| remedy(outcome.decisions[index].check)).collect()
}

/// The evidence of the mended job: the user's, with what changes measured anew.
fn observe(worker: &mut Worker, remedies: Vec<Remedy>, evidence: &Evidence, progress: &mut dyn FnMut(&str)) -> Option<Evidence> {
    if remedies.is_empty() {
        return None;
    }
    progress("looking at the mended training");
    let Ok(Message::Observed(records)) = worker.ask(&Request::Observe { remedies }, progress) else { return None };
    let mut mended = evidence.clone();
    records.into_iter().try_for_each(|record: Record| mended.insert(record)).ok()?;
    Some(mended)
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
