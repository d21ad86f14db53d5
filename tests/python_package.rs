//! The Python package's own tests: nothing of the user's is changed, everything is found, every command answers. They need no engine; they
//! stand here because they need the tests' Python, which `make setup-tests` makes.
#![cfg(feature = "engine")]

use std::path::Path;
use std::process::Command;

#[test]
fn the_packages_own_tests_pass() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = root.join(".venv/bin/python");
    assert!(python.exists(), "{} is missing; `make setup-tests` makes it", python.display());
    // What the scripts of fixtures/loops record is seen in tests/loops.rs, by what is found.
    let output = Command::new(python)
        .args(["-m", "pytest", "-q", "-p", "no:cacheprovider", "--ignore", "tests/test_scripts.py", "tests"])
        .env("NANPROBE_BIN", env!("CARGO_BIN_EXE_nanprobe"))
        .env("OMP_NUM_THREADS", "1")
        .current_dir(root.join("python"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
}
