//! What differs between two trainings beside their results.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::diagnosis::Diagnosis;

/// Something that is not the same in both reports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// What it is, such as `data`, `recipe.optimizer.lr` or `version of torch`.
    pub what: String,
    /// Before; `none` where it was not given.
    pub before: String,
    /// After.
    pub after: String,
}

/// What is not the same, in the order in which it matters.
pub(super) fn differences(before: &Diagnosis, after: &Diagnosis) -> Vec<Difference> {
    let (before, after) = (conditions(before), conditions(after));
    let value = |list: &[(String, String)], what: &str| {
        let given = list.iter().find(|(name, value)| name == what && !value.is_empty());
        given.map_or_else(|| "none".to_owned(), |(_, value)| value.clone())
    };
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in before.iter().chain(&after) {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    let difference = |what: &str| Difference { what: what.to_owned(), before: value(&before, what), after: value(&after, what) };
    let mut differences: Vec<Difference> = names.into_iter().map(difference).filter(|d| d.before != d.after).collect();
    differences.sort_by_key(|difference| place(&difference.what));
    differences
}

/// Data before model before recipe before machine.
fn place(what: &str) -> usize {
    ["data", "classes", "samples", "model", "weights", "recipe", "steps"].iter().position(|first| what.starts_with(first)).unwrap_or(7)
}

fn conditions(report: &Diagnosis) -> Vec<(String, String)> {
    let mut list: Vec<(String, String)> = Vec::new();
    let mut put = |what: &str, value: String| list.push((what.to_owned(), value));
    if let Some(job) = &report.job {
        put("data", format!("{} ({})", job.data, job.rule));
        put("classes", job.classes.join(", "));
        let [listed, train, held_out] = job.samples;
        put("samples", format!("{listed} listed, {train} probed, {held_out} held out"));
        put("model", job.model.clone());
        put("weights", job.weights.clone().unwrap_or_else(|| "none".to_owned()));
        let mut recipe = BTreeMap::new();
        flatten("recipe", &serde_json::to_value(&job.recipe).unwrap_or_default(), &mut recipe);
        for (what, value) in recipe {
            put(&what, value);
        }
    }
    if let Some(symptom) = &report.symptom {
        put("steps", symptom.steps.to_string());
    }
    let run = &report.run.conditions;
    for (name, version) in &run.versions {
        put(&format!("version of {name}"), version.clone());
    }
    put("seed", run.seed.to_string());
    put("device", run.device.clone());
    put("threads", run.threads.to_string());
    put("budget", format!("{} s", run.budget));
    put("to keep the budget", run.lowered.join("; "));
    list
}

/// The leaves of a value by their path.
fn flatten(path: &str, value: &Value, into: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(key, value)| flatten(&format!("{path}.{key}"), value, into)),
        Value::Null => {}
        Value::String(text) => drop(into.insert(path.to_owned(), text.clone())),
        other => drop(into.insert(path.to_owned(), other.to_string())),
    }
}
