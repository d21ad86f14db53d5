//! The first sentence of a report: what is wrong and what to change, or why nothing is.

use nanprobe_checks::evidence::{Memorise, PermutedLabels};
use nanprobe_checks::progress::{LEARNS, way};
use nanprobe_checks::{Evidence, Severity};

use crate::diagnosis::{Criterion, Diagnosis, Longer, Status, Symptom, Verdict};

/// The family of the checks of a user's own loop.
const LOOP: &str = "loop";

/// Whether the balanced accuracy is well above guessing.
fn learns(symptom: &Symptom) -> bool {
    let classes = (1.0 / symptom.chance.0).round() as usize;
    way(symptom.balanced_accuracy.0, classes.max(2)) >= LEARNS
}

/// All that is wrong is accepted.
fn nothing_new(diagnosis: &Diagnosis, accepted: usize) -> String {
    let now = diagnosis
        .symptom
        .as_ref()
        .map_or_else(String::new, |symptom| format!("; {} held-out accuracy after {} steps", percent(symptom.accuracy.0), symptom.steps));
    let findings = if accepted == 1 { "the one finding is".to_owned() } else { format!("all {accepted} findings are") };
    format!("Nothing new: {findings} accepted in nanprobe.toml{now}")
}

fn percent(share: f64) -> String {
    format!("{:.0}%", 100.0 * share)
}

/// What is said first of a diagnosis that was just made.
pub fn of(evidence: &Evidence, diagnosis: &Diagnosis) -> String {
    say(diagnosis, |symptom| unexplained(evidence, symptom))
}

/// What is said first once some findings are accepted.
pub fn of_what_is_left(diagnosis: &Diagnosis) -> String {
    say(diagnosis, |symptom| {
        format!("No known fault that is not accepted, yet it stays at {} after {} steps", percent(symptom.accuracy.0), symptom.steps)
    })
}

fn say(diagnosis: &Diagnosis, unexplained: impl Fn(&Symptom) -> String) -> String {
    let Diagnosis { symptom, verdicts, fixes, run, .. } = diagnosis;
    let (symptom, top) = (symptom.as_ref(), verdicts.iter().find(|verdict| verdict.rank == Some(1)));
    let accepted = verdicts.iter().filter(|verdict| verdict.accepted.is_some()).count();
    let but_accepted = if accepted > 0 { " that is not accepted" } else { "" };
    match (symptom, top, &fixes[..]) {
        (Some(_), Some(top), [.., last]) if fixes[0].check == top.check => {
            let what = if fixes.len() == 1 { "Fix 1 thing".to_owned() } else { format!("Fix {} things", fixes.len()) };
            let exam = if diagnosis.by_heart() { "of a few samples learned by heart" } else { "in this probe" };
            let before = diagnosis.start().map_or_else(String::new, |before| percent(before.0));
            format!("{what}: {before} -> {} {exam}. First: {} ({})", percent(last.accuracy.0), top.remedy, top.check)
        }
        // A symptom beside a training that learns is in the table; it is no headline.
        (_, Some(top), _)
            if top.severity == Some(Severity::Error) || (top.severity == Some(Severity::Warning) && !symptom.is_some_and(learns)) =>
        {
            let sure = if top.status == Status::Suspected { "Most likely: " } else { "" };
            format!("{sure}{} ({}): {}", top.message, top.measured, top.remedy)
        }
        (_, None, _) if accepted > 0 => nothing_new(diagnosis, accepted),
        (None, _, _) => match run.problems.first() {
            Some(problem) => format!("Not enough could be measured: {problem}"),
            None => "Not enough was measured to say what the training does".to_owned(),
        },
        (Some(symptom), Some(top), _) if top.decided_by(Criterion::Speed) && top.severity == Some(Severity::Warning) => format!(
            "The model learns, {} held-out accuracy, and takes more steps for it than it needs: {} ({})",
            percent(symptom.accuracy.0),
            top.remedy,
            top.check
        ),
        (Some(symptom), Some(top), _) if !learns(symptom) && only_slower(top).is_some() => {
            let longer = only_slower(top).map_or(0.0, |longer| longer.accuracy.0);
            let times = only_slower(top).map_or(1, |longer| u64::from(longer.times));
            format!(
                "It needs more steps than this probe has: {} after {} of them, {} after {}, as much as if you {}",
                percent(symptom.balanced_accuracy.0),
                symptom.steps,
                percent(longer),
                times * symptom.steps,
                top.remedy
            )
        }
        (Some(symptom), Some(top), _) if beyond(top) && top.severity == Some(Severity::Warning) => format!(
            "The model learns, {} held-out accuracy after {} steps, but {}: {} ({})",
            percent(symptom.accuracy.0),
            symptom.steps,
            top.message,
            top.remedy,
            top.check
        ),
        (Some(symptom), _, _) if learns(symptom) => format!(
            "Nothing{but_accepted} is wrong: the model learns, {} held-out accuracy (95% {}..{}, guessing {}) after {} steps",
            percent(symptom.accuracy.0),
            percent(symptom.interval.low).trim_end_matches('%'),
            percent(symptom.interval.high).trim_end_matches('%'),
            percent(symptom.chance.0),
            symptom.steps
        ),
        (Some(symptom), _, _) => unexplained(symptom),
    }
}

/// Whether it is a fault of the user's loop that the engine does not train with: nothing that it tried mends it.
pub fn beyond(verdict: &Verdict) -> bool {
    verdict.family == LOOP && verdict.edit.is_none()
}

/// The longer training in which the job catches up with what a remedy buys.
fn only_slower(verdict: &Verdict) -> Option<Longer> {
    verdict.effect.as_ref()?.longer
}

/// No known fault, and it does not learn: what rules the rest out, and what is left.
fn unexplained(evidence: &Evidence, symptom: &Symptom) -> String {
    let mut ruled_out = Vec::new();
    if let Some(memorise) = evidence.get::<Memorise>() {
        let left = memorise.remaining();
        ruled_out.push(if left < 0.1 {
            format!("it learns {} samples by heart, so model, loss and optimizer work", memorise.samples)
        } else {
            format!("it does not even learn {} samples by heart in {} steps", memorise.samples, memorise.steps)
        });
    }
    if let Some(labels) = evidence.get::<PermutedLabels>().filter(|labels| !labels.contests.is_empty()) {
        let given = labels.contests.iter().map(|c| c.given.balanced_accuracy()).sum::<f64>() / labels.contests.len() as f64;
        ruled_out.push(format!("a small reference network reaches {} on your labels", percent(given)));
    }
    format!(
        "No known fault, yet it stays at {} after {} steps: {}. What is left: more steps, more data, pretrained weights",
        percent(symptom.accuracy.0),
        symptom.steps,
        ruled_out.join("; ")
    )
}
