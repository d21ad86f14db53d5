//! The program from outside: arguments and stored evidence in; text, files and exit codes out.
//!
//! Every run has an empty environment and a working directory of its own, so that neither the user's settings
//! nor a `nanprobe.toml` nearby have a say. Nothing here trains.

use std::fs;
use std::io::pipe;
use std::path::PathBuf;
use std::process::Output;

use assert_cmd::Command;
use nanprobe_checks::checks;
use serde_json::{Value, json};
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_nanprobe");

/// An empty folder to run the program in.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    /// A file in the folder.
    fn with(self, name: &str, text: impl AsRef<[u8]>) -> Self {
        fs::write(self.0.path().join(name), text).unwrap();
        self
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.path().join(name)).unwrap()
    }

    fn command(&self) -> std::process::Command {
        let mut command = std::process::Command::new(PROGRAM);
        command.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path))).current_dir(self.0.path());
        command
    }

    /// Runs the program; the exit code is for the caller to judge.
    fn run(&self, args: &[&str]) -> Run {
        self.run_with(args, "")
    }

    fn run_with(&self, args: &[&str], stdin: &str) -> Run {
        let Output { status, stdout, stderr } = Command::from_std(self.command()).args(args).write_stdin(stdin).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Run { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
    }
}

#[derive(Debug)]
struct Run {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Run {
    /// Asserts that the program refused: exit code 2, nothing on standard output, and all of `says` on standard error.
    #[track_caller]
    fn refuses(&self, says: &[&str]) {
        assert_eq!((self.code, self.stdout.as_str()), (Some(2), ""), "{}", self.stderr);
        for text in says {
            assert!(self.stderr.contains(text), "`{text}` is not in: {}", self.stderr);
        }
    }
}

fn healthy_path() -> String {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "checks", "tests", "healthy.jsonl"].iter().collect();
    path.to_str().unwrap().to_owned()
}

/// The healthy evidence, changed record by record.
fn evidence(change: impl Fn(&mut Value)) -> String {
    let text = fs::read_to_string(healthy_path()).unwrap();
    let changed = text.lines().map(|line| {
        let mut record: Value = serde_json::from_str(line).unwrap();
        change(&mut record);
        record.to_string() + "\n"
    });
    changed.collect()
}

/// Evidence of a loader that does not shuffle: an error by `unshuffled-batches`.
fn unshuffled() -> String {
    evidence(|record| {
        if record["measurement"] == "batch-labels" {
            record["value"]["dominance"] = json!(1.0);
        }
    })
}

fn verdict<'a>(diagnosis: &'a Value, check: &str) -> &'a Value {
    diagnosis["verdicts"].as_array().unwrap().iter().find(|verdict| verdict["check"] == check).unwrap()
}

