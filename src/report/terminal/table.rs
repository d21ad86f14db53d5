//! The report for people: what to change first, then how sure that is, then everything else.

use nanprobe_checks::plugin::FAMILY;
use nanprobe_checks::recipe::Loss;

use super::page::{Page, Tone};
use super::sparkline::sparkline;
use super::{confusion, findings};
use crate::diagnosis::{Diagnosis, Status, Symptom, Verdict};
use crate::report::numbers::{count, loss, percent, plural, share_interval};
use crate::report::ranked::{place, unmeasured, with_status};

/// Columns of the loss curve.
const CURVE: usize = 30;
/// Columns that the line of the curve has beside it.
const BESIDE_CURVE: usize = 32;

/// Without a training, more reasons than this why checks could not judge are counted and not listed.
const MOST_REASONS: usize = 5;

/// How to lay the report out.
#[derive(Clone, Copy, Debug)]
pub struct TableOptions {
    /// Columns that no line exceeds.
    pub width: usize,
    /// Whether to colour. The caller honours NO_COLOR by writing through anstream.
    pub color: bool,
    /// Whether to list what was cleared.
    pub all: bool,
    /// Only the headline, the fixes and the findings.
    pub quiet: bool,
}

/// The report as text; no line is longer than the width.
pub fn table(diagnosis: &Diagnosis, options: &TableOptions) -> String {
    let mut page = Page::new(options.width, options.color);
    page.paragraph(Tone::Strong, &diagnosis.headline);
    page.blank();
    fixes(&mut page, diagnosis);
    if !options.quiet {
        symptom(&mut page, diagnosis);
    }
    for problem in &diagnosis.run.problems {
        page.fact("problem", Tone::Warning, problem);
    }
    findings::put(&mut page, diagnosis);
    if !options.quiet {
        confusion::put(&mut page, diagnosis);
        page.blank();
        cleared(&mut page, diagnosis, options.all);
        not_measured(&mut page, diagnosis, options.all);
        conditions(&mut page, diagnosis);
    }
    page.finish()
}

fn symptom(page: &mut Page, diagnosis: &Diagnosis) {
    let Some(symptom) = &diagnosis.symptom else { return };
    let Symptom { accuracy, balanced_accuracy, interval, chance, majority_rate, samples, .. } = symptom;
    let balanced = if (accuracy.0 - balanced_accuracy.0).abs() >= 0.01 {
        format!(", balanced {}", percent(balanced_accuracy.0))
    } else {
        String::new()
    };
    let text = format!(
        "{} on {} held out ({}{balanced}); chance {}, majority class {}",
        percent(accuracy.0),
        count(*samples),
        share_interval(*interval),
        percent(chance.0),
        percent(majority_rate.0)
    );
    page.fact("accuracy", Tone::Plain, &text);

    let criterion = diagnosis.job.as_ref().map_or(Loss::CrossEntropy, |job| job.recipe.loss);
    let guessing = match criterion {
        Loss::CrossEntropy | Loss::Nll => {
            format!("; guessing costs ln {} = {}", symptom.ln_classes.exp().round(), loss(symptom.ln_classes.0))
        }
        other => format!(" ({other})"),
    };
    let trained = format!("{} x {} steps", plural(symptom.seeds as usize, "seed"), symptom.steps);
    page.fact("loss", Tone::Plain, &format!("{} after {trained}{guessing}", loss(symptom.loss.0)));
    if let [first, .., last] = symptom.losses.as_slice() {
        let curve = sparkline(&symptom.losses, page.width.saturating_sub(BESIDE_CURVE).min(CURVE));
        page.fact("by step", Tone::Plain, &format!("{} {curve} {}", loss(first.0), loss(last.0)));
    }
}

