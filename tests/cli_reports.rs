//! Reports from outside: every format from one stored evidence, several from one run, two compared, and each exit code.

mod place;

use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use place::{Place, Run, healthy, unshuffled, verdict};
use serde_json::{Value, json};

fn read(place: &Place, file: &str) -> String {
    std::fs::read_to_string(place.path().join(file)).unwrap()
}

fn faulty() -> Place {
    Place::new().with("evidence.jsonl", unshuffled())
}

/// The healthy evidence in one report, that of a loader that does not shuffle in another.
fn two_reports() -> Place {
    let place = faulty().with("healthy.jsonl", healthy());
    for (evidence, report) in [("healthy.jsonl", "before.json"), ("evidence.jsonl", "after.json")] {
        place.run(&["judge", evidence, "-o", report]);
    }
    place
}

#[test]
fn one_run_writes_every_form_that_is_asked_for_and_shows_the_table() {
    let place = faulty();
    let files = ["r.json", "r.sarif", "r.xml", "r.md", "r.html", "r.txt"];
    let outputs: Vec<&str> = files.iter().flat_map(|file| ["-o", file]).collect();
    let run = place.run(&[&["judge", "evidence.jsonl", "-o", "-"], outputs.as_slice()].concat());
    assert_eq!((run.code, run.stderr.as_str()), (Some(1), ""), "{run:?}");
    assert_eq!(run.stdout, place.run(&["judge", "evidence.jsonl"]).stdout);
    for (file, begins) in files.iter().zip(["{", "{", "<?xml", "## nanprobe", "<!doctype html>", "headline: "]) {
        let text = read(&place, file);
        assert!(text.to_ascii_lowercase().starts_with(begins) && text.contains("unshuffled-batches"), "{file}: {text:.60}");
    }
    let sarif: Value = serde_json::from_str(&read(&place, "r.sarif")).unwrap();
    assert_eq!((&sarif["version"], &sarif["runs"][0]["invocations"][0]["exitCode"]), (&json!("2.1.0"), &json!(1)));
}

#[test]
fn every_format_is_made_of_stored_evidence() {
    let place = faulty();
    for format in ["table", "plain", "markdown", "github", "html", "json", "sarif", "junit"] {
        let run = place.run(&["judge", "evidence.jsonl", "--format", format]);
        assert!(run.code == Some(1) && run.stdout.contains("unshuffled-batches"), "{format}: {run:?}");
    }
}

#[test]
fn where_everything_goes_to_files_a_line_says_so_unless_it_is_to_be_quiet() {
    let place = faulty();
    let run = place.run(&["judge", "evidence.jsonl", "-o", "a.md", "-o", "b.sarif"]);
    assert_eq!(run.stdout, "");
    assert!(run.stderr.ends_with("wrote a.md, b.sarif\n"), "{run:?}");
    assert_eq!(place.run(&["judge", "evidence.jsonl", "-o", "a.md", "--quiet"]).stderr, "");
}

#[test]
fn a_report_that_could_not_be_written_is_refused_before_anything_is_done() {
    let place = faulty();
    let judge = |outputs: &[&str]| place.run(&[&["judge", "evidence.jsonl"], outputs].concat());
    judge(&["-o", "ok.md", "-o", "no/such/report.sarif"]).refuses(&["no/such/report.sarif", "the folder no/such does not exist"]);
    judge(&["-o", "report.sraif"]).refuses(&["cannot tell the form of report.sraif", ".sarif", "--format"]);
    judge(&["-o", "a.md", "-o", "a.md"]).refuses(&["a.md is given twice"]);
    assert!(!place.path().join("ok.md").exists());
    place.run(&["diagnose", "--data", ".", "--model", "resnet18", "-o", "no/such.md"]).refuses(&["the folder no does not exist"]);
}

#[test]
fn a_report_names_the_configuration_and_the_line_of_the_key() {
    let config = "[gate]\nfail-on = \"error\"\n\n[train]\nlr = 0.1\nshuffle = false\n";
    // Without what was seen of the user's loop, where its own line is known.
    let evidence: Vec<String> = unshuffled().lines().filter(|line| !line.contains("training-loop")).map(str::to_owned).collect();
    let place = Place::new().with(".git/HEAD", "").with("models/nanprobe.toml", config).with("models/e.jsonl", evidence.join("\n"));
    let run = place.run(&["judge", "models/e.jsonl", "--config", "models/nanprobe.toml", "--format", "json"]).json();
    assert_eq!(run["run"]["config"], "models/nanprobe.toml");
    assert_eq!(verdict(&run, "unshuffled-batches")["edit"], json!({ "edit": "shuffle" }));
    let annotated = place.run(&["judge", "models/e.jsonl", "--config", "models/nanprobe.toml", "--format", "github"]);
    assert!(annotated.stdout.contains("::error file=models/nanprobe.toml,line=6,title=unshuffled-batches"), "{annotated:?}");
}

#[test]
fn no_colour_and_no_bar_where_there_is_no_terminal_or_it_is_not_wanted() {
    let place = faulty();
    let run = place.run(&["judge", "evidence.jsonl"]);
    assert!(!run.stdout.contains('\u{1b}') && run.stderr.is_empty(), "{run:?}");
    let plain = place.run(&["judge", "evidence.jsonl", "--format", "plain"]).stdout;
    assert!(!plain.contains(['─', '█', '▁', '\u{1b}']), "{plain}");
}

