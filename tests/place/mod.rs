//! A folder of its own in which the program runs with an empty environment, so that neither the user's settings nor a
//! `nanprobe.toml` nearby have a say.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use assert_cmd::Command;
use serde_json::Value;
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_nanprobe");

/// An empty folder to run the program in.
pub struct Place(TempDir);

impl Place {
    pub fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    /// A file in the folder; folders above it are made.
    pub fn with(self, name: &str, text: impl AsRef<[u8]>) -> Self {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Runs the program; the exit code is for the caller to judge.
    pub fn run(&self, args: &[&str]) -> Run {
        let mut command = std::process::Command::new(PROGRAM);
        command.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path))).current_dir(self.path());
        let Output { status, stdout, stderr } = Command::from_std(command).args(args).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Run { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
    }
}

#[derive(Debug)]
pub struct Run {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    /// Standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Standard output on one line, for a table wraps its cells.
    pub fn flat(&self) -> String {
        self.stdout.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// Asserts that the program refused: exit code 2, nothing on standard output, and all of `says` on standard error.
    #[track_caller]
    pub fn refuses(&self, says: &[&str]) {
        assert_eq!((self.code, self.stdout.as_str()), (Some(2), ""), "{}", self.stderr);
        for text in says {
            assert!(self.stderr.contains(text), "`{text}` is not in: {}", self.stderr);
        }
    }
}

/// The healthy evidence.
pub fn healthy() -> String {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "checks", "tests", "healthy.jsonl"].iter().collect();
    fs::read_to_string(path).unwrap()
}

/// Evidence of a loader that does not shuffle: an error by `unshuffled-batches`.
pub fn unshuffled() -> String {
    let text = healthy();
    let changed = text.lines().map(|line| {
        let mut record: Value = serde_json::from_str(line).unwrap();
        if record["measurement"] == "batch-labels" {
            record["value"]["dominance"] = 1.0.into();
        }
        record.to_string() + "\n"
    });
    changed.collect()
}

pub fn verdict<'a>(diagnosis: &'a Value, check: &str) -> &'a Value {
    let verdicts = diagnosis["verdicts"].as_array().unwrap();
    verdicts.iter().find(|verdict| verdict["check"] == check).unwrap_or_else(|| panic!("no verdict of {check}"))
}
