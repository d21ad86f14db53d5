//! The report as one HTML file: no script, no request, light and dark, for screen and paper.
//!
//! What the page says is gathered here and in the folder's other files as text that is safe to insert; `page.html` says
//! where it stands, `style.css` how it looks.

use askama::Template;

use super::escape::html as prose;
use super::numbers::{count, loss, percent, plural, share_interval};
use super::svg::escape;
use crate::diagnosis::{Diagnosis, Status, Symptom, Verdict};

mod data;
mod findings;
mod plots;

use data::{Batches, ClassBar, Confusion, Picture};
use findings::{Finding, FixStep};
use plots::Figure;

/// The whole page.
#[derive(Template)]
#[template(path = "page.html", escape = "none")]
struct Page {
    style: &'static str,
    subject: String,
    headline: String,
    tone: &'static str,
    facts: Vec<Fact>,
    fixes: Vec<FixStep>,
    fixes_of: &'static str,
    findings: Vec<Finding>,
    harmless: Vec<Finding>,
    figures: Vec<Figure>,
    confusion: Option<Confusion>,
    classes: Vec<ClassBar>,
    batches: Option<Batches>,
    sheets: Vec<(String, Vec<Picture>)>,
    sheets_caption: String,
    suspects: Vec<Picture>,
    cleared: Vec<(String, String)>,
    missing: Vec<(String, String)>,
    missing_checks: usize,
    problems: Vec<String>,
    run: Vec<(&'static str, String)>,
    schema: String,
}

/// A number at the top of the page.
struct Fact {
    name: &'static str,
    value: String,
    beside: String,
}

/// The diagnosis as a page of its own.
pub fn html(diagnosis: &Diagnosis) -> Result<String, askama::Error> {
    let rows = super::ranked::ranked(diagnosis);
    let (harmless, shown): (Vec<_>, Vec<_>) = rows.into_iter().partition(|(_, verdict)| verdict.status == Status::Harmless);
    let finding = |(depth, verdict): (usize, &Verdict)| findings::finding(diagnosis, depth, verdict);
    let pictures = diagnosis.figures.pictures.as_ref();
    let page = Page {
        style: include_str!("style.css"),
        subject: diagnosis.job.as_ref().map(|job| escape(&format!("{} on {}", job.model, job.data))).unwrap_or_default(),
        headline: prose(&diagnosis.headline),
        tone: findings::tone_of(diagnosis),
        facts: facts(diagnosis),
        fixes: findings::fix_path(diagnosis),
        fixes_of: if diagnosis.by_heart() { "accuracy on a few samples learned by heart" } else { "balanced accuracy on held-out samples" },
        findings: shown.into_iter().map(finding).collect(),
        harmless: harmless.into_iter().map(finding).collect(),
        figures: plots::figures(diagnosis),
        confusion: data::confusion(diagnosis),
        classes: data::classes(diagnosis),
        batches: data::batches(diagnosis),
        sheets: pictures.map(|pictures| data::sheets(diagnosis, pictures)).unwrap_or_default(),
        sheets_caption: pictures.map(data::range).unwrap_or_default(),
        suspects: pictures.map(|pictures| data::pictures(diagnosis, &pictures.suspects)).unwrap_or_default(),
        cleared: cleared(diagnosis),
        missing_checks: super::ranked::with_status(diagnosis, Status::NotMeasured).len(),
        missing: missing(diagnosis),
        problems: diagnosis.run.problems.iter().map(|problem| prose(problem)).collect(),
        run: run(diagnosis),
        schema: escape(&diagnosis.schema),
    };
    page.render()
}

fn facts(diagnosis: &Diagnosis) -> Vec<Fact> {
    let Some(symptom) = &diagnosis.symptom else { return vec![] };
    let Symptom { accuracy, balanced_accuracy, interval, chance, majority_rate, samples, seeds, steps, .. } = symptom;
    let mut facts = vec![
        Fact {
            name: "held-out accuracy",
            value: percent(accuracy.0),
            beside: format!("{}, {} samples; balanced {}", share_interval(*interval), count(*samples), percent(balanced_accuracy.0)),
        },
        Fact {
            name: "guessing",
            value: percent(chance.0),
            beside: format!("always the most frequent class: {}", percent(majority_rate.0)),
        },
        Fact {
            name: "training loss",
            value: loss(symptom.loss.0),
            beside: format!(
                "after {} of {steps} steps; ln({:.0}) = {}",
                plural(*seeds as usize, "seed"),
                symptom.ln_classes.exp(),
                loss(symptom.ln_classes.0)
            ),
        },
    ];
    if let Some(last) = diagnosis.fixes.last() {
        facts.push(Fact {
            name: "with the fixes",
            value: percent(last.accuracy.0),
            beside: format!("balanced, from {}", diagnosis.start().map_or_else(String::new, |start| percent(start.0))),
        });
    }
    facts
}

/// What cleared each check.
fn cleared(diagnosis: &Diagnosis) -> Vec<(String, String)> {
    let clear = super::ranked::with_status(diagnosis, Status::Clear);
    clear.into_iter().map(|verdict| (escape(&verdict.check), prose(&verdict.measured))).collect()
}

/// The checks that could not judge, and why.
fn missing(diagnosis: &Diagnosis) -> Vec<(String, String)> {
    let reasons = super::ranked::unmeasured(diagnosis, true);
    reasons.into_iter().map(|(reason, checks)| (escape(&checks.join(", ")), prose(reason))).collect()
}

fn run(diagnosis: &Diagnosis) -> Vec<(&'static str, String)> {
    let (run, job) = (&diagnosis.run, &diagnosis.job);
    let mut rows = Vec::new();
    if !run.command.is_empty() {
        rows.push(("command", format!("<code>{}</code>", escape(&run.command))));
    }
    if let Some(job) = job {
        let [listed, probed, held_out] = job.samples;
        rows.push(("data", format!("{}: {}", escape(&job.data), escape(&job.rule))));
        rows.push(("samples", format!("{} listed, {} trained on, {} held out", count(listed), count(probed), count(held_out))));
        rows.push(("model", escape(&job.model)));
        rows.extend(job.weights.as_ref().map(|weights| ("weights", escape(weights))));
        rows.push(("recipe", escape(&recipe(&job.recipe))));
    }
    let conditions = &run.conditions;
    rows.push(("seed", conditions.seed.to_string()));
    rows.push(("device", format!("{}, {}", escape(&conditions.device), plural(conditions.threads as usize, "thread"))));
    let versions: Vec<String> = conditions.versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
    if !versions.is_empty() {
        rows.push(("versions", escape(&versions.join(", "))));
    }
    rows.push(("time", format!("{:.0} s of {:.0} s allowed, {} training steps", run.spent, conditions.budget, count(run.trained.steps))));
    if !run.stale_accepts.is_empty() {
        rows.push(("accepted, no longer found", escape(&run.stale_accepts.join("; "))));
    }
    if !conditions.lowered.is_empty() {
        rows.push(("lowered or skipped", escape(&conditions.lowered.join("; "))));
    }
    rows
}

fn recipe(recipe: &nanprobe_checks::recipe::Recipe) -> String {
    let optimizer = &recipe.optimizer;
    format!(
        "{}, {} at learning rate {}, momentum {}, weight decay {}, batches of {}, {}, {} px, inputs {}",
        recipe.loss,
        optimizer.kind,
        optimizer.lr,
        optimizer.momentum,
        optimizer.weight_decay,
        recipe.batch_size,
        if recipe.shuffle { "shuffled" } else { "not shuffled" },
        recipe.image_size,
        recipe.normalize
    )
}

#[cfg(test)]
mod tests;