#[test]
fn two_reports_are_compared_and_the_exit_code_says_what_for() {
    let place = two_reports();
    let broke = place.run(&["diff", "before.json", "after.json"]);
    assert_eq!(broke.code, Some(1), "{broke:?}");
    assert!(broke.stdout.starts_with("worse than before: new unshuffled-batches"), "{broke:?}");
    assert!(broke.flat().contains("within the noise") && broke.flat().contains("clear -> suspected error"), "{broke:?}");
    assert_eq!(place.run(&["diff", "before.json", "after.json", "--fail-on", "never"]).code, Some(0));
    let mended = place.run(&["diff", "after.json", "before.json", "--format", "markdown"]);
    assert_eq!(mended.code, Some(0), "{mended:?}");
    assert!(mended.stdout.contains("| gone | `unshuffled-batches` |"), "{mended:?}");
    let same = place.run(&["diff", "after.json", "after.json", "--format", "json"]);
    assert_eq!((same.code, &same.json()["changes"]), (Some(0), &json!([])));
    assert_eq!(same.json()["schema"], nanprobe::diff::SCHEMA);
}

#[test]
fn what_cannot_be_compared_is_refused_or_too_little() {
    let place = two_reports().with("nothing.jsonl", "").with("words.json", "hello");
    let mut other: Value = serde_json::from_str(&read(&place, "after.json")).unwrap();
    other["schema"] = json!("nanprobe.diagnosis/0");
    let place = place.with("other.json", other.to_string());
    place.run(&["diff", "before.json", "gone.json"]).refuses(&["cannot read gone.json"]);
    place.run(&["diff", "before.json", "words.json"]).refuses(&["words.json is no report of this version"]);
    place.run(&["diff", "before.json", "other.json"]).refuses(&["other.json", "nanprobe.diagnosis/0"]);
    place.run(&["diff", "-", "-"]).refuses(&["both reports cannot come from standard input"]);
    place.run(&["judge", "nothing.jsonl", "-o", "nothing.json"]);
    let lost = place.run(&["diff", "after.json", "nothing.json"]);
    assert_eq!(lost.code, Some(3), "{lost:?}");
    assert!(lost.stdout.contains("too little was measured now") && lost.stdout.contains("no longer measured"), "{lost:?}");
}

/// A Python that answers as the package does: with a report, and the exit code that it is told.
fn watched(place: &Place, code: u8, args: &[&str]) -> Option<i32> {
    let python = place.path().join("python");
    std::fs::write(&python, format!("#!/bin/sh\ncase \"$*\" in *json*) cat after.json ;; *) echo its own table ;; esac\nexit {code}\n"))
        .unwrap();
    std::fs::set_permissions(&python, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_nanprobe"));
    command.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path))).env("NANPROBE_PYTHON", python);
    let output = command.current_dir(place.path()).args(["diagnose", "--script", "train.py"]).args(args).output().unwrap();
    std::fs::write(place.path().join("stdout"), output.stdout).unwrap();
    output.status.code()
}

#[test]
fn a_watched_script_is_reported_in_any_form_and_its_crash_stays_one() {
    let place = two_reports().with("train.py", "");
    assert_eq!(watched(&place, 1, &[]), Some(1));
    assert_eq!(read(&place, "stdout"), "its own table\n");
    assert_eq!(watched(&place, 1, &["-o", "-", "-o", "watched.sarif"]), Some(1));
    assert!(read(&place, "stdout").contains("what to do") && read(&place, "watched.sarif").contains("unshuffled-batches"));
    assert_eq!(watched(&place, 1, &["--format", "plain", "--fail-on", "never"]), Some(0));
    assert_eq!(watched(&place, 2, &["--format", "plain", "--fail-on", "never"]), Some(2));
}

/// The exit codes that the guide lists, each with what was done to get it.
fn cases() -> Vec<(&'static str, Option<i32>)> {
    let place = faulty().with("healthy.jsonl", healthy()).with("nothing.jsonl", "");
    let code = |args: &[&str]| {
        let Run { code, .. } = place.run(args);
        code
    };
    vec![
        ("0", code(&["judge", "healthy.jsonl"])),
        ("1", code(&["judge", "evidence.jsonl"])),
        ("2", code(&["judge", "no-such-file.jsonl"])),
        ("3", code(&["judge", "nothing.jsonl"])),
        ("130", interrupted()),
    ]
}

/// What a shell would say of a run that Ctrl-C ends while it waits for its input.
fn interrupted() -> Option<i32> {
    let mut child = Command::new(env!("CARGO_BIN_EXE_nanprobe"))
        .args(["judge", "-"])
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // It reads until its input ends, so it is waiting whenever the signal comes.
    child.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let status = child.wait().unwrap();
    status.signal().map(|signal| 128 + signal).or(status.code())
}

#[test]
fn every_row_of_the_guides_table_of_exit_codes_is_what_happens() {
    let guide = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/ci.md")).unwrap();
    let (_, table) = guide.split_once("| exit code |").unwrap();
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let listed: Vec<&str> = rows.map(|row| row.trim_matches('|').split('|').next().unwrap().trim()).collect();
    let cases = cases();
    assert_eq!(listed, cases.iter().map(|(row, _)| *row).collect::<Vec<_>>(), "a row without a case, or a case without a row");
    for (row, code) in cases {
        assert_eq!(code.map(|code| code.to_string()).as_deref(), Some(row));
    }
}

#[test]
fn a_report_where_evidence_is_wanted_is_called_one() {
    let place = faulty();
    place.run(&["judge", "evidence.jsonl", "-o", "report.json"]);
    place.run(&["judge", "report.json"]).refuses(&["report.json is a report, not evidence", "nanprobe report report.json"]);
}
