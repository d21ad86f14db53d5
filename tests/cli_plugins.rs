//! Plug-ins from outside: what they answer joins the report, and what goes wrong with one is named and costs nothing else.

#![cfg(unix)]

mod place;

use std::fs;
use std::time::{Duration, Instant};

use nanprobe_checks::checks;
use place::{Place, healthy, unshuffled, verdict};
use serde_json::{Value, json};

/// A `nanprobe.toml` with a plug-in for each script of `sh`.
fn scripts(scripts: &[(&str, &str)]) -> String {
    let entry = |(name, script): &(&str, &str)| {
        let script = toml::Value::String((*script).to_owned());
        format!("[[plugin]]\nname = \"{name}\"\ncommand = [\"sh\", \"-c\", {script}]\ntimeout = 5\n\n")
    };
    scripts.iter().map(entry).collect()
}

fn example() -> String {
    fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/plugin.py")).unwrap()
}

const WITH_EXAMPLE: &str = "[[plugin]]\nname = \"tiny-batches\"\ncommand = [\"python3\", \"plugin.py\"]\n";

/// Answers one warning under the plug-in's own name, with an edit to try.
const WARNS: &str = r#"cat > /dev/null; echo '{"schema": "nanprobe.verdicts/1", "verdicts": [{"status": "suspect", "severity": "warning",
    "strength": 0.5, "message": "it is Friday", "measured": "day 5 of 7", "fix": "wait", "remedy": {"edit": "shuffle"}}]}'"#;

#[test]
fn the_example_in_python_finds_batches_that_are_too_small() {
    let place = Place::new().with("plugin.py", example()).with("e.jsonl", healthy());
    let place = place.with("nanprobe.toml", WITH_EXAMPLE);
    let clear = place.run(&["judge", "e.jsonl", "--format", "json"]).json();
    assert_eq!((&verdict(&clear, "tiny-batches")["status"], &clear["run"]["problems"]), (&json!("clear"), &json!([])));
    assert_eq!(clear["verdicts"].as_array().unwrap().len(), checks().count() + 1);
    place.run(&["explain", "tiny-batches"]).refuses(&["is judged by a plug-in (nanprobe.toml:1), `python3 plugin.py`"]);
    let place = place.with("nanprobe.toml", format!("{WITH_EXAMPLE}[plugin.config]\nleast = 64\n"));
    let run = place.run(&["judge", "e.jsonl", "--fail-on", "warning"]);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.stdout.contains("tiny-batches") && run.flat().contains("at least 64"), "{run:?}");
    let without = place.with("e.jsonl", "").run(&["judge", "e.jsonl", "--format", "json"]).json();
    assert_eq!(verdict(&without, "tiny-batches")["message"], "batch-labels was not measured");
}

#[test]
fn a_finding_of_a_plug_in_is_one_like_any_other() {
    let place = Place::new().with("e.jsonl", healthy()).with("nanprobe.toml", scripts(&[("weekday", WARNS)]));
    let json = place.run(&["judge", "e.jsonl", "--format", "json"]).json();
    let found = verdict(&json, "weekday");
    assert_eq!((&found["status"], &found["family"], &found["rank"]), (&json!("suspected"), &json!("plugin"), &json!(1)));
    assert_eq!(found["edit"], json!({ "edit": "shuffle" }));
    let accepted = "[[accept]]\ncheck = \"weekday\"\nreason = \"it is\"\ndate = 2026-01-31\n";
    let place = place.with("nanprobe.toml", scripts(&[("weekday", WARNS)]) + accepted);
    assert_eq!(place.run(&["judge", "e.jsonl", "--fail-on", "warning"]).code, Some(0));
}

#[test]
fn select_and_ignore_take_plug_ins_and_what_is_left_out_is_not_started() {
    let starts = format!("touch started; {WARNS}");
    let place = Place::new().with("e.jsonl", healthy()).with("nanprobe.toml", scripts(&[("weekday", &starts)]));
    for args in [&["--ignore", "weekday"], &["--ignore", "plugin"], &["--select", "model"]] {
        let json = place.run(&[&["judge", "e.jsonl", "--format", "json"], &args[..]].concat()).json();
        assert!(json["verdicts"].as_array().unwrap().iter().all(|verdict| verdict["family"] != "plugin"), "{args:?}");
        assert!(!place.path().join("started").exists(), "{args:?}");
    }
    for select in ["weekday", "plugin"] {
        let json = place.run(&["judge", "e.jsonl", "--format", "json", "--select", select]).json();
        assert_eq!(json["verdicts"].as_array().unwrap().len(), 1, "{select}");
    }
    assert!(place.path().join("started").exists());
    place.run(&["judge", "e.jsonl", "--select", "weekdays"]).refuses(&["did you mean `weekday`?"]);
}