fn fixes(page: &mut Page, diagnosis: &Diagnosis) {
    if diagnosis.fixes.is_empty() {
        return;
    }
    let path: Vec<String> =
        diagnosis.start().into_iter().chain(diagnosis.fixes.iter().map(|fix| fix.accuracy)).map(|share| percent(share.0)).collect();
    let of = if diagnosis.by_heart() { "of a few samples learned by heart" } else { "balanced accuracy" };
    page.fact("to fix", Tone::Good, &format!("{} {of}, each step tried", path.join(" -> ")));
    for (i, fix) in diagnosis.fixes.iter().enumerate() {
        let verdict = diagnosis.verdicts.iter().find(|verdict| verdict.check == fix.check);
        let place = verdict.and_then(|verdict| verdict.location.as_ref()).and_then(place);
        page.step(i + 1, &place.map_or_else(|| fix.remedy.clone(), |place| format!("{} ({place})", fix.remedy)));
    }
}

fn cleared(page: &mut Page, diagnosis: &Diagnosis, all: bool) {
    let clear = with_status(diagnosis, Status::Clear);
    let head = format!("{} clear", plural(clear.len(), "check"));
    if clear.is_empty() {
    } else if all {
        page.paragraph(Tone::Good, &head);
        let column = clear.iter().map(|verdict| verdict.check.len()).max().unwrap_or(0).min(page.width / 2) + 4;
        for verdict in clear {
            page.hanging(Tone::Dim, &format!("  {}", verdict.check), column, &verdict.measured);
        }
        page.blank();
    } else {
        page.paragraph(Tone::Good, &format!("{head} (--all lists them)"));
    }
}

/// One line for each reason, with the checks it kept from judging.
fn not_measured(page: &mut Page, diagnosis: &Diagnosis, all: bool) {
    let reasons = unmeasured(diagnosis, all);
    // Where nothing could be measured the problem above says why, and a list of all checks would bury it.
    if !all && diagnosis.symptom.is_none() && reasons.len() > MOST_REASONS {
        let checks = reasons.iter().map(|(_, checks)| checks.len()).sum();
        page.paragraph(Tone::Warning, &format!("{} not measured (--all lists them)", plural(checks, "check")));
        return;
    }
    for (reason, checks) in reasons {
        page.paragraph(Tone::Warning, &format!("{} not measured: {reason}", plural(checks.len(), "check")));
        page.hanging(Tone::Dim, "", 2, &checks.join(", "));
    }
}

/// Whether it is a finding that counts and that `nanprobe explain` has a page of.
fn explained(verdict: &Verdict) -> bool {
    verdict.status.is_finding() && verdict.accepted.is_none() && verdict.family != FAMILY
}

fn conditions(page: &mut Page, diagnosis: &Diagnosis) {
    let run = &diagnosis.run.conditions;
    page.blank();
    if let Some(job) = &diagnosis.job {
        let classes = plural(job.classes.len(), "class").replace("classs", "classes");
        let [listed, probed, _] = job.samples;
        let weights = job.weights.as_ref().map(|weights| format!("; {weights}")).unwrap_or_default();
        let samples = format!("{} samples, {} probed", count(listed), count(probed));
        page.paragraph(Tone::Dim, &format!("{}{weights}; {}: {}; {classes}, {samples}", job.model, job.data, job.rule));
    }
    for stale in &diagnosis.run.stale_accepts {
        page.paragraph(Tone::Warning, &format!("accepted, and no longer found: {stale}; take the entry out of nanprobe.toml"));
    }
    if !run.lowered.is_empty() {
        page.paragraph(Tone::Dim, &format!("to keep the budget: {}", run.lowered.join("; ")));
    }
    let versions = run.versions.iter().map(|(name, version)| format!("{name} {version}")).collect::<Vec<_>>().join(", ");
    let threads = plural(run.threads as usize, "thread");
    let trained = match diagnosis.run.trained.steps {
        0 => String::new(),
        steps => format!(" for {} training steps", count(steps)),
    };
    let spent = format!("{:.0} of {:.0} s{trained}", diagnosis.run.spent, run.budget);
    let parts = [format!("--seed {}, {}, {threads}", run.seed, run.device), versions, spent];
    page.paragraph(Tone::Dim, &format!("reproduce: {}", parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ")));
    if let Some(first) = diagnosis.verdicts.iter().find(|verdict| explained(verdict)) {
        page.paragraph(Tone::Dim, &format!("more on a finding: nanprobe explain {}", first.check));
    }
}

#[cfg(test)]
mod tests;
