//! What other repositories take from this one by name: the GitHub action and the pre-commit hook.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

fn yaml(file: &str) -> Value {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
    serde_yaml_ng::from_str(&text).unwrap()
}

fn steps(action: &Value) -> Vec<&Value> {
    action["runs"]["steps"].as_array().unwrap().iter().collect()
}

fn step<'a>(action: &'a Value, id: &str) -> &'a Value {
    steps(action).into_iter().find(|step| step["id"] == id).unwrap()
}

/// The names in `${{ inputs.NAME }}` below a value.
fn inputs_used(value: &Value) -> BTreeSet<String> {
    let used = regex::Regex::new(r"\$\{\{\s*inputs\.([\w-]+)\s*\}\}").unwrap();
    used.captures_iter(&value.to_string()).map(|found| found[1].to_owned()).collect()
}

#[test]
fn every_input_is_declared_used_and_explained() {
    let action = yaml("action.yml");
    let declared: BTreeSet<String> = action["inputs"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(inputs_used(&action["runs"]), declared);
    let guide = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/ci.md")).unwrap();
    for (name, input) in action["inputs"].as_object().unwrap() {
        assert!(input["description"].as_str().is_some_and(|text| text.len() > 20) && input["default"].is_string(), "{name}");
        assert!(guide.contains(&format!("| `{name}` |")), "{name} is not in docs/ci.md");
    }
}

#[test]
fn no_input_is_pasted_into_a_shell_and_every_shell_is_bash_that_parses() {
    let action = yaml("action.yml");
    for step in steps(&action) {
        let script = step["run"].as_str().unwrap();
        assert!(!script.contains("${{"), "an expression in a script is code: {script}");
        assert_eq!(step["shell"], "bash");
        let parsed = Command::new("bash").args(["-n", "-c", script]).status().unwrap();
        assert!(parsed.success(), "{script}");
    }
}

/// A folder in which a step of the action runs as a runner would run it, with a program that stands for nanprobe.
struct Runner(TempDir);

impl Runner {
    fn new(nanprobe: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let program = folder.path().join("my nanprobe");
        fs::write(&program, nanprobe).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        Self(folder)
    }

    /// Runs a step with its inputs in the environment.
    fn step(&self, id: &str, env: &[(&str, &str)]) -> Output {
        let action = yaml("action.yml");
        let mut command = Command::new("bash");
        command.args(["-c", step(&action, id)["run"].as_str().unwrap()]).current_dir(self.0.path()).env_clear();
        command.envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        for file in ["GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"] {
            command.env(file, self.0.path().join(file));
        }
        command.envs(env.iter().copied()).output().unwrap()
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.0.path().join(file)).unwrap_or_default()
    }

    fn program(&self) -> String {
        self.0.path().join("my nanprobe").display().to_string()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_run_of_the_action_annotates_summarises_and_ends_as_nanprobe_does() {
    let runner = Runner::new(&format!("#!/bin/sh\nexec '{}' \"$@\"\n", env!("CARGO_BIN_EXE_nanprobe")));
    let evidence = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("checks/tests/healthy.jsonl")).unwrap();
    let (before, after) = evidence.split_once("\"dominance\": 0.5691").unwrap();
    fs::write(runner.0.path().join("evidence.jsonl"), format!("{before}\"dominance\": 1.0{after}")).unwrap();
    let program = runner.program();
    let built = runner.step("build", &[("GIVEN", "my nanprobe"), ("EVIDENCE", ""), ("SOURCE", "/nowhere")]);
    assert!(built.status.success(), "{built:?}");
    assert_eq!(runner.read("GITHUB_OUTPUT"), format!("binary={program}\n"));
    let env = [
        ("BINARY", program.as_str()),
        ("ARGS", "--all\n  --ignore labels"),
        ("EVIDENCE", "evidence.jsonl"),
        ("FAIL_ON", ""),
        ("REPORTS", "my reports"),
    ];
    let run = runner.step("run", &env);
    let log = text(&run.stdout);
    assert_eq!(run.status.code(), Some(1), "{run:?}");
    assert!(log.contains("what to do") && log.contains("\n::error file=train.py,line=9,title=unshuffled-batches"), "{log}");
    assert!(runner.read("GITHUB_STEP_SUMMARY").starts_with("## nanprobe"));
    assert!(runner.read("GITHUB_OUTPUT").contains("exit-code=1\nreports=/"), "{}", runner.read("GITHUB_OUTPUT"));
    for file in ["report.json", "report.sarif", "report.xml", "report.html", "summary.md"] {
        assert!(!runner.read(&format!("my reports/{file}")).is_empty(), "{file}");
    }
    let lenient = [&env[..3], &[("FAIL_ON", "never"), ("REPORTS", "my reports")]].concat();
    assert_eq!(runner.step("run", &lenient).status.code(), Some(0));
}

#[test]
fn arguments_are_split_at_blanks_and_never_run_or_expanded() {
    let runner = Runner::new("#!/bin/sh\nprintf '<%s>\\n' \"$@\"\nexit 2\n");
    let args = "--data $(touch pwned) `touch pwned` ; touch pwned * --lr 1e-3";
    let env = [("BINARY", runner.program()), ("ARGS", args.to_owned()), ("EVIDENCE", String::new())];
    let mut env: Vec<(&str, &str)> = env.iter().map(|(key, value)| (*key, value.as_str())).collect();
    env.extend([("FAIL_ON", "never; touch pwned"), ("REPORTS", "reports; touch pwned")]);
    let run = runner.step("run", &env);
    let log = text(&run.stdout);
    assert_eq!(run.status.code(), Some(2), "{run:?}");
    assert!(
        log.starts_with("<diagnose>\n<--data>\n<$(touch>\n<pwned)>\n<`touch>\n<pwned`>\n<;>\n<touch>\n<pwned>\n<*>\n<--lr>\n<1e-3>\n"),
        "{log}"
    );
    assert!(log.contains("<never; touch pwned>") && log.contains("::error title=nanprobe::no report (exit code 2)"), "{log}");
    assert!(!runner.0.path().join("pwned").exists());
}

#[test]
fn the_hook_judges_with_what_it_says_and_runs_for_the_files_it_names() {
    let hooks = yaml(".pre-commit-hooks.yaml");
    let hook = &hooks.as_array().unwrap()[0];
    assert_eq!(
        (&hook["entry"], &hook["language"], &hook["pass_filenames"]),
        (&"nanprobe judge --quiet".into(), &"system".into(), &false.into())
    );
    let files = regex::Regex::new(hook["files"].as_str().unwrap()).unwrap();
    for (file, runs) in
        [("evidence.jsonl", true), ("ci/evidence.jsonl", true), ("nanprobe.toml", true), ("train.py", false), ("evidence.jsonl.md", false)]
    {
        assert_eq!(files.is_match(file), runs, "{file}");
    }
}
