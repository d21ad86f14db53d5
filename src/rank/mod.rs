//! Ranking: from judgements and experiments to the diagnosis.

use std::cmp::Reverse;

use nanprobe_checks::evidence::{ClassCounts, Job, Measurement, ModuleSource, ON_REQUEST, Training, TrainingLoop};
use nanprobe_checks::progress::{LEARNS, way};
use nanprobe_checks::recipe::matches;
use nanprobe_checks::{Evidence, Judgement, Location, Outcome, Real, Severity};

use crate::diagnosis::{Criterion, Diagnosis, Effect, Fix, JobReport, RunReport, SCHEMA, Status, Symptom, Verdict};
use crate::experiment::{self, CheckName};
use crate::headline::{self, beyond};
use crate::panel::guesses;

mod figures;

/// A check's answer to the evidence.
#[derive(Clone, Debug)]
pub struct Judged {
    /// The check's name.
    pub check: CheckName,
    /// The check's family.
    pub family: &'static str,
    /// Its answer.
    pub outcome: Outcome,
}

/// Puts the verdicts in order and says it in a sentence. `mended` is what the checks say of the job with
/// the chosen fixes applied.
pub fn rank(evidence: &Evidence, judged: &[Judged], outcome: &experiment::Outcome, mended: Option<&[Judged]>, run: RunReport) -> Diagnosis {
    let symptom = symptom(evidence);
    let fixed: Vec<&str> = outcome.path.iter().map(|step| step.check.as_ref()).collect();
    let mut verdicts: Vec<(Verdict, f64)> =
        judged.iter().map(|j| (verdict(j, evidence, outcome), j.finding().map_or(0.0, |finding| finding.strength))).collect();

    // A finding that is gone in the mended training is a consequence of what was mended.
    if let (Some(mended), Some(first)) = (mended, fixed.first()) {
        for (verdict, _) in &mut verdicts {
            let own = fixed.contains(&verdict.check.as_str());
            let gone = mended.iter().any(|j| j.check == verdict.check && matches!(j.outcome, Outcome::Judged(Judgement::Clear { .. })));
            // What only makes it learn sooner stands beside what makes it learn.
            let alternative = verdict.status == Status::Confirmed && !verdict.decided_by(Criterion::Speed);
            if !own && ((verdict.status.is_finding() && (gone || alternative)) || (verdict.status == Status::Harmless && gone)) {
                verdict.explained_by = Some((*first).to_owned());
            }
        }
    }

    let by_heart = verdicts.iter().any(|(verdict, _)| verdict.decided_by(Criterion::ByHeart));
    let mends = !by_heart && outcome.path.last().is_some_and(|step| learns(step.accuracy, evidence));
    // A guess that nobody needs once the training learns was never a finding.
    for (verdict, _) in verdicts.iter_mut().filter(|(verdict, _)| mends && verdict.status == Status::Suspected && guesses(&verdict.check)) {
        *verdict =
            Verdict { status: Status::Clear, severity: None, edit: None, explained_by: None, remedy: String::new(), ..verdict.clone() };
    }
    verdicts.sort_by_key(|(verdict, strength)| {
        let place = fixed.iter().position(|check| *check == verdict.check);
        // What no experiment can mend comes first, unless the fixes make the training learn without it.
        let blocking = verdict.status == Status::Suspected && verdict.severity == Some(Severity::Error) && (!mends || beyond(verdict));
        let group = match verdict.status {
            _ if verdict.explained_by.is_some() => 3,
            Status::Suspected if blocking => 0,
            Status::Confirmed | Status::Contributing => 1,
            Status::Suspected => 2,
            Status::Harmless => 4,
            Status::NotMeasured => 5,
            Status::Clear => 6,
        };
        let gain = verdict.effect.as_ref().map_or(0.0, |effect| effect.after.0 - effect.before.0);
        (group, place.unwrap_or(usize::MAX), Reverse(verdict.severity), Reverse((gain * 1e6) as i64), Reverse((strength * 1e6) as i64))
    });
    let mut verdicts: Vec<Verdict> = verdicts.into_iter().map(|(verdict, _)| verdict).collect();
    let findings = verdicts.iter_mut().filter(|verdict| verdict.status.is_finding());
    for (rank, verdict) in (1..).zip(findings) {
        verdict.rank = Some(rank);
    }

    let fixes: Vec<Fix> = outcome
        .path
        .iter()
        .map(|step| {
            let remedy = verdicts.iter().find(|v| v.check == step.check).map(|v| v.remedy.clone()).unwrap_or_default();
            Fix { check: step.check.to_string(), remedy, accuracy: Real(step.accuracy) }
        })
        .collect();
    let job = evidence.get::<Job>().map(JobReport::of);
    let diagnosis = Diagnosis {
        schema: SCHEMA.to_owned(),
        headline: String::new(),
        symptom,
        verdicts,
        fixes,
        job,
        run,
        figures: figures::figures(evidence, outcome),
    };
    Diagnosis { headline: headline::of(evidence, &diagnosis), ..diagnosis }
}

