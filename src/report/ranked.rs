//! The findings in the order and the words that all formats for people share.

use std::cmp::Reverse;

use nanprobe_checks::evidence::ON_REQUEST;
use nanprobe_checks::{Location, Severity};

use super::numbers;
use crate::diagnosis::{Diagnosis, Status, Verdict};
use crate::diff::{Change, State};

/// Findings by rank, each followed by what it explains; then what proved harmless. With the depth of explanation.
pub(super) fn ranked(diagnosis: &Diagnosis) -> Vec<(usize, &Verdict)> {
    let shown = |v: &&Verdict| v.status.is_finding() || v.status == Status::Harmless;
    let mut left: Vec<&Verdict> = diagnosis.verdicts.iter().filter(shown).collect();
    // Stable, so that the order of the diagnosis decides between equals.
    left.sort_by_key(|v| (v.status == Status::Harmless, v.rank.unwrap_or(u32::MAX)));
    let listed = |name: &str| left.iter().any(|v| v.check == name);
    let mut rows = Vec::new();
    let roots: Vec<&Verdict> = left.iter().copied().filter(|v| v.explained_by.as_deref().is_none_or(|by| !listed(by))).collect();
    for root in roots {
        descend(root, 0, &mut left, &mut rows);
    }
    // Only findings that explain each other in a circle remain.
    rows.extend(left.into_iter().map(|v| (0, v)));
    rows
}

fn descend<'a>(verdict: &'a Verdict, depth: usize, left: &mut Vec<&'a Verdict>, rows: &mut Vec<(usize, &'a Verdict)>) {
    rows.push((depth, verdict));
    left.retain(|v| v.check != verdict.check);
    let explained: Vec<&Verdict> = left.iter().copied().filter(|v| v.explained_by.as_deref() == Some(&verdict.check)).collect();
    for next in explained {
        descend(next, depth + 1, left, rows);
    }
}

/// The verdicts with that status.
pub(super) fn with_status(diagnosis: &Diagnosis, status: Status) -> Vec<&Verdict> {
    diagnosis.verdicts.iter().filter(|verdict| verdict.status == status).collect()
}

/// Why checks could not judge, each reason with its checks, the most frequent first. What nobody asked for is only told if all is wanted.
pub(super) fn unmeasured(diagnosis: &Diagnosis, all: bool) -> Vec<(&str, Vec<&str>)> {
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    let wanted = |verdict: &&Verdict| all || !verdict.message.contains(ON_REQUEST);
    for verdict in with_status(diagnosis, Status::NotMeasured).into_iter().filter(wanted) {
        match reasons.iter_mut().find(|(reason, _)| *reason == verdict.message) {
            Some((_, checks)) => checks.push(&verdict.check),
            None => reasons.push((&verdict.message, vec![&verdict.check])),
        }
    }
    reasons.sort_by_key(|(_, checks)| Reverse(checks.len()));
    reasons
}

/// Another finding in few letters: its rank where it has one.
pub(super) fn short(diagnosis: &Diagnosis, check: &str) -> String {
    let rank = diagnosis.verdicts.iter().find(|v| v.check == check).and_then(|v| v.rank);
    rank.map_or_else(|| check.to_owned(), |rank| format!("#{rank}"))
}

/// What the fix bought, with what else was fixed.
pub(super) fn effect(diagnosis: &Diagnosis, verdict: &Verdict) -> String {
    if let Some(cause) = verdict.explained_by.as_ref().filter(|_| verdict.effect.is_none()) {
        return format!("gone with {}", short(diagnosis, cause));
    }
    let with: Vec<String> = verdict.effect.iter().flat_map(|effect| &effect.with).map(|check| short(diagnosis, check)).collect();
    let effect = numbers::effect(verdict);
    if with.is_empty() { effect } else { format!("{effect} with {} fixed", with.join(" and ")) }
}

/// What to do, without where.
pub(super) fn to_do(diagnosis: &Diagnosis, verdict: &Verdict) -> String {
    if let Some(accepted) = &verdict.accepted {
        return format!("nothing, accepted {}: {}", accepted.date, accepted.reason);
    }
    match &verdict.explained_by {
        Some(cause) if verdict.status.is_finding() => format!("nothing of its own: fix {}", short(diagnosis, cause)),
        _ if verdict.status == Status::Harmless => "nothing: changing it does not help".to_owned(),
        _ => verdict.remedy.clone(),
    }
}

