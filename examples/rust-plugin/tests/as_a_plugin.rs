//! The example as nanprobe runs it.

use nanprobe::config::GateSettings;
use nanprobe::diagnose::{judge_stored, stored};
use nanprobe::diagnosis::{Status, Verdict};
use nanprobe::plugin::{Plugin, TIMEOUT};
use serde_json::json;

fn verdict(least: u64) -> Verdict {
    let plugin = Plugin {
        name: "tiny-batches".to_owned(),
        command: vec![env!("CARGO_BIN_EXE_nanprobe-example-plugin").to_owned()],
        folder: std::path::PathBuf::new(),
        timeout: TIMEOUT,
        config: json!({ "least": least }).as_object().unwrap().clone(),
        place: "nanprobe.toml:1".to_owned(),
    };
    let evidence = stored(include_str!("../../../checks/tests/healthy.jsonl")).unwrap();
    let diagnosis = judge_stored(&evidence, &GateSettings { plugins: vec![plugin], ..GateSettings::default() });
    assert_eq!(diagnosis.run.problems, [""; 0]);
    diagnosis.verdicts.into_iter().find(|verdict| verdict.check == "tiny-batches").unwrap()
}

#[test]
fn batches_of_32_are_large_enough_unless_64_are_wanted() {
    assert_eq!(verdict(8).status, Status::Clear);
    let small = verdict(64);
    assert_eq!((small.status, small.family.as_str()), (Status::Suspected, "plugin"));
    assert_eq!(small.measured, "32 samples a batch, at least 64 are wanted");
}