#[test]
fn checks_lists_every_check() {
    let run = Place::new().run(&["checks"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    for check in checks() {
        assert!(run.stdout.lines().any(|line| line.split_whitespace().next() == Some(check.name())), "{}", check.name());
    }
    assert!(!run.stdout.contains('\x1b'), "colour where there is no terminal");
}

#[test]
fn explain_shows_the_doc_comment_and_the_limits() {
    let run = Place::new().run(&["explain", "unshuffled-batches"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    for text in ["unshuffled-batches (data)", "What it looks for", "shuffle=True", "excess_dominance = 0.5 (default)"] {
        assert!(run.stdout.contains(text), "`{text}` is not in: {}", run.stdout);
    }
}

#[test]
fn explain_shows_the_limits_that_a_configuration_sets() {
    let place = Place::new().with("nanprobe.toml", "[checks.unshuffled-batches]\nexcess_dominance = 0.75\n");
    let run = place.run(&["explain", "unshuffled-batches"]);
    assert!(run.stdout.contains("excess_dominance = 0.75 (default 0.5)"), "{run:?}");
}

#[test]
fn an_unknown_check_is_answered_with_the_nearest() {
    Place::new().run(&["explain", "unshufled-batch"]).refuses(&["unknown check `unshufled-batch`", "did you mean `unshuffled-batches`?"]);
    let healthy = healthy_path();
    Place::new().run(&["judge", &healthy, "--ignore", "dead-rely"]).refuses(&["--ignore", "`dead-rely`", "did you mean `dead-relu`?"]);
}

#[test]
fn an_unknown_model_is_answered_with_the_nearest() {
    let run = Place::new().run(&["diagnose", "--data", ".", "--model", "resnet81"]);
    run.refuses(&["unknown model `resnet81`", "did you mean `resnet18`?"]);
}

#[test]
fn healthy_evidence_passes() {
    let run = Place::new().run(&["judge", &healthy_path(), "--fail-on", "warning"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert_eq!(run.stderr, "");
}

#[test]
fn a_loop_that_nobody_recorded_is_no_pass_and_only_told_of_on_request() {
    let whole = fs::read_to_string(healthy_path()).unwrap();
    let lines: Vec<&str> = whole.lines().filter(|line| !line.contains("\"training-loop\"")).collect();
    let place = Place::new().with("evidence.jsonl", lines.join("\n"));
    assert!(!place.run(&["judge", "evidence.jsonl"]).stdout.contains("training-loop"));
    let all = place.run(&["judge", "evidence.jsonl", "--all"]);
    assert!(all.stdout.contains("not measured: training-loop is measured only on request"), "{all:?}");
    let json = place.run(&["judge", "evidence.jsonl", "--format", "json"]);
    let diagnosis: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(verdict(&diagnosis, "no-backward")["status"], "not-measured");
}

#[test]
fn a_fault_of_the_loop_names_the_line_and_a_loop_that_was_not_watched_is_not_judged() {
    let loop_with = |change: &dyn Fn(&mut Value)| {
        evidence(|record| {
            if record["measurement"] == "training-loop" {
                change(&mut record["value"]);
            }
        })
    };
    let never = Place::new().with("evidence.jsonl", loop_with(&|seen| seen["backwards"] = json!(0)));
    let run = never.run(&["judge", "evidence.jsonl", "--select", "loop"]);
    assert_eq!(run.code, Some(0), "a warning, for the training of this evidence learns: {run:?}");
    assert!(run.stdout.contains("no-backward") && run.stdout.contains("train.py:20"), "{run:?}");
    let unseen = Place::new().with("evidence.jsonl", loop_with(&|seen| seen["watched"] = json!(false)));
    let json = unseen.run(&["judge", "evidence.jsonl", "--format", "json"]);
    let diagnosis: Value = serde_json::from_str(&json.stdout).unwrap();
    let message = verdict(&diagnosis, "no-backward")["message"].as_str().unwrap().to_owned();
    assert_eq!(message, "training-loop (while it runs) was not measured");
    assert_eq!(verdict(&diagnosis, "train-validation-overlap")["status"], "clear");
}

#[test]
fn json_is_one_versioned_object_of_every_verdict() {
    let run = Place::new().run(&["judge", &healthy_path(), "--format", "json"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    let diagnosis: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(diagnosis["schema"], nanprobe::diagnosis::SCHEMA);
    assert!(diagnosis["headline"].as_str().is_some_and(|headline| !headline.is_empty()));
    assert!(diagnosis["symptom"].is_object() && diagnosis["run"].is_object(), "{diagnosis}");
    assert_eq!(diagnosis["verdicts"].as_array().unwrap().len(), checks().count());
    assert_eq!(diagnosis["run"]["problems"], json!([]));
}

#[test]
fn a_finding_fails_unless_it_may_not() {
    let place = Place::new().with("evidence.jsonl", unshuffled());
    let run = place.run(&["judge", "evidence.jsonl"]);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.stdout.contains("unshuffled-batches"), "{run:?}");
    assert_eq!(place.run(&["judge", "evidence.jsonl", "--fail-on", "never"]).code, Some(0));
    assert_eq!(place.run(&["judge", "evidence.jsonl", "--ignore", "unshuffled-batches"]).code, Some(0));
    assert_eq!(place.run(&["judge", "evidence.jsonl", "--select", "model"]).code, Some(0));
}

#[test]
fn a_configuration_sets_the_gate_and_the_limits_and_flags_win() {
    let place = Place::new().with("evidence.jsonl", unshuffled()).with("nanprobe.toml", "[gate]\nfail-on = \"never\"\n");
    assert_eq!(place.run(&["judge", "evidence.jsonl"]).code, Some(0));
    assert_eq!(place.run(&["judge", "evidence.jsonl", "--fail-on", "error"]).code, Some(1));
    let place = place.with("nanprobe.toml", "[checks.unshuffled-batches]\nexcess_dominance = 1.0\n");
    assert_eq!(place.run(&["judge", "evidence.jsonl"]).code, Some(0));
}

#[test]
fn evidence_is_read_from_standard_input() {
    let run = Place::new().run_with(&["judge", "-", "--format", "json"], &unshuffled());
    assert_eq!(run.code, Some(1), "{run:?}");
    let diagnosis: Value = serde_json::from_str(&run.stdout).unwrap();
    let verdict = verdict(&diagnosis, "unshuffled-batches");
    assert_eq!((&verdict["status"], &verdict["severity"]), (&json!("suspected"), &json!("error")));
}

#[test]
fn a_line_that_is_no_evidence_is_named_by_file_and_line() {
    let place = Place::new().with("evidence.jsonl", evidence(|_| {}) + "what is this\n");
    let lines = place.read("evidence.jsonl").lines().count();
    place.run(&["judge", "evidence.jsonl"]).refuses(&[&format!("evidence.jsonl line {lines}:"), "not an evidence record"]);
}

#[test]
fn evidence_of_another_version_says_what_to_do() {
    let text = evidence(|record| record["schema"] = json!("nanprobe.evidence/2"));
    let run = Place::new().with("evidence.jsonl", text).run(&["judge", "evidence.jsonl"]);
    run.refuses(&["evidence.jsonl line 1:", "`nanprobe.evidence/2`", "`nanprobe.evidence/1`", "measure again"]);
}

#[test]
fn a_measurement_of_another_shape_is_named() {
    let text = evidence(|record| {
        if record["measurement"] == "batch-labels" {
            record["value"] = json!({ "batch_size": "many" });
        }
    });
    Place::new().with("evidence.jsonl", text).run(&["judge", "evidence.jsonl"]).refuses(&["line 4:", "`batch-labels`"]);
}

#[test]
fn no_evidence_is_too_little_and_no_file_is_wrong_usage() {
    let place = Place::new().with("evidence.jsonl", "");
    for fail_on in ["error", "never"] {
        assert_eq!(place.run(&["judge", "evidence.jsonl", "--fail-on", fail_on]).code, Some(3), "{fail_on}");
    }
    place.run(&["judge", "evidense.jsonl"]).refuses(&["cannot read evidense.jsonl"]);
}

#[test]
fn a_broken_configuration_is_named_by_file_line_and_key() {
    let healthy = healthy_path();
    for (text, says) in [
        ("[gate]\nfail-on = \n", &["nanprobe.toml:2:", "fail-on"][..]),
        ("[gate]\n\nfail_on = \"error\"\n", &["nanprobe.toml:3:", "unknown key `fail_on`", "did you mean `fail-on`?"]),
        ("[gate]\nfail-on = \"note\"\n", &["nanprobe.toml:2:", "`gate.fail-on`", "warning"]),
        ("[checks.dead-relu]\ndead = 1\n", &["nanprobe.toml:2:", "dead"]),
        ("[checks.dead-rely]\n", &["nanprobe.toml:1:", "`dead-rely`", "did you mean `dead-relu`?"]),
    ] {
        Place::new().with("nanprobe.toml", text).run(&["judge", &healthy]).refuses(says);
    }
}

#[test]
fn a_form_of_data_that_is_not_known_is_answered_with_the_nearest() {
    let place = Place::new();
    place.run(&["diagnose", "--data", "x", "--model", "mlp", "--format-hint", "webdatset"]).refuses(&["--format-hint", "'webdataset'"]);
    let place = place.with("nanprobe.toml", "[data]\ndata = \"x\"\nformat-hint = \"array\"\n");
    place.run(&["diagnose", "--model", "mlp"]).refuses(&["nanprobe.toml:3:", "`data.format-hint`", "did you mean `arrays`?"]);
}

#[test]
fn the_report_goes_to_the_file_that_output_names() {
    let place = Place::new().with("evidence.jsonl", unshuffled());
    let run = place.run(&["judge", "evidence.jsonl", "--format", "json", "--output", "report.json"]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(1), ""), "{run:?}");
    let diagnosis: Value = serde_json::from_str(&place.read("report.json")).unwrap();
    assert_eq!(diagnosis["schema"], nanprobe::diagnosis::SCHEMA);
    place.run(&["judge", "evidence.jsonl", "--output", "no/such/folder.txt"]).refuses(&["cannot write no/such/folder.txt"]);
}

#[test]
fn a_stored_report_is_shown_as_it_was_and_anything_else_is_refused() {
    let place = Place::new().with("evidence.jsonl", unshuffled());
    let first = place.run(&["judge", "evidence.jsonl"]);
    place.run(&["judge", "evidence.jsonl", "--format", "json", "-o", "report.json"]);
    let again = place.run(&["report", "report.json"]);
    assert_eq!((again.code, again.stdout), (first.code, first.stdout));
    place.run(&["report", "evidence.jsonl"]).refuses(&["evidence.jsonl is no report of this version", "--format json"]);
}

#[test]
fn a_script_that_is_not_there_and_a_python_that_is_not_are_named() {
    let place = Place::new().with("train.py", "");
    place.run(&["diagnose", "--script", "nowhere.py:make"]).refuses(&["`nowhere.py` does not exist"]);
    place.run(&["diagnose", "--script", "train.py", "--data", "x"]).refuses(&["--data"]);
    let mut command = place.command();
    let output = command.env("NANPROBE_PYTHON", "no-such-python").args(["diagnose", "--script", "train.py"]).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(2) && error.contains("no-such-python") && error.contains("NANPROBE_PYTHON"), "{error}");
}

#[test]
fn a_reader_that_leaves_early_is_no_failure() {
    let (place, healthy) = (Place::new(), healthy_path());
    for args in [&["checks"][..], &["explain", "dead-relu"], &["demo", "--list"], &["judge", &healthy], &["--help"]] {
        let (reader, writer) = pipe().unwrap();
        drop(reader);
        let output = place.command().args(args).stdout(writer).output().unwrap();
        assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""), "{args:?}");
    }
}

#[test]
fn a_pipe_into_head_ends_quietly() {
    let script = format!("'{PROGRAM}' checks | head -1");
    let output = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), 1);
}

#[cfg(not(feature = "engine"))]
#[test]
fn without_the_engine_training_is_refused_with_the_way_out() {
    let place = Place::new();
    place.run(&["diagnose", "--data", ".", "--model", "resnet18"]).refuses(&["built without its engine", "nanprobe judge FILE"]);
    place.run(&["measure", "--data", ".", "--model", "resnet18"]).refuses(&["built without its engine", "cargo build"]);
}