/// What to do, and where.
pub(super) fn advice(diagnosis: &Diagnosis, verdict: &Verdict) -> String {
    let to_do = to_do(diagnosis, verdict);
    match verdict.location.as_ref().and_then(place).filter(|_| to_do == verdict.remedy) {
        Some(place) => format!("{to_do} ({place})"),
        None => to_do,
    }
}

/// The user's file and line, and the module, as far as they are known.
pub(super) fn place(location: &Location) -> Option<String> {
    let file = location.file.as_ref().map(|file| location.line.map_or_else(|| format!("in {file}"), |line| format!("at {file}:{line}")));
    let module = (!location.module.is_empty()).then(|| format!("in `{}`", location.module));
    let places: Vec<String> = file.into_iter().chain(module).collect();
    (!places.is_empty()).then(|| places.join(", "))
}

/// The severity's word.
pub(super) fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    }
}

/// The status, and the severity of a finding.
pub(super) fn status(verdict: &Verdict, between: &str) -> String {
    match verdict.severity.filter(|_| verdict.status.is_finding()) {
        Some(found) => {
            let accepted = if verdict.accepted.is_some() { format!("{between}(accepted)") } else { String::new() };
            format!("{}{between}{}{accepted}", verdict.status.name(), severity(found))
        }
        None => verdict.status.name().to_owned(),
    }
}

/// From one answer to the other: `clear -> suspected error`.
pub(super) fn transition(change: &Change) -> String {
    let word = |state: Option<&State>| {
        let Some(state) = state else { return "not asked".to_owned() };
        let severity = state.severity.map(|found| format!(" {}", severity(found))).unwrap_or_default();
        let cause = state.explained_by.as_ref().map(|cause| format!(", explained by {cause}")).unwrap_or_default();
        let accepted = if state.accepted { ", accepted" } else { "" };
        format!("{}{severity}{cause}{accepted}", state.status.name())
    };
    format!("{} -> {}", word(change.before.as_ref()), word(change.after.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    fn order(diagnosis: &Diagnosis) -> Vec<(usize, &str)> {
        ranked(diagnosis).into_iter().map(|(depth, verdict)| (depth, verdict.check.as_str())).collect()
    }

    #[test]
    fn what_a_finding_explains_stands_below_it_and_harmless_ones_last() {
        let expected = [
            (0, "unshuffled-batches"),
            (1, "collapsed-predictions"),
            (0, "learning-rate-too-low"),
            (0, "labels-disagree-with-names"),
            (0, "unnormalized-inputs"),
        ];
        let mut diagnosis = samples::two_fixes();
        assert_eq!(order(&diagnosis), expected);
        diagnosis.verdicts.reverse();
        assert_eq!(order(&diagnosis), expected);
    }

    #[test]
    fn no_finding_is_lost_when_findings_explain_each_other_or_something_unlisted() {
        let mut diagnosis = samples::two_fixes();
        diagnosis.verdicts[0].explained_by = Some("learning-rate-too-low".to_owned());
        diagnosis.verdicts[1].explained_by = Some("unshuffled-batches".to_owned());
        diagnosis.verdicts[2].explained_by = Some("no-such-check".to_owned());
        diagnosis.verdicts[3].explained_by = Some("labels-disagree-with-names".to_owned());
        assert_eq!(order(&diagnosis).len(), 5);
    }

    #[test]
    fn a_finding_that_needs_nothing_done_names_no_place_to_do_it() {
        let mut diagnosis = samples::two_fixes();
        let location = Some(Location { module: "fc".to_owned(), file: Some("train.py".to_owned()), line: Some(7) });
        diagnosis.verdicts.iter_mut().for_each(|verdict| verdict.location.clone_from(&location));
        let advice: Vec<String> = diagnosis.verdicts.iter().take(5).map(|verdict| advice(&diagnosis, verdict)).collect();
        assert!(advice[0].ends_with("(at train.py:7, in `fc`)"), "{advice:?}");
        assert_eq!((advice[2].as_str(), advice[4].as_str()), ("nothing of its own: fix #1", "nothing: changing it does not help"));
    }
}
