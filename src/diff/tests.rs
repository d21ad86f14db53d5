use nanprobe_checks::Severity;
use nanprobe_checks::stats::Interval;
use proptest::prelude::*;

use super::*;
use crate::diagnosis::{Accepted, Status, Verdict};
use crate::report::samples;

const STATUSES: [Status; 6] =
    [Status::Confirmed, Status::Contributing, Status::Suspected, Status::Harmless, Status::Clear, Status::NotMeasured];

fn acceptance() -> Accepted {
    Accepted { reason: "we know".to_owned(), date: "2026-11-29".to_owned() }
}

/// A report of some checks, each in any state a check can be in.
fn any_report() -> impl Strategy<Value = Diagnosis> {
    let state = (0..STATUSES.len(), 0..3usize, any::<bool>(), any::<bool>(), proptest::option::of(-0.2..0.5f64));
    let states = proptest::collection::btree_map(0..6usize, state, 0..6);
    (states, 0..3usize).prop_map(|(states, symptom)| {
        let template = samples::two_fixes();
        let verdict = |(name, (status, severity, explained, accepted, gain)): (usize, (usize, usize, bool, bool, Option<f64>))| {
            let status = STATUSES[status];
            let effect = gain.zip(template.verdicts[0].effect.clone());
            Verdict {
                check: format!("check-{name}"),
                status,
                severity: status.is_finding().then_some([Severity::Note, Severity::Warning, Severity::Error][severity]),
                explained_by: (explained && status.is_finding()).then(|| "another".to_owned()),
                accepted: (accepted && status.is_finding()).then(acceptance),
                effect: effect.map(|(gain, mut effect)| {
                    effect.interval = Interval { low: gain - 0.05, high: gain + 0.05 };
                    effect
                }),
                ..template.verdicts[0].clone()
            }
        };
        let symptom = [None, samples::two_fixes().symptom, samples::healthy().symptom][symptom].clone();
        Diagnosis { verdicts: states.into_iter().map(verdict).collect(), symptom, ..template.clone() }
    })
}

fn reversed(direction: Direction) -> Direction {
    match direction {
        Direction::Better => Direction::Worse,
        Direction::Worse => Direction::Better,
        Direction::WithinNoise => Direction::WithinNoise,
    }
}

proptest! {
    #[test]
    fn a_report_does_not_differ_from_itself(report in any_report()) {
        let same = Comparison::of(&report, &report);
        prop_assert!(same.changes.is_empty() && same.differences.is_empty(), "{same:?}");
        prop_assert!(same.accuracy.is_none_or(|accuracy| accuracy.direction == Direction::WithinNoise));
    }

    #[test]
    fn the_other_way_round_what_was_worse_is_better(before in any_report(), after in any_report()) {
        let (forth, back) = (Comparison::of(&before, &after), Comparison::of(&after, &before));
        prop_assert_eq!(forth.changes.len(), back.changes.len());
        for change in &forth.changes {
            let other = back.changes.iter().find(|other| other.check == change.check).unwrap();
            prop_assert_eq!(other.kind, change.kind.reversed());
            prop_assert_eq!((&other.before, &other.after), (&change.after, &change.before));
        }
        let directions = forth.accuracy.zip(back.accuracy).map(|(forth, back)| (forth.direction, back.direction));
        prop_assert!(directions.is_none_or(|(forth, back)| forth == reversed(back)));
    }

    #[test]
    fn a_finding_that_fails_the_second_report_alone_fails_the_comparison_or_was_there_before(before in any_report(), after in any_report()) {
        let comparison = Comparison::of(&before, &after);
        for verdict in after.verdicts.iter().filter(|verdict| exit::fails(verdict, FailOn::Warning)) {
            let fails = comparison.changes.iter().any(|change| change.check == verdict.check && change.fails(FailOn::Warning));
            let was_there = before.verdicts.iter().any(|old| old.check == verdict.check && exit::fails(old, FailOn::Warning));
            prop_assert!(fails || was_there, "{}", verdict.check);
        }
    }
}

