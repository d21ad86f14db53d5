//! The findings as the page shows them.

use super::prose;
use crate::diagnosis::{Diagnosis, Verdict};
use crate::exit;
use crate::report::numbers::percent;
use crate::report::ranked;
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
    let remedy = match explained {
        Some(cause) => format!("nothing of its own: it goes away with <a href=\"#{0}\">{0}</a>", escape(cause)),
        None => prose(&ranked::to_do(diagnosis, verdict)),
    };
    Finding {
        // What another finding explains needs nothing of its own, and so no place in the order.
        rank: verdict.rank.filter(|_| explained.is_none()).map(|rank| rank.to_string()).unwrap_or_default(),
        depth,
        check: escape(&verdict.check),
        status: escape(&ranked::status(verdict, ", ")),
        tone: tone(verdict),
        message: prose(&verdict.message),
        measured: prose(&verdict.measured),
        remedy,
        place: place(verdict),
        source: verdict.source.as_deref().map(escape).unwrap_or_default(),
        effect: escape(&ranked::effect(diagnosis, verdict)),
        bars: bars(diagnosis, verdict),
    }
}

fn tone(verdict: &Verdict) -> &'static str {
    match verdict.severity {
        Some(severity) if exit::counts(verdict) => ranked::severity(severity),
        _ => "quiet",
    }
}

/// The worst finding's tone; `good` without any.
pub fn tone_of(diagnosis: &Diagnosis) -> &'static str {
    let own = diagnosis.verdicts.iter().filter(|verdict| exit::counts(verdict));
    match own.filter_map(|verdict| verdict.severity).max() {
        Some(severity) => ranked::severity(severity),
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