#[test]
fn whatever_goes_wrong_in_one_is_named_and_the_rest_survives() {
    let broken = [
        ("crashes", "echo 'boom: no such column' >&2; kill -SEGV $$", &["died of signal 11", "boom: no such column"][..]),
        ("refuses", "echo nope >&2; exit 3", &["ended with exit code 3", "it wrote: nope"]),
        ("babbles", "echo hello world", &["answered no `nanprobe.verdicts/1` object", "hello world"]),
        ("stops", "printf '{\"schema\": \"nanprobe.verdicts/1\", \"verdicts\": ['", &["answered only a part of a JSON object"]),
        ("mumbles", "cat > /dev/null", &["answered nothing on standard output"]),
        ("floods", "yes", &["wrote more than 8 MB"]),
        ("ages", "echo '{\"schema\": \"nanprobe.verdicts/0\", \"verdicts\": []}'", &["in the version `nanprobe.verdicts/0`"]),
        ("half", "echo '{\"schema\": \"nanprobe.verdicts/1\", \"verdicts\": [{\"status\": \"bad\"}]}'", &["number 1, that cannot be read"]),
    ];
    let mut all: Vec<(&str, &str)> = broken.iter().map(|(name, script, _)| (*name, *script)).collect();
    all.push(("weekday", WARNS));
    let place = Place::new().with("e.jsonl", unshuffled()).with("nanprobe.toml", scripts(&all));
    let run = place.run(&["judge", "e.jsonl", "--format", "json"]);
    assert_eq!(run.code, Some(1), "{run:?}");
    let json = run.json();
    let problems: Vec<&str> = json["run"]["problems"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(problems.len(), broken.len(), "{problems:#?}");
    for ((name, _, says), problem) in broken.iter().zip(problems) {
        for text in [&format!("plug-in `{name}` (nanprobe.toml:")].into_iter().map(String::as_str).chain(says.iter().copied()) {
            assert!(problem.contains(text), "`{text}` is not in: {problem}");
        }
    }
    assert_eq!(verdict(&json, "unshuffled-batches")["status"], "suspected");
    assert_eq!(verdict(&json, "weekday")["status"], "suspected");
}

#[test]
fn one_that_hangs_is_stopped_with_all_it_started() {
    let hangs = "[[plugin]]\nname = \"hangs\"\ncommand = [\"sh\", \"-c\", \"(sleep 3; touch mark) & sleep 60\"]\ntimeout = 1\n";
    let place = Place::new().with("e.jsonl", unshuffled()).with("nanprobe.toml", hangs);
    let start = Instant::now();
    let run = place.run(&["judge", "e.jsonl"]);
    assert!(run.code == Some(1) && start.elapsed() < Duration::from_secs(30), "{run:?}");
    assert!(run.flat().contains("plug-in `hangs` (nanprobe.toml:1) took longer than 1 s and was stopped"), "{run:?}");
    std::thread::sleep(Duration::from_secs(4));
    assert!(!place.path().join("mark").exists(), "its child lives on");
}

#[test]
fn a_command_is_looked_for_beside_the_file_or_in_path_and_a_missing_one_is_named() {
    let toml = "[[plugin]]\nname = \"a\"\ncommand = [\"./tools/a.sh\"]\n[[plugin]]\nname = \"b\"\ncommand = [\"no-such-program\"]\n";
    let place =
        Place::new().with("nanprobe.toml", toml).with("tools/a.sh", format!("#!/bin/sh\n{WARNS}\n")).with("deeper/e.jsonl", healthy());
    let script = place.path().join("tools/a.sh");
    let mut permissions = fs::metadata(&script).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o755);
    fs::set_permissions(&script, permissions).unwrap();
    let mut run = std::process::Command::new(env!("CARGO_BIN_EXE_nanprobe"));
    let output = run.current_dir(place.path().join("deeper")).args(["judge", "e.jsonl", "--format", "json"]).output().unwrap();
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(verdict(&json, "a")["status"], "suspected", "{json}");
    let problem = json["run"]["problems"][0].as_str().unwrap();
    assert!(problem.contains("plug-in `b`") && problem.contains("cannot be started"), "{problem}");
}

#[test]
fn the_guide_shows_the_files_that_are_tested() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = root.join("docs/writing-a-check.md");
    let text = fs::read_to_string(&path).unwrap();
    let mut wanted = Vec::new();
    let mut shown = 0;
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        wanted.push(format!("{line}\n"));
        let Some(name) = line.strip_prefix("<!-- ").and_then(|rest| rest.strip_suffix(" -->")) else { continue };
        let fence = lines.next().unwrap();
        lines.by_ref().find(|line| *line == "```").unwrap();
        wanted.push(format!("{fence}\n{}```\n", fs::read_to_string(root.join(name)).unwrap()));
        shown += 1;
    }
    assert_eq!(shown, 2, "examples on the page");
    let wanted = wanted.concat();
    if std::env::var_os("NANPROBE_UPDATE").is_some_and(|value| value == "1") {
        fs::write(&path, &wanted).unwrap();
    }
    assert!(
        fs::read_to_string(&path).unwrap() == wanted,
        "docs/writing-a-check.md is stale; run NANPROBE_UPDATE=1 cargo test --test cli_plugins"
    );
}