/// The healthy sample with the findings of the one with two mistakes.
fn before_and_after() -> (Diagnosis, Diagnosis) {
    let before = samples::healthy();
    (before, samples::two_fixes())
}

#[test]
fn new_findings_and_a_fall_fail_and_mending_them_does_not() {
    let (healthy, faulty) = before_and_after();
    let broke = Comparison::of(&healthy, &faulty);
    assert_eq!(broke.exit_code(FailOn::Error), exit::FINDING, "{}", broke.headline);
    assert!(broke.headline.starts_with("worse than before: the accuracy fell; new unshuffled-batches"), "{}", broke.headline);
    let mended = Comparison::of(&faulty, &healthy);
    assert_eq!(mended.exit_code(FailOn::Warning), exit::CLEAN, "{}", mended.headline);
    assert!(mended.headline.starts_with("nothing got worse; the accuracy rose; gone unshuffled-batches"), "{}", mended.headline);
    assert_eq!(broke.exit_code(FailOn::Never), exit::CLEAN);
}

#[test]
fn a_warning_fails_only_where_warnings_do() {
    let (mut before, mut after) = before_and_after();
    after.symptom.clone_from(&before.symptom);
    after.verdicts.retain(|verdict| verdict.severity != Some(Severity::Error));
    before.verdicts.clear();
    let comparison = Comparison::of(&before, &after);
    assert_eq!((comparison.exit_code(FailOn::Error), comparison.exit_code(FailOn::Warning)), (exit::CLEAN, exit::FINDING));
}

#[test]
fn what_is_no_longer_measured_did_not_get_better() {
    let (_, before) = before_and_after();
    let comparison = Comparison::of(&before, &samples::died_early());
    assert_eq!((comparison.exit_code(FailOn::Error), comparison.too_little.as_slice()), (exit::TOO_LITTLE, &[Side::After][..]));
    let of = |check: &str| comparison.changes.iter().find(|change| change.check == check).map(|change| change.kind);
    assert_eq!((of("unshuffled-batches"), of("learning-rate-too-low")), (Some(Kind::Gone), Some(Kind::Lost)));
    assert!(comparison.headline.starts_with("too little was measured now"), "{}", comparison.headline);
}

#[test]
fn what_differs_between_the_trainings_is_named_by_its_key() {
    let (before, mut after) = before_and_after();
    let job = after.job.as_mut().unwrap();
    job.recipe.batch_size = job.recipe.batch_size.saturating_add(32);
    "elsewhere".clone_into(&mut job.data);
    after.run.conditions.versions[1].1 = "2.14.0".to_owned();
    let differences = Comparison::of(&before, &after).differences;
    let names: Vec<&str> = differences.iter().map(|difference| difference.what.as_str()).collect();
    assert_eq!(names, ["data", "model", "recipe.batch-size", "version of torch", "to keep the budget"]);
    assert_eq!((differences[2].before.as_str(), differences[2].after.as_str()), ("32", "64"));
}

#[test]
fn a_comparison_is_versioned_and_can_be_read_back() {
    let (before, after) = before_and_after();
    let comparison = Comparison::of(&before, &after);
    let text = serde_json::to_string(&comparison).unwrap();
    assert!(text.contains(SCHEMA));
    assert_eq!(serde_json::from_str::<Comparison>(&text).unwrap(), comparison);
}

#[test]
fn a_finding_that_is_accepted_is_better_and_fails_nothing_even_if_it_is_new() {
    let before = samples::two_fixes();
    let mut after = before.clone();
    after.verdicts[0].accepted = Some(acceptance());
    let of_first = |comparison: &Comparison| comparison.changes.iter().find(|change| change.check == before.verdicts[0].check).cloned();
    let change = of_first(&Comparison::of(&before, &after)).unwrap();
    assert_eq!((change.kind, change.fails(FailOn::Warning)), (Kind::Better, false));
    let mut clear = before.clone();
    clear.verdicts[0].status = Status::Clear;
    let change = of_first(&Comparison::of(&clear, &after)).unwrap();
    assert_eq!((change.kind, change.fails(FailOn::Warning)), (Kind::New, false));
}
