//! Runs `fixtures/matrix.toml`: sound trainings, planted faults single and double, decoys. Prints a Markdown report.
//!
//!     python3 fixtures/write_matrix_data.py DIR
//!     cargo run --release --example fault_matrix -- DIR [--seeds N] [--only TEXT] [--verify]
//!
//! Each case is the whole program, run as its user runs it: nothing of the case's name or its expectation reaches it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::Parser;
use nanprobe::cli::{Cli, Command as CliCommand};
use nanprobe::config::Settings;
use nanprobe::demo;
use nanprobe::diagnosis::{Criterion, Diagnosis, Status, Verdict};
use nanprobe::probe::{ProbeError, Sink, open_longer, trial};
use nanprobe::worker::Exam;
use nanprobe_checks::evidence::Record;
use nanprobe_checks::stats::wilson;
use nanprobe_checks::{Remedy, Severity};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use serde::Deserialize;

const MATRIX: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/matrix.toml");

#[derive(Parser)]
struct Args {
    /// Where write_matrix_data.py wrote to; planted variants are written below it
    data: PathBuf,
    /// Seeds of each case
    #[arg(long, default_value_t = 1)]
    seeds: u64,
    /// Only bases whose name contains this
    #[arg(long, default_value = "")]
    only: String,
    /// Train with and without each remedy that was tried, five times longer and from other seeds, and compare with what was said of it
    #[arg(long)]
    verify: bool,
}

