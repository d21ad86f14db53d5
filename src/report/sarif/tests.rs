use nanprobe_checks::{Location, Remedy};
use serde_json::Value;

use super::*;
use crate::report::samples;

fn repository() -> Repository {
    Repository { root: "/repo".into(), folder: "/repo/models".into(), config: None }
}

fn log(diagnosis: &Diagnosis) -> Value {
    serde_json::from_str(&sarif(diagnosis, FailOn::Error, &repository()).unwrap()).unwrap()
}

/// What is wrong by the official schema. Its pattern of a language has a bracket too many, which no regular expression may have.
fn violations(log: &Value) -> Vec<String> {
    let schema = include_str!("../../../tests/schemas/sarif-schema-2.1.0.json").replace("{2}]?$", "{2}$");
    let validator = jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap();
    validator.iter_errors(log).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

/// Findings in every kind of place.
fn everywhere() -> Diagnosis {
    let mut diagnosis = samples::two_fixes();
    diagnosis.run.config = Some("nanprobe.toml".to_owned());
    let odd = Location { module: "head.0".to_owned(), file: Some("/elsewhere/a b/train#1.py".to_owned()), line: Some(3) };
    diagnosis.verdicts[3].location = Some(odd);
    diagnosis.verdicts[0].edit = Some(Remedy::Shuffle);
    diagnosis
}

#[test]
fn every_log_is_valid_by_the_official_schema() {
    for diagnosis in [everywhere(), samples::two_fixes(), samples::healthy(), samples::many_classes(), samples::died_early()] {
        assert_eq!(violations(&log(&diagnosis)), Vec::<String>::new());
    }
}

#[test]
fn the_schema_refuses_what_is_no_sarif() {
    let mut broken = log(&everywhere());
    broken["runs"][0]["results"][0]["level"] = "fatal".into();
    broken["runs"][0]["results"][1]["locations"][0]["physicalLocation"]["region"]["startLine"] = 0.into();
    assert_eq!(violations(&broken).len(), 2, "{:?}", violations(&broken));
}

#[test]
fn a_log_of_two_fixes() {
    let mut log = log(&everywhere());
    for rule in log["runs"][0]["tool"]["driver"]["rules"].as_array_mut().unwrap() {
        for text in ["help", "fullDescription"] {
            rule[text] = "(the check's page)".into();
        }
    }
    log["runs"][0]["properties"] = "(headline, symptom, fixes)".into();
    log["runs"][0]["tool"]["driver"]["semanticVersion"] = "(version)".into();
    insta::assert_snapshot!(serde_json::to_string_pretty(&log).unwrap());
}

#[test]
fn findings_are_results_and_what_was_cleared_is_none() {
    let log = log(&samples::two_fixes());
    let results = log["runs"][0]["results"].as_array().unwrap();
    let levels: Vec<(&str, &str)> = results.iter().map(|r| (r["ruleId"].as_str().unwrap(), r["level"].as_str().unwrap())).collect();
    let expected = [
        ("unshuffled-batches", "error"),
        ("collapsed-predictions", "note"),
        ("learning-rate-too-low", "error"),
        ("labels-disagree-with-names", "warning"),
    ];
    assert_eq!(levels, expected);
    for (index, result) in results.iter().enumerate() {
        assert_eq!(result["ruleIndex"], index);
        assert_eq!(log["runs"][0]["tool"]["driver"]["rules"][index]["id"], result["ruleId"]);
    }
}

#[test]
fn a_fingerprint_outlives_lines_that_move_and_numbers_that_change() {
    let fingerprint = |diagnosis: &Diagnosis| log(diagnosis)["runs"][0]["results"][2]["partialFingerprints"].clone();
    let before = everywhere();
    let mut after = before.clone();
    after.verdicts[1].location.as_mut().unwrap().line = Some(97);
    after.verdicts[1].measured = "learning rate 2e-6".to_owned();
    assert_eq!(fingerprint(&before), fingerprint(&after));
    after.verdicts[1].location.as_mut().unwrap().file = Some("other.py".to_owned());
    assert_ne!(fingerprint(&before), fingerprint(&after));
}

#[test]
fn a_run_that_measured_next_to_nothing_was_not_successful_and_says_why() {
    let log = log(&samples::died_early());
    let invocation = &log["runs"][0]["invocations"][0];
    assert_eq!((&invocation["executionSuccessful"], &invocation["exitCode"]), (&false.into(), &3.into()));
    let notifications = invocation["toolExecutionNotifications"].as_array().unwrap();
    assert!(notifications[0]["message"]["text"].as_str().unwrap().contains("signal 9"), "{notifications:?}");
    assert_eq!(notifications.len(), 1 + 5, "the problem, and a note for each check that was not judged");
}