fn verdict(judged: &Judged, evidence: &Evidence, outcome: &experiment::Outcome) -> Verdict {
    let mut verdict = Verdict::new(&judged.check, judged.family, Status::Clear);
    match &judged.outcome {
        Outcome::Judged(Judgement::Clear { measured }) => verdict.measured.clone_from(measured),
        Outcome::NotMeasured { missing } => {
            verdict.status = Status::NotMeasured;
            let why = |name: &String| match evidence.failures.get(name) {
                Some(why) if why.starts_with(ON_REQUEST) => format!("{name} is measured {why}"),
                Some(why) => format!("{name} could not be measured: {why}"),
                None if name == TrainingLoop::NAME => {
                    format!("{name} is measured {ON_REQUEST}by the Python package, from your own script")
                }
                None => format!("{name} was not measured"),
            };
            let mut reasons: Vec<String> = missing.iter().map(why).collect();
            // Two needs may be parts of one measurement.
            reasons.dedup();
            verdict.message = reasons.join("; ");
        }
        Outcome::Judged(Judgement::Suspect(finding)) => {
            let decision = outcome.decisions.iter().find(|decision| decision.check == judged.check);
            verdict.status = decision.map_or(Status::Suspected, |decision| decision.status);
            verdict.effect = decision.and_then(|decision| decision.effect.clone());
            verdict.severity = Some(decided_severity(finding.severity, verdict.effect.as_ref(), verdict.status, evidence));
            verdict.message.clone_from(&finding.message);
            verdict.measured.clone_from(&finding.measured);
            verdict.remedy.clone_from(&finding.fix);
            verdict.edit.clone_from(&finding.remedy);
            verdict.location = finding.location.clone().map(|location| in_source(location, evidence));
        }
    }
    verdict
}

/// With the line of the user's source that calls the module, or the nearest one around it, where that is known.
fn in_source(location: Location, evidence: &Evidence) -> Location {
    let modules = evidence.get::<Job>().map_or(&[][..], |job| &job.model.modules);
    let around = |module: &&ModuleSource| module.file.is_some() && matches(&module.module, &location.module);
    match modules.iter().filter(around).max_by_key(|module| module.module.len()) {
        Some(module) if location.file.is_none() => Location { file: module.file.clone(), line: module.line, ..location },
        _ => location,
    }
}

/// Where learning takes more than this many times the steps, that is more than a note. Ours.
const SLOW: f64 = 4.0;

/// A gain in balanced accuracy below this, for a training that learns, is a small one. Ours: two deviations of 400 held-out samples.
const SMALL: f64 = 0.1;

/// What a fault costs once it is known: what keeps a training from learning is an error, what costs much accuracy a warning at least,
/// what costs a little less than that, and what only costs steps a warning at most.
fn decided_severity(severity: Severity, effect: Option<&Effect>, status: Status, evidence: &Evidence) -> Severity {
    match effect.filter(|_| matches!(status, Status::Confirmed | Status::Contributing)) {
        // It was tried longer because it learns as it is, and it catches up: nothing is lost but time.
        Some(Effect { longer: Some(_), .. }) => Severity::Note,
        Some(Effect { decided_by: Criterion::Speed, half_way_before, half_way_after, .. }) => {
            let slow = half_way_after.zip(*half_way_before).is_none_or(|(after, before)| before.0 > SLOW * after.0);
            if slow { severity.min(Severity::Warning) } else { Severity::Note }
        }
        Some(effect) if !learns(effect.before.0, evidence) && learns(effect.after.0, evidence) => Severity::Error,
        // A little more for a training that learns as it is: one step less than the rule alone would say.
        Some(effect) if learns(effect.before.0, evidence) && effect.after.0 - effect.before.0 < SMALL => match severity {
            Severity::Error => Severity::Warning,
            Severity::Warning | Severity::Note => Severity::Note,
        },
        Some(_) => severity.max(Severity::Warning),
        None => severity,
    }
}

fn symptom(evidence: &Evidence) -> Option<Symptom> {
    let training = evidence.get::<Training>()?;
    let first = training.runs.first()?;
    let counts = evidence.get::<ClassCounts>();
    let classes = counts.map_or(first.held_out.confusion.len(), |counts| counts.classes.len()).max(1);
    let (accuracy, interval) = training.accuracy();
    let mut confusion = first.held_out.confusion.clone();
    for run in &training.runs[1..] {
        for (sum, row) in confusion.iter_mut().zip(&run.held_out.confusion) {
            sum.iter_mut().zip(row).for_each(|(sum, count)| *sum += count);
        }
    }
    Some(Symptom {
        accuracy: accuracy.into(),
        balanced_accuracy: training.mean(|run| run.held_out.balanced_accuracy()).into(),
        interval,
        chance: (1.0 / classes as f64).into(),
        majority_rate: counts.map_or(0.0, ClassCounts::majority_rate).into(),
        loss: training.mean(nanprobe_checks::evidence::TrainingRun::final_loss).into(),
        ln_classes: (classes as f64).ln().into(),
        confusion,
        samples: first.held_out.samples,
        seeds: training.runs.len() as u64,
        steps: training.steps,
        losses: first.loss.clone(),
    })
}

/// Whether a balanced accuracy is well above guessing.
fn learns(balanced_accuracy: f64, evidence: &Evidence) -> bool {
    let classes = evidence.get::<ClassCounts>().map_or(2, |counts| counts.classes.len()).max(2);
    way(balanced_accuracy, classes) >= LEARNS
}
