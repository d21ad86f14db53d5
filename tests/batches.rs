//! Tables, token ids and several inputs, with models that were exported together with their criterion.
#![cfg(feature = "engine")]

use std::path::Path;
use std::process::Command;

use nanprobe::diagnosis::Diagnosis;
use nanprobe_checks::recipe::Loss;

fn diagnose(case: &str) -> Diagnosis {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = root.join(".venv/bin/python");
    assert!(python.exists(), "{} is missing; `make setup-tests` makes it", python.display());
    let folder = tempfile::tempdir().unwrap();
    let script = root.join("tests/oracle/batches.py");
    assert!(Command::new(python).arg(script).arg(case).arg(folder.path()).status().unwrap().success(), "batches.py {case} failed");
    let output = Command::new(env!("CARGO_BIN_EXE_nanprobe"))
        .args(["diagnose", "--format", "json", "--quiet", "--budget", "10m", "--optimizer", "adam", "--lr", "3e-3"])
        .args(["--batches", "batches.safetensors", "--model", "model.pt2"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{case}: {error}: {}", String::from_utf8_lossy(&output.stderr)))
}

fn loss(diagnosis: &Diagnosis) -> Option<Loss> {
    diagnosis.job.as_ref().map(|job| job.recipe.loss)
}

fn first(diagnosis: &Diagnosis) -> &str {
    diagnosis.fixes.first().map_or("nothing", |fix| fix.check.as_str())
}

#[test]
fn sound_trainings_on_tables_token_ids_and_several_inputs_are_left_alone() {
    for (case, kind) in [
        ("smoothed", Loss::CrossEntropy),
        ("column", Loss::Bce),
        ("focal", Loss::Exported),
        ("two-inputs", Loss::CrossEntropy),
        ("tokens", Loss::CrossEntropy),
    ] {
        let diagnosis = diagnose(case);
        assert_eq!(loss(&diagnosis), Some(kind), "{case}");
        assert!(diagnosis.headline.starts_with("Nothing is wrong"), "{case}: {}", diagnosis.headline);
    }
}

#[test]
fn a_table_of_raw_columns_needs_standardising() {
    let diagnosis = diagnose("raw");
    assert_eq!(first(&diagnosis), "unnormalized-inputs", "{}", diagnosis.headline);
    assert!(diagnosis.fixes.last().is_some_and(|fix| fix.accuracy.0 > 0.9), "{}", diagnosis.headline);
}

#[test]
fn a_sigmoid_before_the_models_own_bce_with_logits_is_found() {
    let diagnosis = diagnose("sigmoid-twice");
    assert_eq!((loss(&diagnosis), first(&diagnosis)), (Some(Loss::BceWithLogits), "activation-on-logits"), "{}", diagnosis.headline);
}

#[test]
fn a_column_of_outputs_broadcast_against_a_row_of_targets_does_not_learn() {
    let diagnosis = diagnose("broadcast");
    assert_eq!(loss(&diagnosis), Some(Loss::Mse));
    let accuracy = diagnosis.symptom.as_ref().map(|symptom| symptom.balanced_accuracy.0);
    assert!(accuracy.is_some_and(|accuracy| accuracy < 0.6), "the user's own criterion is what is trained with: {accuracy:?}");
}
