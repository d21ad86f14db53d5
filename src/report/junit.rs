//! JUnit XML, which most CI services show as a list of tests: one suite a family, one case a check.
//!
//! What sets the exit code is a failure; what does not passes, and says so in its output. A check that could not judge is skipped,
//! and a run that could measure next to nothing is an error of its own, for skipped tests alone would look like a pass.

use quick_junit::{NonSuccessKind, Report, SerializeError, TestCase, TestCaseStatus, TestSuite};

use super::ranked;
use crate::config::FailOn;
use crate::diagnosis::{Diagnosis, Status, Verdict};
use crate::exit;

/// The suite of what concerns no single check.
const RUN: &str = "run";

/// The verdicts as tests.
pub fn junit(diagnosis: &Diagnosis, fail_on: FailOn) -> Result<String, SerializeError> {
    let mut report = Report::new("nanprobe");
    report.add_test_suite(run(diagnosis));
    let mut families: Vec<&str> = Vec::new();
    for verdict in &diagnosis.verdicts {
        if !families.contains(&verdict.family.as_str()) {
            families.push(&verdict.family);
        }
    }
    families.sort_unstable();
    for family in families {
        let mut suite = TestSuite::new(family);
        suite.add_test_cases(diagnosis.verdicts.iter().filter(|v| v.family == family).map(|v| case(diagnosis, v, fail_on)));
        report.add_test_suite(suite);
    }
    report.to_string()
}

fn case(diagnosis: &Diagnosis, verdict: &Verdict, fail_on: FailOn) -> TestCase {
    let status = if exit::fails(verdict, fail_on) {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
        status.set_type(ranked::status(verdict, " ")).set_message(verdict.message.as_str()).set_description(details(diagnosis, verdict));
        status
    } else if verdict.status == Status::NotMeasured {
        let mut status = TestCaseStatus::skipped();
        status.set_message(verdict.message.as_str());
        status
    } else {
        TestCaseStatus::success()
    };
    let passes = matches!(status, TestCaseStatus::Success { .. });
    let mut case = TestCase::new(verdict.check.as_str(), status);
    case.set_classname(format!("nanprobe.{}", verdict.family));
    if passes {
        let clear = verdict.status == Status::Clear;
        case.set_system_out(if clear { verdict.measured.clone() } else { details(diagnosis, verdict) });
    }
    case
}

/// The finding in lines.
fn details(diagnosis: &Diagnosis, verdict: &Verdict) -> String {
    let mut lines = vec![
        format!("{}: {}", ranked::status(verdict, " "), verdict.message),
        format!("measured: {}", verdict.measured),
        format!("effect of the fix: {}", ranked::effect(diagnosis, verdict)),
        format!("what to do: {}", ranked::to_do(diagnosis, verdict)),
    ];
    // `file:line` alone, which CI services turn into a link.
    if let Some((file, line)) = verdict.location.as_ref().and_then(|at| at.file.as_ref().zip(at.line)) {
        lines.push(format!("at: {file}:{line}"));
    }
    lines.join("\n")
}

/// Whether there was something to judge by.
fn run(diagnosis: &Diagnosis) -> TestSuite {
    let problems = diagnosis.run.problems.join("\n");
    let status = if exit::is_too_little(diagnosis) {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
        status.set_type("too little measured").set_message(diagnosis.headline.as_str()).set_description(problems.as_str());
        status
    } else {
        TestCaseStatus::success()
    };
    let mut case = TestCase::new("enough was measured", status);
    case.set_classname("nanprobe.run");
    if !exit::is_too_little(diagnosis) {
        case.set_system_out([diagnosis.headline.as_str(), &problems].join("\n").trim_end());
    }
    let mut suite = TestSuite::new(RUN);
    suite.add_test_case(case);
    suite
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    fn counts(xml: &str) -> &str {
        xml.lines().find(|line| line.starts_with("<testsuites")).unwrap()
    }

    #[test]
    fn two_fixes_as_tests() {
        insta::assert_snapshot!(junit(&samples::two_fixes(), FailOn::Error).unwrap());
    }

    #[test]
    fn what_sets_the_exit_code_fails_and_nothing_else() {
        let diagnosis = samples::two_fixes();
        for (fail_on, failures) in [(FailOn::Error, 2), (FailOn::Warning, 3), (FailOn::Never, 0)] {
            let xml = junit(&diagnosis, fail_on).unwrap();
            assert!(
                counts(&xml).contains(&format!(r#"tests="10" skipped="1" failures="{failures}" errors="0""#)),
                "{fail_on:?} {}",
                counts(&xml)
            );
            assert_eq!(failures > 0, exit::of(&diagnosis, fail_on) == exit::FINDING);
        }
    }

    #[test]
    fn a_run_without_measurements_is_an_error_whatever_fails() {
        let xml = junit(&samples::died_early(), FailOn::Never).unwrap();
        assert!(counts(&xml).contains(r#"failures="0" errors="1""#), "{}", counts(&xml));
        assert_eq!(xml.matches("<skipped").count(), 5);
    }

    #[test]
    fn text_from_files_cannot_break_the_document() {
        let mut diagnosis = samples::two_fixes();
        diagnosis.verdicts[0].message = "\u{1b}[31m]]></failure><testcase name=\"x\"/>\u{0}".to_owned();
        diagnosis.verdicts[5].measured = "]]></system-out><failure/>".to_owned();
        let xml = junit(&diagnosis, FailOn::Error).unwrap();
        let back = Report::deserialize_from_str(&xml).unwrap();
        assert_eq!((back.tests, back.failures), (10, 2), "{xml}");
    }
}
