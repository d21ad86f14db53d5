//! Models in which all samples come to look alike, and odd ones in which they do not: hand-written, exported, trained on batches of their own.
#![cfg(feature = "engine")]

use std::path::{Path, PathBuf};
use std::process::Command;

use nanprobe::diagnosis::{Diagnosis, Status, Verdict};

const SOURCE: &str = include_str!("oracle/collapsing.py");

/// Exports all of them.
fn export(folder: &Path, options: &[&str]) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = root.join(".venv/bin/python");
    assert!(python.exists(), "{} is missing; `make setup-tests` makes it", python.display());
    let status = Command::new(python).arg(root.join("tests/oracle/collapsing.py")).arg(folder).args(options).status().unwrap();
    assert!(status.success(), "collapsing.py failed");
}

fn cases(folder: &Path) -> Vec<(String, PathBuf)> {
    let cases = folder.read_dir().unwrap().map(|case| case.unwrap());
    let mut cases: Vec<_> = cases.map(|case| (case.file_name().into_string().unwrap(), case.path())).collect();
    cases.sort();
    cases
}

fn diagnose(folder: &Path) -> Diagnosis {
    let output = Command::new(env!("CARGO_BIN_EXE_nanprobe"))
        .args(["diagnose", "--format", "json", "--quiet", "--quick", "--optimizer", "adam", "--lr", "1e-3"])
        .args(["--batches", "batches.safetensors", "--model", "model.pt2"])
        .current_dir(folder)
        .output()
        .unwrap();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
}

/// The line that carries the comment `planted: CASE`; a variant of a case has its line.
fn line(case: &str) -> Option<u32> {
    let planted =
        |line: &str| line.split_once("# planted: ").is_some_and(|(_, planted)| case == planted || case == format!("{planted}-gru"));
    SOURCE.lines().position(planted).map(|line| line as u32 + 1)
}

fn verdict<'a>(diagnosis: &'a Diagnosis, check: &str) -> &'a Verdict {
    diagnosis.verdicts.iter().find(|v| v.check == check).unwrap()
}

/// What is wrong of every `step`th case, and how many faults were planted among them.
fn judged(step: usize) -> (Vec<String>, usize) {
    let folder = tempfile::tempdir().unwrap();
    export(folder.path(), &[]);
    let (mut wrong, mut planted) = (Vec::new(), 0);
    for (case, path) in cases(folder.path()).into_iter().step_by(step) {
        let diagnosis = diagnose(&path);
        // A recurrent layer's own state has the line that calls it.
        let expected = if case == "last-padding-state" { line("rnn") } else { line(&case) };
        let check = if case == "batch-mean" { "batch-mixing" } else { "collapsed-features" };
        let found = verdict(&diagnosis, check);
        let fires = !matches!(found.status, Status::Clear | Status::NotMeasured);
        let place = found.location.as_ref().and_then(|location| location.line);
        planted += usize::from(expected.is_some());
        if fires != expected.is_some() || place != expected || (fires && found.rank != Some(1)) {
            wrong.push(format!("{case}: {:?} at {place:?}, not {expected:?}: {} | {}", found.status, found.measured, diagnosis.headline));
        }
    }
    (wrong, planted)
}

#[test]
fn the_line_behind_which_all_samples_look_alike_ranks_first_and_odd_sound_models_are_left_alone() {
    let (wrong, planted) = judged(4);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(planted >= 2, "{planted} planted");
}

#[test]
#[ignore = "all 27 models take some minutes"]
fn the_same_of_all_the_models_there_are() {
    let (wrong, planted) = judged(1);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(planted >= 10, "{planted} planted");
}

#[test]
#[ignore = "16 models take a minute"]
fn a_model_that_is_not_trained_at_all_is_not_blamed_for_first_values() {
    let folder = tempfile::tempdir().unwrap();
    export(folder.path(), &["--frozen"]);
    for (case, path) in cases(folder.path()).into_iter().filter(|(case, _)| line(case).is_none() && case != "last-padding-state") {
        let found = diagnose(&path);
        let found = verdict(&found, "collapsed-features");
        assert_eq!(found.status, Status::Clear, "{case}: {}", found.measured);
    }
}
