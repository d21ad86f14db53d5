//! Mistakes in a model of the user's own: found, with the line of their source.
#![cfg(feature = "engine")]

use std::path::Path;
use std::process::Command;

use nanprobe::demo;
use nanprobe::diagnosis::{Diagnosis, Status, Verdict};

const SOURCE: &str = include_str!("oracle/planted.py");

fn export(fault: &str, path: &Path, options: &[&str]) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = root.join(".venv/bin/python");
    assert!(python.exists(), "{} is missing; `make setup-tests` makes it", python.display());
    let status = Command::new(python).arg(root.join("tests/oracle/planted.py")).arg(fault).arg(path).args(options).status().unwrap();
    assert!(status.success(), "planted.py {fault} failed");
}

/// The line that carries the comment `planted: FAULT`.
fn line(fault: &str) -> u32 {
    let planted = format!("# planted: {fault}");
    SOURCE.lines().position(|line| line.ends_with(&planted)).unwrap() as u32 + 1
}

fn diagnose(folder: &Path, model: &Path, budget: &str) -> Diagnosis {
    let output = Command::new(env!("CARGO_BIN_EXE_nanprobe"))
        .args(["diagnose", "--format", "json", "--quiet", "--budget", budget, "--lr", "0.05", "--normalize", "0.5/0.5", "--data", "train"])
        .arg("--model")
        .arg(model)
        .current_dir(folder)
        .output()
        .unwrap();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
}

fn planted(fault: &str) -> Diagnosis {
    planted_with(fault, &[], "10m")
}

/// Diagnoses the planted model on the demo's pictures, in a folder without `nanprobe.toml`.
fn planted_with(fault: &str, options: &[&str], budget: &str) -> Diagnosis {
    let folder = tempfile::tempdir().unwrap();
    demo::healthy().unwrap()[0].prepare(&folder.path().join("demo"), 0).unwrap();
    std::fs::rename(folder.path().join("demo/train"), folder.path().join("train")).unwrap();
    let model = folder.path().join("model.pt2");
    export(fault, &model, options);
    diagnose(folder.path(), &model, budget)
}

fn verdict<'a>(diagnosis: &'a Diagnosis, check: &str) -> &'a Verdict {
    diagnosis.verdicts.iter().find(|v| v.check == check).unwrap()
}

#[test]
fn a_mistake_is_found_with_the_users_own_line() {
    for (fault, check) in [
        ("softmax", "activation-on-logits"),
        ("sigmoid", "activation-on-logits"),
        ("relu", "activation-on-logits"),
        ("detach", "gradients-missing"),
        ("no-grad", "gradients-missing"),
        ("frozen", "frozen-parameters"),
        ("view", "batch-mixing"),
    ] {
        let diagnosis = planted(fault);
        let verdict = verdict(&diagnosis, check);
        assert!(!matches!(verdict.status, Status::Clear | Status::NotMeasured), "{fault}: {check} says {}", verdict.measured);
        let location = verdict.location.as_ref().unwrap_or_else(|| panic!("{fault}: {check} has no location"));
        assert!(location.file.as_deref().is_some_and(|file| file.ends_with("planted.py")), "{fault}: {location:?}");
        assert_eq!(location.line, Some(line(fault)), "{fault}: {location:?}");
        if matches!(fault, "detach" | "no-grad" | "view") {
            assert_eq!(verdict.rank, Some(1), "{fault}: {}", diagnosis.headline);
        }
    }
}

#[test]
fn a_sound_model_learns_and_nothing_is_held_against_it() {
    let diagnosis = planted("none");
    assert!(diagnosis.headline.starts_with("Nothing is wrong"), "{}", diagnosis.headline);
}

#[test]
fn an_image_size_that_the_file_leaves_open_is_lowered_for_the_budget() {
    let diagnosis = planted_with("none", &["open"], "4s");
    let lowered = &diagnosis.run.conditions.lowered;
    assert!(lowered.iter().any(|what| what.starts_with("image size 224 -> ")), "{lowered:?}");
    let size = diagnosis.job.as_ref().map(|job| job.recipe.image_size);
    assert!(size.is_some_and(|size| (32..224).contains(&size)), "{size:?}");
}
