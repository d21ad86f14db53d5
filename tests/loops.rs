//! Scripts of the kind people post on forums, each with one mistake in its own loop: run as the user runs them, the mistake is found with its
//! line, and nothing is held against the mended script.
#![cfg(feature = "engine")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use nanprobe::diagnosis::Diagnosis;
use nanprobe_checks::Severity;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn diagnose(script: &Path) -> Result<Diagnosis, String> {
    let python = root().join(".venv/bin/python");
    assert!(python.exists(), "{} is missing; `make setup-tests` makes it", python.display());
    let text = std::fs::read_to_string(script).unwrap();
    // A script for several processes says how it is to be started.
    let ranks = text.lines().take(2).find_map(|line| line.strip_prefix("# torchrun "));
    let mut command = Command::new(if ranks.is_some() { python.with_file_name("torchrun") } else { python });
    command.args(ranks.iter().flat_map(|options| options.split(' ')));
    let output = command
        .args(["-m", "nanprobe", "--format", "json"])
        // What ranks do to each other is read from their records: experiments decide nothing about it.
        .args(if ranks.is_some() { ["--budget", "5s"].as_slice() } else { &["--quick"] })
        .arg(script)
        .env("PYTHONPATH", root().join("python"))
        .env("NANPROBE_BIN", env!("CARGO_BIN_EXE_nanprobe"))
        // Two scripts run at a time.
        .env("OMP_NUM_THREADS", "1")
        .current_dir(script.parent().unwrap())
        .output()
        .unwrap();
    serde_json::from_slice(&output.stdout).map_err(|error| format!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
}

/// The check and the line that a broken script's first line names: `# finds: CHECK at TEXT`.
fn expected(script: &Path) -> (String, u32) {
    let text = std::fs::read_to_string(script).unwrap();
    let (check, wanted) = text.lines().next().and_then(|line| line.strip_prefix("# finds: ")?.split_once(" at ")).unwrap();
    let line = text.lines().skip(1).position(|line| line.contains(wanted)).unwrap_or_else(|| panic!("{}: no `{wanted}`", script.display()));
    (check.to_owned(), line as u32 + 2)
}

fn found(script: &Path) -> Result<(), String> {
    let diagnosis = diagnose(script)?;
    let (check, line) = expected(script);
    let top = diagnosis.verdicts.iter().find(|verdict| verdict.rank == Some(1));
    let Some(top) = top else { return Err(format!("nothing is found, not {check}: {}", diagnosis.headline)) };
    let place = top.location.as_ref().and_then(|location| location.line);
    // What is wrong with the data has no line of its own.
    let placed = place == Some(line) || (check == "uninformative-labels" && place.is_none());
    if top.check == check && placed {
        Ok(())
    } else {
        Err(format!("{} at line {place:?}, not {check} at {line}: {}", top.check, diagnosis.headline))
    }
}

fn silent(script: &Path) -> Result<(), String> {
    let diagnosis = diagnose(script)?;
    let held = diagnosis.verdicts.iter().filter(|verdict| verdict.rank.is_some() && verdict.severity >= Some(Severity::Warning));
    let held: Vec<String> = held.map(|verdict| format!("{} ({})", verdict.check, verdict.measured)).collect();
    if held.is_empty() { Ok(()) } else { Err(format!("holds {} against it: {}", held.join(", "), diagnosis.headline)) }
}

/// Runs `check` on the scripts of that name, two at a time, and fails with all that it says.
fn on_each(name: &str, check: impl Fn(&Path) -> Result<(), String> + Sync) {
    let mut scripts: Vec<PathBuf> = root()
        .join("fixtures/loops")
        .read_dir()
        .unwrap()
        .map(|folder| folder.unwrap().path().join(name))
        .filter(|path| path.exists())
        .collect();
    scripts.sort();
    assert!(scripts.len() >= 20, "{} scripts", scripts.len());
    let (waiting, wrong) = (Mutex::new(scripts), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let Some(script) = waiting.lock().unwrap().pop() else { break };
                    if let Err(what) = check(&script) {
                        wrong.lock().unwrap().push(format!("{}: {what}", script.strip_prefix(root()).unwrap().display()));
                    }
                }
            });
        }
    });
    let mut wrong = wrong.into_inner().unwrap();
    wrong.sort();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_mistake_in_a_loop_ranks_first_with_the_users_line() {
    on_each("broken.py", found);
}

#[test]
fn nothing_is_held_against_a_mended_script() {
    on_each("mended.py", silent);
}
