//! How long the program takes from stored evidence to each form of the report, as a whole process.
//!
//!     cargo bench --no-default-features --bench report_formats
//!
//! The aim is 100 ms for each. The forms take turns, so that a busy machine slows all of them alike.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use nanprobe::cli::Format;

const ROUNDS: usize = 15;

fn main() {
    let evidence = Path::new(env!("CARGO_MANIFEST_DIR")).join("checks/tests/healthy.jsonl");
    let names: Vec<String> =
        Format::value_variants().iter().filter_map(ValueEnum::to_possible_value).map(|value| value.get_name().to_owned()).collect();
    let mut times: Vec<Vec<Duration>> = vec![vec![]; names.len()];
    for _ in 0..ROUNDS {
        for (name, times) in names.iter().zip(&mut times) {
            let start = Instant::now();
            let status = Command::new(env!("CARGO_BIN_EXE_nanprobe"))
                .arg("judge")
                .arg(&evidence)
                .args(["--format", name])
                .stdout(Stdio::null())
                .status();
            times.push(start.elapsed());
            assert!(status.is_ok_and(|status| status.success()), "--format {name} failed");
        }
    }
    for (name, mut times) in names.into_iter().zip(times) {
        times.sort_unstable();
        println!("{name:<10} {:>6.1} ms (largest of {ROUNDS}: {:.1} ms)", ms(times[ROUNDS / 2]), ms(times[ROUNDS - 1]));
    }
}

fn ms(time: Duration) -> f64 {
    1e3 * time.as_secs_f64()
}
