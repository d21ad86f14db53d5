//! SARIF 2.1.0, for code scanning.
//!
//! A result is what a person should act on: every finding, the ones that another explains as notes. What was cleared or proved
//! harmless is no result, for code scanning shows any result as an alert. A check that could not judge is a notification of the
//! invocation: absence of evidence is never a pass. The same findings have the same fingerprints whatever the lines above them.

use std::collections::BTreeMap;

use nanprobe_checks::{AnyCheck, Severity};
use serde_json::json;

mod format;

use format::{
    ArtifactLocation, Driver, Finding, Invocation, Location, Log, LogicalLocation, Notification, PhysicalLocation, Region, Rule,
    RuleReference, Run, Text, Tool, UriBase,
};

use super::place::{Place, Repository};
use super::ranked;
use crate::config::FailOn;
use crate::diagnosis::{Diagnosis, Status, Verdict};
use crate::exit;

/// The base of relative addresses, by the name that code scanning knows.
const ROOT: &str = "%SRCROOT%";
const SCHEMA: &str = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// The findings as a SARIF log.
pub fn sarif(diagnosis: &Diagnosis, fail_on: FailOn, repository: &Repository) -> serde_json::Result<String> {
    let shown: Vec<&Verdict> = ranked::ranked(diagnosis).into_iter().map(|(_, v)| v).filter(|v| v.status.is_finding()).collect();
    let rules: Vec<Rule> = shown.iter().map(|verdict| rule(verdict)).collect();
    let results = shown.iter().enumerate().map(|(index, verdict)| finding(diagnosis, verdict, index, repository)).collect();
    let root = UriBase { description: "the root of the repository".to_owned().into() };
    let run = Run {
        tool: Tool { driver: Driver { name: "nanprobe", semantic_version: env!("CARGO_PKG_VERSION"), rules } },
        invocations: [invocation(diagnosis, fail_on)],
        original_uri_base_ids: BTreeMap::from([(ROOT, root)]),
        column_kind: "unicodeCodePoints",
        results,
        properties: json!({ "headline": diagnosis.headline, "symptom": diagnosis.symptom, "fixes": diagnosis.fixes }),
    };
    Ok(serde_json::to_string_pretty(&Log { schema: SCHEMA, version: "2.1.0", runs: [run] })? + "\n")
}

/// The check's doc comment; of a check that is not built in, its name alone.
fn rule(verdict: &Verdict) -> Rule {
    let check = nanprobe_checks::find(&verdict.check);
    let doc = check.map(doc);
    let why = doc.as_deref().and_then(|doc| section(doc, "Why it matters"));
    Rule {
        id: verdict.check.clone(),
        short_description: check.map_or(verdict.check.as_str(), |check| check.summary()).to_owned().into(),
        full_description: why.map(|why| why.replace('\n', " ").into()),
        help: doc.map(|doc| Text { text: doc.clone(), markdown: Some(doc) }),
        properties: json!({ "tags": [verdict.family], "problem.severity": verdict.severity.map(problem_severity) }),
    }
}

/// The doc comment without the blank that follows `///`.
fn doc(check: &dyn AnyCheck) -> String {
    let lines: Vec<&str> = check.doc().lines().map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
    lines.join("\n").trim().to_owned()
}

fn section<'a>(doc: &'a str, title: &str) -> Option<&'a str> {
    let (_, text) = doc.split_once(&format!("## {title}\n"))?;
    Some(text.split("\n## ").next().unwrap_or(text).trim())
}

/// The word that code scanning sorts alerts by.
fn problem_severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "recommendation",
    }
}

fn finding(diagnosis: &Diagnosis, verdict: &Verdict, rule_index: usize, repository: &Repository) -> Finding {
    let place = repository.place(diagnosis, verdict);
    let module = verdict.location.as_ref().map(|location| location.module.clone()).filter(|module| !module.is_empty());
    let identity = format!("{}:{}:{}", verdict.check, module.as_deref().unwrap_or_default(), place.file);
    let level = match verdict.severity {
        _ if verdict.explained_by.is_some() => "note",
        Some(Severity::Error) => "error",
        Some(Severity::Warning) => "warning",
        Some(Severity::Note) | None => "note",
    };
    let message = format!(
        "{}\nmeasured: {}\neffect of the fix: {}\nwhat to do: {}",
        verdict.message,
        verdict.measured,
        ranked::effect(diagnosis, verdict),
        ranked::to_do(diagnosis, verdict)
    );
    Finding {
        rule_id: verdict.check.clone(),
        rule_index,
        kind: "fail",
        level,
        message: message.into(),
        locations: [location(&place, module)],
        // The second is the name by which code scanning tells an old alert from a new one.
        partial_fingerprints: BTreeMap::from([("nanprobeFinding/v1", identity.clone()), ("primaryLocationLineHash", identity)]),
        rank: verdict.rank.map(|rank| 100.0 / f64::from(rank)),
        properties: json!({
            "status": verdict.status,
            "severity": verdict.severity,
            "rank": verdict.rank,
            "measured": verdict.measured,
            "effect": verdict.effect,
            "edit": verdict.edit,
            "explainedBy": verdict.explained_by,
        }),
    }
}

fn location(place: &Place, module: Option<String>) -> Location {
    let uri_base_id = place.is_relative().then_some(ROOT);
    let logical = module.map(|fully_qualified_name| LogicalLocation { fully_qualified_name, kind: "module" });
    Location {
        physical_location: PhysicalLocation {
            artifact_location: ArtifactLocation { uri: place.uri(), uri_base_id },
            region: Region { start_line: place.line.unwrap_or(1) },
        },
        logical_locations: logical.into_iter().collect(),
    }
}

fn invocation(diagnosis: &Diagnosis, fail_on: FailOn) -> Invocation {
    let notification = |level, text: &str, check: Option<&str>| Notification {
        level,
        message: text.to_owned().into(),
        associated_rule: check.map(|check| RuleReference { id: check.to_owned() }),
    };
    let problems = diagnosis.run.problems.iter().map(|problem| notification("warning", problem, None));
    let unmeasured = ranked::with_status(diagnosis, Status::NotMeasured);
    let unmeasured =
        unmeasured.into_iter().map(|v| notification("note", &format!("{} was not judged: {}", v.check, v.message), Some(&v.check)));
    let exit_code = exit::of(diagnosis, fail_on);
    Invocation {
        execution_successful: !exit::is_too_little(diagnosis),
        exit_code,
        exit_code_description: exit::meaning(exit_code),
        tool_execution_notifications: problems.chain(unmeasured).collect(),
    }
}

#[cfg(test)]
mod tests;
