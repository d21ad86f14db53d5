//! The findings as the page shows them.

use nanprobe_checks::Severity;

use super::prose;
use crate::diagnosis::{Diagnosis, Status, Verdict};
use crate::report::numbers::{self, percent};
use crate::report::svg::bars::Difference;
use crate::report::svg::escape;

/// One finding; all text is HTML.
pub struct Finding {
    /// Rank, or empty.
    pub rank: String,
    /// Depth of explanation.
    pub depth: usize,
    /// The check's name.
    pub check: String,
    /// Status and severity.
    pub status: String,
    /// `error`, `warning`, `note` or `quiet`.
    pub tone: &'static str,
    /// What is wrong.
    pub message: String,
    /// The numbers.
    pub measured: String,
    /// What to change.
    pub remedy: String,
    /// File, line and module.
    pub place: String,
    /// The line.
    pub source: String,
    /// What the fix bought, in words.
    pub effect: String,
    /// And as bars; empty where it was not tried.
    pub bars: String,
}

/// One step of the fix path; all text is HTML.
pub struct FixStep {
    /// The check, empty for the start.
    pub check: String,
    /// What to change.
    pub remedy: String,
    /// Accuracy after it.
    pub accuracy: String,
    /// The same in percent, 0 to 100, as a length.
    pub length: f64,
}

/// A finding, or a rule that fired for nothing.
pub fn finding(diagnosis: &Diagnosis, depth: usize, verdict: &Verdict) -> Finding {
    let explained = verdict.explained_by.as_ref().filter(|_| verdict.status.is_finding());
    let remedy = match (explained, verdict.status) {
        (Some(cause), _) => format!("nothing of its own: it goes away with <a href=\"#{0}\">{0}</a>", escape(cause)),
        (None, Status::Harmless) => "nothing: changing it does not help".to_owned(),
        (None, _) => prose(&verdict.remedy),
    };
    Finding {
        // What another finding explains needs nothing of its own, and so no place in the order.
        rank: verdict.rank.filter(|_| explained.is_none()).map(|rank| rank.to_string()).unwrap_or_default(),
        depth,
        check: escape(&verdict.check),
        status: status(verdict),
        tone: tone(verdict),
        message: prose(&verdict.message),
        measured: prose(&verdict.measured),
        remedy,
        place: place(verdict),
        source: verdict.source.as_deref().map(escape).unwrap_or_default(),
        effect: effect(verdict),
        bars: bars(diagnosis, verdict),
    }
}

fn status(verdict: &Verdict) -> String {
    match verdict.severity.filter(|_| verdict.status.is_finding()) {
        Some(severity) if verdict.accepted.is_some() => format!("{}, {}, accepted", verdict.status.name(), severity_name(severity)),
        Some(severity) => format!("{}, {}", verdict.status.name(), severity_name(severity)),
        None => verdict.status.name().to_owned(),
    }
}

fn severity_name(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    }
}

fn tone(verdict: &Verdict) -> &'static str {
    match verdict.severity {
        Some(severity) if verdict.status.is_finding() && verdict.explained_by.is_none() && verdict.accepted.is_none() => {
            severity_name(severity)
        }
        _ => "quiet",
    }
}

/// The worst finding's tone; `good` without any.
pub fn tone_of(diagnosis: &Diagnosis) -> &'static str {
    let own = diagnosis.verdicts.iter().filter(|v| v.status.is_finding() && v.explained_by.is_none() && v.accepted.is_none());
    match own.filter_map(|verdict| verdict.severity).max() {
        Some(severity) => severity_name(severity),
        None if diagnosis.symptom.is_none() => "warning",
        None => "good",
    }
}

fn place(verdict: &Verdict) -> String {
    let Some(place) = &verdict.location else { return String::new() };
    let line = place.line.map_or_else(String::new, |line| format!(":{line}"));
    let file = place.file.as_ref().map(|file| format!("<code>{}{line}</code>", escape(file)));
    let module = (!place.module.is_empty()).then(|| format!("module <code>{}</code>", escape(&place.module)));
    file.into_iter().chain(module).collect::<Vec<_>>().join(", ")
}

fn effect(verdict: &Verdict) -> String {
    if verdict.effect.is_none() && verdict.explained_by.is_some() {
        return String::new();
    }
    let with = verdict.effect.as_ref().map(|effect| effect.with.join(" and ")).filter(|with| !with.is_empty());
    let with = with.map_or_else(String::new, |with| format!(" with {with} fixed"));
    escape(&format!("{}{with}", numbers::effect(verdict)))
}

fn bars(diagnosis: &Diagnosis, verdict: &Verdict) -> String {
    let Some(effect) = &verdict.effect else { return String::new() };
    let (before, after) = (effect.before.0, effect.after.0);
    let difference = Difference {
        before,
        after,
        ends: (before + effect.interval.low, before + effect.interval.high),
        chance: diagnosis.symptom.as_ref().map(|symptom| symptom.chance.0),
    };
    let label = format!("accuracy {} without the fix, {} with it", percent(before), percent(after));
    difference.draw(&label, &percent(before), &percent(after))
}

/// From where it stands to where all fixes lead.
pub fn fix_path(diagnosis: &Diagnosis) -> Vec<FixStep> {
    let Some(start) = diagnosis.start().filter(|_| !diagnosis.fixes.is_empty()) else { return vec![] };
    let step = |check: &str, remedy: String, accuracy: f64| FixStep {
        check: escape(check),
        remedy,
        accuracy: percent(accuracy),
        length: if accuracy.is_finite() { 100.0 * accuracy.clamp(0.0, 1.0) } else { 0.0 },
    };
    let now = step("", "as it is".to_owned(), start.0);
    let fixes = diagnosis.fixes.iter().map(|fix| step(&fix.check, prose(&fix.remedy), fix.accuracy.0));
    std::iter::once(now).chain(fixes).collect()
}