#[derive(Deserialize)]
struct Matrix {
    base: Vec<Base>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Base {
    name: String,
    flags: String,
    faults: Vec<Fault>,
    healthy: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fault {
    #[serde(default)]
    flags: String,
    plant: Option<Plant>,
    causes: Vec<String>,
    #[serde(default)]
    or: Vec<String>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Plant {
    RandomLabels,
    IdenticalInputs,
    Imbalance,
    Truncated,
}

/// What a case came to.
#[derive(Default)]
struct Tally {
    singles: u64,
    top1: u64,
    top3: u64,
    reciprocal: f64,
    doubles: u64,
    both: u64,
    healthy: u64,
    alarms: u64,
    twins: u64,
    silent: u64,
    seconds: Vec<f64>,
    causes: BTreeMap<String, u64>,
    wrong: Vec<String>,
    /// The first cause of each case, seed by seed.
    first: BTreeMap<String, Vec<String>>,
    steps: u64,
    training: f64,
    verify: Option<Verified>,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let matrix: Matrix = toml::from_str(&fs::read_to_string(MATRIX)?)?;
    let shapes = args.data.join("shapes");
    if !shapes.exists() {
        let healthy = demo::healthy()?;
        let base = healthy.iter().find(|fixture| fixture.name == "base").context("fixtures/healthy/base.toml is missing")?;
        let folder = args.data.join("shapes.demo");
        base.prepare(&folder, 0)?;
        fs::rename(folder.join("train"), &shapes)?;
    }
    let mut tally = Tally { verify: args.verify.then(Verified::default), ..Tally::default() };
    for base in matrix.base.iter().filter(|base| base.name.contains(&args.only)) {
        for seed in 0..args.seeds {
            run_base(&args.data, base, seed, &mut tally)?;
        }
    }
    report(&tally, args.seeds);
    Ok(())
}

fn run_base(data: &Path, base: &Base, seed: u64, tally: &mut Tally) -> Result<()> {
    let twin = diagnose(data, &merge(&base.flags, ""), seed, tally)?;
    judge_healthy(&format!("{} (seed {seed})", base.name), &twin, tally);
    for fault in &base.faults {
        let mut flags = merge(&base.flags, &fault.flags);
        if let Some(kind) = fault.plant {
            let source = flags.get("--data").context("a base without --data")?.clone();
            flags.insert("--data".to_owned(), plant(data, &source, kind, seed)?);
        }
        let shown = flags.iter().map(|(k, v)| format!("{k} {v}")).collect::<Vec<_>>().join(" ");
        let diagnosis = diagnose(data, &flags, seed, tally)?;
        judge_fault(&format!("{shown} (seed {seed})"), fault, &diagnosis, tally);
        for cause in &fault.causes {
            tally.twins += 1;
            tally.silent += u64::from(!against(&twin).any(|v| v.check == *cause));
        }
    }
    for decoy in &base.healthy {
        let diagnosis = diagnose(data, &merge(&base.flags, decoy), seed, tally)?;
        judge_healthy(&format!("{} {decoy} (seed {seed})", base.name), &diagnosis, tally);
    }
    Ok(())
}

/// The base's flags, with those of the case in their place.
fn merge(base: &str, over: &str) -> BTreeMap<String, String> {
    let mut flags = BTreeMap::new();
    for text in [base, over] {
        let words: Vec<&str> = text.split_whitespace().collect();
        for (index, word) in words.iter().enumerate().filter(|(_, word)| word.starts_with("--")) {
            let value = words.get(index + 1).filter(|next| !next.starts_with("--")).unwrap_or(&"");
            flags.insert((*word).to_owned(), (*value).to_owned());
        }
    }
    flags
}

fn diagnose(data: &Path, flags: &BTreeMap<String, String>, seed: u64, tally: &mut Tally) -> Result<Diagnosis> {
    let program = std::env::current_exe()?.parent().and_then(Path::parent).context("no build folder")?.join("nanprobe");
    let start = Instant::now();
    let output = Command::new(&program)
        .args(["diagnose", "--format", "json", "--quiet", "--seed", &seed.to_string()])
        .args(flags.iter().flat_map(|(flag, value)| [flag, value]).filter(|word| !word.is_empty()))
        .current_dir(data)
        .output()
        .with_context(|| format!("cannot run {}; build it with `cargo build --release`", program.display()))?;
    tally.seconds.push(start.elapsed().as_secs_f64());
    let diagnosis: Diagnosis = match serde_json::from_slice(&output.stdout) {
        Ok(diagnosis) => diagnosis,
        Err(error) => bail!("{flags:?}: {error}: {}", String::from_utf8_lossy(&output.stderr)),
    };
    tally.steps += diagnosis.run.trained.steps;
    tally.training += diagnosis.run.trained.seconds;
    let first = diagnosis.verdicts.iter().find(|v| v.rank == Some(1)).map_or("nothing", |v| v.check.as_str());
    tally.first.entry(format!("{flags:?}")).or_default().push(first.to_owned());
    if let Some(verified) = &mut tally.verify {
        verify(data, flags, seed, &diagnosis, verified)?;
    }
    Ok(diagnosis)
}

/// Verdicts of experiments against trainings five times longer, from other seeds.
#[derive(Default)]
struct Verified {
    helps: u64,
    helps_right: u64,
    harmless: u64,
    harmless_right: u64,
    wrong: Vec<String>,
}

/// How much longer the trainings are.
const LONGER: usize = 5;
/// Seeds of them, counted from this one.
const OTHER_SEEDS: u64 = 1000;
/// A difference in balanced accuracy that two seeds of 400 held-out samples can show.
const DIFFERENCE: f64 = 0.05;

/// Says nothing.
struct Silent;

impl Sink for Silent {
    fn record(&mut self, _: Record) -> Result<(), ProbeError> {
        Ok(())
    }

    fn stage(&mut self, _: &str) {}
}

/// Trains with and without the remedy of each verdict that an experiment made.
///
/// "Confirmed" and "contributing" are right if with the remedy the long training ends no worse than without and reaches what the short one promised;
/// "harmless" is right if the remedy still buys less than [`DIFFERENCE`].
fn verify(data: &Path, flags: &BTreeMap<String, String>, seed: u64, diagnosis: &Diagnosis, verified: &mut Verified) -> Result<()> {
    let other = (seed + OTHER_SEEDS).to_string();
    let words = flags.iter().flat_map(|(flag, value)| [flag.as_str(), value.as_str()]).filter(|word| !word.is_empty());
    let cli = Cli::try_parse_from(["nanprobe", "diagnose", "--seed", &other].into_iter().chain(words))?;
    let CliCommand::Diagnose(args) = cli.command else { bail!("not a diagnosis") };
    let mut settings = Settings::resolve(&args.job, None, data)?;
    settings.data.path = data.join(&settings.data.path);
    let mut lab = None;
    let edit = |check: &str| diagnosis.verdicts.iter().find(|v| v.check == check).and_then(|v| v.edit.clone());
    let mut known: BTreeMap<String, f64> = BTreeMap::new();
    for verdict in diagnosis.verdicts.iter().filter(|v| v.explained_by.is_none()) {
        let (Some(effect), Some(remedy)) = (&verdict.effect, &verdict.edit) else { continue };
        let Some(with) = effect.with.iter().map(|check| edit(check)).collect::<Option<Vec<Remedy>>>() else { continue };
        let helps = matches!(verdict.status, Status::Confirmed | Status::Contributing);
        // A rate that catches up in a longer training was found to do so.
        if !helps && verdict.status != Status::Harmless || effect.longer.is_some() {
            continue;
        }
        if lab.is_none() {
            lab = Some(open_longer(&settings, LONGER, &mut Silent)?);
        }
        let Some(lab) = &lab else { continue };
        let exam = if effect.decided_by == Criterion::ByHeart { Exam::ByHeart } else { Exam::HeldOut };
        let mut accuracy = |remedies: &[Remedy]| -> Result<f64> {
            let key = format!("{exam:?} {}", serde_json::to_string(remedies)?);
            if let Some(known) = known.get(&key) {
                return Ok(*known);
            }
            let reached = nanprobe::experiment::accuracy(&trial(lab, exam, remedies, 0..2)?.runs);
            known.insert(key, reached);
            Ok(reached)
        };
        let treated: Vec<Remedy> = with.iter().chain([remedy]).cloned().collect();
        let (before, after) = (accuracy(&with)?, accuracy(&treated)?);
        let right = if helps {
            verified.helps += 1;
            let right = after >= before - DIFFERENCE && after >= effect.after.0 - DIFFERENCE;
            verified.helps_right += u64::from(right);
            right
        } else {
            verified.harmless += 1;
            let right = after - before < DIFFERENCE;
            verified.harmless_right += u64::from(right);
            right
        };
        if !right {
            verified.wrong.push(format!(
                "{flags:?} (seed {seed}): {} {} said {:.2} -> {:.2}, five times longer gives {before:.2} -> {after:.2}",
                verdict.status.name(),
                verdict.check,
                effect.before.0,
                effect.after.0
            ));
        }
    }
    Ok(())
}

/// What is held against a job, at warning or above.
fn against(diagnosis: &Diagnosis) -> impl Iterator<Item = &Verdict> {
    let counts = |v: &&Verdict| v.status.is_finding() && v.explained_by.is_none() && v.severity >= Some(Severity::Warning);
    diagnosis.verdicts.iter().filter(counts)
}

fn judge_healthy(what: &str, diagnosis: &Diagnosis, tally: &mut Tally) {
    let found: Vec<&str> = against(diagnosis).map(|v| v.check.as_str()).collect();
    tally.healthy += 1;
    if !found.is_empty() {
        tally.alarms += 1;
        tally.wrong.push(format!("{what}: healthy, yet {} ({})", found.join(", "), diagnosis.headline));
    }
    eprintln!("{} {what}", if found.is_empty() { "ok   " } else { "ALARM" });
}

fn judge_fault(what: &str, fault: &Fault, diagnosis: &Diagnosis, tally: &mut Tally) {
    let right =
        |check: &str, cause: &str| check == cause || (fault.or.iter().any(|or| or == check) && !fault.causes.iter().any(|c| c == check));
    let ranked: Vec<&Verdict> = diagnosis.verdicts.iter().filter(|v| v.rank.is_some()).collect();
    let ok = if let [cause] = fault.causes.as_slice() {
        *tally.causes.entry(cause.clone()).or_default() += 1;
        let place = ranked.iter().position(|v| right(&v.check, cause));
        tally.singles += 1;
        tally.top1 += u64::from(place == Some(0));
        tally.top3 += u64::from(place.is_some_and(|place| place < 3));
        tally.reciprocal += place.map_or(0.0, |place| 1.0 / (place + 1) as f64);
        place == Some(0)
    } else {
        let helped = |v: &&&Verdict| matches!(v.status, Status::Confirmed | Status::Contributing) && v.explained_by.is_none();
        let named = |cause: &String| {
            ranked.iter().filter(helped).any(|v| right(&v.check, cause)) || diagnosis.fixes.iter().any(|f| right(&f.check, cause))
        };
        let both = fault.causes.iter().all(named);
        tally.doubles += 1;
        tally.both += u64::from(both);
        both
    };
    if !ok {
        let found: Vec<String> = ranked.iter().take(3).map(|v| format!("{} {}", v.status.name(), v.check)).collect();
        tally.wrong.push(format!("{what}: expected {}, got [{}]: {}", fault.causes.join(" + "), found.join(", "), diagnosis.headline));
    }
    eprintln!("{} {what}", if ok { "ok   " } else { "WRONG" });
}

/// Writes a variant of an image folder and returns its name; one that is there is taken as it is.
fn plant(data: &Path, source: &str, kind: Plant, seed: u64) -> Result<String> {
    let name = match kind {
        Plant::RandomLabels => format!("{source}.random-labels.{seed}"),
        Plant::IdenticalInputs => format!("{source}.identical"),
        Plant::Imbalance => format!("{source}.imbalance"),
        Plant::Truncated => format!("{source}.truncated"),
    };
    let target = data.join(&name);
    if target.exists() {
        return Ok(name);
    }
    let mut folders: Vec<PathBuf> = fs::read_dir(data.join(source))?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    folders.sort();
    let mut files: Vec<(usize, PathBuf)> = Vec::new();
    for (class, folder) in folders.iter().enumerate() {
        let mut inside: Vec<PathBuf> = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
        inside.sort();
        files.extend(inside.into_iter().map(|file| (class, file)));
    }
    let mut rng = StdRng::seed_from_u64(seed);
    let mut labels: Vec<usize> = files.iter().map(|(class, _)| *class).collect();
    if matches!(kind, Plant::RandomLabels) {
        labels.shuffle(&mut rng);
    }
    let first = fs::read(&files.first().context("an empty data set")?.1)?;
    for (index, ((class, file), label)) in files.iter().zip(labels).enumerate() {
        let folder = target.join(folders[label].file_name().context("a folder without a name")?);
        fs::create_dir_all(&folder)?;
        let mut bytes = if matches!(kind, Plant::IdenticalInputs) { first.clone() } else { fs::read(file)? };
        if matches!(kind, Plant::Truncated) && rng.random_bool(0.3) {
            bytes.truncate(bytes.len() / 2);
        }
        if !(matches!(kind, Plant::Imbalance) && *class > 0 && rng.random_bool(0.96)) {
            fs::write(folder.join(format!("{index:06}.{}", file.extension().unwrap_or_default().to_string_lossy())), bytes)?;
        }
    }
    Ok(name)
}

fn report(tally: &Tally, seeds: u64) {
    let share = |hits: u64, of: u64| {
        let interval = wilson(hits, of);
        format!(
            "{hits} of {of} ({:.0}%, 95% {:.0}..{:.0})",
            100.0 * hits as f64 / of.max(1) as f64,
            100.0 * interval.low,
            100.0 * interval.high
        )
    };
    let constant = tally.causes.iter().max_by_key(|(_, count)| **count);
    let mut seconds = tally.seconds.clone();
    seconds.sort_by(f64::total_cmp);
    let at = |share: f64| seconds.get(((seconds.len() as f64 - 1.0) * share) as usize).copied().unwrap_or_default();
    println!("| measure | result ({seeds} seed{}) |\n| --- | --- |", if seeds == 1 { "" } else { "s" });
    println!("| single faults, cause ranked first | {} |", share(tally.top1, tally.singles));
    println!("| among the first three | {} |", share(tally.top3, tally.singles));
    println!("| mean reciprocal rank | {:.3} |", tally.reciprocal / tally.singles.max(1) as f64);
    if let Some((check, count)) = constant {
        println!("| always answering `{check}`, ranked first | {} |", share(*count, tally.singles));
    }
    println!("| double faults, both among the fixes | {} |", share(tally.both, tally.doubles));
    println!("| healthy runs with nothing at warning or above | {} |", share(tally.healthy - tally.alarms, tally.healthy));
    println!("| named causes silent on the mended twin | {} |", share(tally.silent, tally.twins));
    println!("| seconds a run: median, 90th percentile, longest | {:.0}, {:.0}, {:.0} |", at(0.5), at(0.9), at(1.0));
    let agreeing = |firsts: &Vec<String>| firsts.iter().filter(|first| *first == mode(firsts)).count() as u64;
    let (agree, all) = (tally.first.values().map(agreeing).sum(), tally.first.values().map(|firsts| firsts.len() as u64).sum());
    println!("| the same first cause as most seeds of the case | {} |", share(agree, all));
    let spent: f64 = tally.seconds.iter().sum();
    println!("| all runs: training steps, seconds, of these in training steps | {}, {spent:.0}, {:.0} |", tally.steps, tally.training);
    if let Some(verified) = &tally.verify {
        println!(
            "| \"confirmed\" and \"contributing\" right after five times the steps | {} |",
            share(verified.helps_right, verified.helps)
        );
        println!("| \"harmless\" right after five times the steps | {} |", share(verified.harmless_right, verified.harmless));
    }
    let wrong: Vec<&String> = tally.wrong.iter().chain(tally.verify.iter().flat_map(|verified| &verified.wrong)).collect();
    if !wrong.is_empty() {
        println!("\nWhat went wrong:\n");
        for line in wrong {
            println!("- {line}");
        }
    }
}

/// The commonest of some names.
fn mode(names: &[String]) -> &str {
    let count = |name: &str| names.iter().filter(|other| *other == name).count();
    names.iter().map(String::as_str).max_by_key(|name| count(name)).unwrap_or_default()
}
