//! Every planted fault is found because the experiment shows it, and healthy trainings are left alone:
//! the whole program, run as its user runs it.
#![cfg(feature = "engine")]

use std::path::Path;
use std::process::Command;
use std::sync::Mutex;

use nanprobe::demo::{self, Fixture};
use nanprobe::diagnosis::{Diagnosis, Status};
use nanprobe_checks::Severity;

fn diagnose(fixture: &Fixture, folder: &Path) -> Diagnosis {
    fixture.prepare(folder, 0).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_nanprobe"))
        .args(["diagnose", "--format", "json", "--quiet", "--budget", "10m"])
        .current_dir(folder)
        .output()
        .unwrap();
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{}: {error}: {}", fixture.name, String::from_utf8_lossy(&output.stderr)))
}

/// Runs `check` on every fixture, two at a time, and fails with all that it says.
fn on_each(fixtures: Vec<Fixture>, check: impl Fn(&Fixture, &Diagnosis) -> Result<(), String> + Sync) {
    let waiting = Mutex::new(fixtures);
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let Some(fixture) = waiting.lock().unwrap().pop() else { break };
                    let folder = tempfile::tempdir().unwrap();
                    let diagnosis = diagnose(&fixture, folder.path());
                    if let Err(what) = check(&fixture, &diagnosis) {
                        wrong.lock().unwrap().push(format!("{}: {what}\n   headline: {}", fixture.name, diagnosis.headline));
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_planted_fault_is_found_and_its_cause_ranks_first() {
    on_each(demo::faults().unwrap(), |fixture, diagnosis| {
        let finds = fixture.finds.as_deref().unwrap_or(fixture.name);
        let found = diagnosis.verdicts.iter().any(|v| v.check == finds && !matches!(v.status, Status::Clear | Status::NotMeasured));
        let expected = fixture.top.as_deref().unwrap_or(finds);
        let top = diagnosis.verdicts.iter().find(|v| v.rank == Some(1)).map_or("nothing", |v| v.check.as_str());
        match (found, top == expected) {
            (true, true) => Ok(()),
            (false, _) => Err(format!("{finds} is not among the findings; first is {top}")),
            (true, false) => Err(format!("{top} ranks first, not {expected}")),
        }
    });
}

#[test]
fn the_same_seed_on_one_thread_gives_the_same_verdict_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    demo::find("learning-rate-too-low").unwrap().prepare(folder.path(), 0).unwrap();
    let run = || {
        let output = Command::new(env!("CARGO_BIN_EXE_nanprobe"))
            .args(["diagnose", "--format", "json", "--quiet", "--budget", "10m"])
            .env("OMP_NUM_THREADS", "1")
            .current_dir(folder.path())
            .output()
            .unwrap();
        let mut diagnosis: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        // Only the time it took may differ.
        let run = diagnosis["run"].as_object_mut().unwrap();
        run.remove("spent");
        run["trained"].as_object_mut().unwrap().remove("seconds");
        diagnosis
    };
    assert_eq!(run(), run());
}

#[test]
fn healthy_trainings_learn_and_nothing_is_held_against_them() {
    on_each(demo::healthy().unwrap(), |_, diagnosis| {
        let against = diagnosis.verdicts.iter().filter(|v| v.status.is_finding() && v.explained_by.is_none());
        let against: Vec<&str> = against.filter(|v| v.severity >= Some(Severity::Warning)).map(|v| v.check.as_str()).collect();
        let symptom = diagnosis.symptom.as_ref().ok_or("no symptom was measured")?;
        if !against.is_empty() {
            return Err(format!("held against it: {}", against.join(", ")));
        }
        let learns = symptom.balanced_accuracy.0 > symptom.chance.0 + 0.2;
        if learns { Ok(()) } else { Err(format!("it stays at {:.2}", symptom.balanced_accuracy.0)) }
    });
}
