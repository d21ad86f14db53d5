//! The main job on Fashion-MNIST (Debian's package dataset-fashion-mnist), as IDX files and as an image folder.
#![cfg(feature = "engine")]

use std::path::{Path, PathBuf};
use std::process::Command;

use nanprobe::diagnosis::{Diagnosis, Status};
use nanprobe_checks::Severity;

const IDX: &str = "/usr/share/datasets/fashion-mnist";

/// The data, or none on a machine without the package. CI installs it, so there it must exist.
fn idx() -> Option<&'static Path> {
    let path = Path::new(IDX);
    assert!(path.exists() || std::env::var_os("CI").is_none(), "{IDX} is missing; install dataset-fashion-mnist");
    if !path.exists() {
        eprintln!("skipped: {IDX} is missing; install dataset-fashion-mnist");
    }
    path.exists().then_some(path)
}

/// Two classes that are easily confused, as a folder of PNGs.
fn folder(into: &Path) -> PathBuf {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/write_fashion_mnist.py");
    let out = into.join("train");
    let classes = ["--classes", "T-shirt,Shirt", "--per-class", "700"];
    let status = Command::new("python3").arg(script).arg(&out).args(["--source", IDX]).args(classes).status().unwrap();
    assert!(status.success());
    out
}

fn diagnose(data: &Path, flags: &str) -> Diagnosis {
    let output = Command::new(env!("CARGO_BIN_EXE_nanprobe"))
        .args(["diagnose", "--model", "small-cnn", "--format", "json", "--quiet", "--budget", "10m", "--data"])
        .arg(data)
        .args(flags.split_whitespace())
        .output()
        .unwrap();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{flags}: {error}: {}", String::from_utf8_lossy(&output.stderr)))
}

fn assert_healthy(what: &str, diagnosis: &Diagnosis) {
    let against = diagnosis.verdicts.iter().filter(|v| v.status.is_finding() && v.severity == Some(Severity::Error));
    let against: Vec<&str> = against.map(|v| v.check.as_str()).collect();
    assert!(against.is_empty(), "{what}: {against:?}");
    let symptom = diagnosis.symptom.as_ref().unwrap();
    assert!(symptom.interval.low > symptom.chance.0.max(symptom.majority_rate.0), "{what}: {}", diagnosis.headline);
}

fn top(diagnosis: &Diagnosis) -> &str {
    diagnosis.verdicts.iter().find(|v| v.rank == Some(1)).map_or("nothing", |v| &v.check)
}

#[test]
fn healthy_runs_learn_two_and_ten_classes() {
    let Some(idx) = idx() else { return };
    assert_healthy("two classes as IDX", &diagnose(idx, "--classes 0,6"));
    assert_healthy("ten classes as IDX", &diagnose(idx, ""));
    let temporary = tempfile::tempdir().unwrap();
    assert_healthy("two classes as a folder", &diagnose(&folder(temporary.path()), ""));
}

#[test]
fn each_planted_fault_ranks_first() {
    if idx().is_none() {
        return;
    }
    let temporary = tempfile::tempdir().unwrap();
    let folder = folder(temporary.path());
    let faults = [
        ("--no-shuffle", "unshuffled-batches"),
        ("--normalize none", "unnormalized-inputs"),
        ("--trainable fc2", "frozen-parameters"),
        ("--lr 1e-6", "learning-rate-too-low"),
        ("--lr 5", "learning-rate-too-high"),
        ("--init normal:1e-4", "bad-initialization"),
        ("--init zeros", "bad-initialization"),
        ("--init uniform:0:0.1", "bad-initialization"),
        ("--detach fc2", "gradients-missing"),
    ];
    let wrong: Vec<String> = faults
        .into_iter()
        .map(|(flags, expected)| (flags, expected, diagnose(&folder, flags)))
        .filter(|(_, expected, diagnosis)| top(diagnosis) != *expected)
        .map(|(flags, expected, diagnosis)| format!("{flags}: {} first, not {expected} ({})", top(&diagnosis), diagnosis.headline))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn two_faults_that_mask_each_other_are_both_in_the_fixes() {
    let Some(idx) = idx() else { return };
    let diagnosis = diagnose(idx, "--classes 0,6 --lr 1e-6 --init normal:0.001");
    let fixes: Vec<&str> = diagnosis.fixes.iter().map(|fix| fix.check.as_str()).collect();
    assert!(fixes.contains(&"learning-rate-too-low") && fixes.contains(&"bad-initialization"), "{fixes:?}: {}", diagnosis.headline);
    assert!(diagnosis.verdicts.iter().any(|v| v.status == Status::Contributing), "neither helps alone");
}
