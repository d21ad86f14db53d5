//! The command line: parse, run, exit code.

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use nanprobe::cli::{Cli, Command, Demo, Diagnose, Explain, Format, Judge, Measure, Model, Report, ReportArgs};
use nanprobe::config::{FailOn, GateSettings, Settings};
use nanprobe::diagnosis::Diagnosis;
#[cfg(feature = "engine")]
use nanprobe::report::Progress;
use nanprobe::report::{self, TableOptions};
use nanprobe::{demo, exit};
use nanprobe_checks::Evidence;

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(code) => ExitCode::from(code),
        Err(error) if is_closed_pipe(&error) => ExitCode::from(exit::CLEAN),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(exit::USAGE)
        }
    }
}

fn run(command: Command) -> Result<u8> {
    let cwd = std::env::current_dir().context("cannot tell the working directory")?;
    match command {
        Command::Diagnose(diagnose) => run_diagnose(&diagnose, &cwd),
        Command::Measure(measure) => run_measure(&measure, &cwd),
        Command::Judge(judge) => run_judge(&judge, &cwd),
        Command::Report(report) => run_report(&report),
        Command::Checks => show(&report::list_checks(report::terminal_width(), color())),
        Command::Explain(explain) => run_explain(&explain, &cwd),
        Command::Model(model) => run_model(&model),
        Command::Demo(demo) => run_demo(&demo),
    }
}

fn run_diagnose(args: &Diagnose, cwd: &Path) -> Result<u8> {
    if let Some(script) = &args.script {
        return Ok(nanprobe::script::run(script, args.job.budget, args.job.quick, args.report.format)?);
    }
    let settings = Settings::resolve(&args.job, Some(&args.report), cwd)?;
    let recorded = args.evidence.as_deref().map_or_else(|| Ok(Evidence::default()), stored)?;
    let diagnosis = diagnose(&settings, recorded, args.report.quiet)?;
    give(&diagnosis, &args.report, settings.gate.fail_on)
}

#[cfg(feature = "engine")]
fn diagnose(settings: &Settings, recorded: Evidence, quiet: bool) -> Result<Diagnosis> {
    // The first Ctrl-C ends the measuring process and reports what is known; the second ends this one.
    ctrlc::set_handler(|| {
        if nanprobe::worker::running() {
            nanprobe::worker::stop();
        } else {
            std::process::exit(130);
        }
    })
    .context("cannot listen for Ctrl-C")?;
    let progress = Progress::new(quiet);
    let diagnosis = nanprobe::diagnose::diagnose(settings, recorded, &mut |stage| progress.stage(stage));
    progress.finish();
    Ok(diagnosis)
}

#[cfg(not(feature = "engine"))]
fn diagnose(_: &Settings, _: Evidence, _: bool) -> Result<Diagnosis> {
    anyhow::bail!(
        "this nanprobe was built without its engine and cannot train; build it with `cargo build --release`, or judge stored evidence with `nanprobe judge FILE`"
    )
}

/// Evidence to standard output, progress to standard error.
#[cfg(feature = "engine")]
struct Stream(Progress);

#[cfg(feature = "engine")]
impl nanprobe::probe::Sink for Stream {
    fn record(&mut self, record: nanprobe_checks::evidence::Record) -> Result<(), nanprobe::probe::ProbeError> {
        let write = |error: String| nanprobe::probe::ProbeError::Write(error);
        let line = serde_json::to_string(&record).map_err(|error| write(error.to_string()))?;
        writeln!(std::io::stdout(), "{line}").map_err(|error| write(error.to_string()))
    }

    fn stage(&mut self, text: &str) {
        self.0.stage(text);
    }
}

#[cfg(feature = "engine")]
fn run_measure(args: &Measure, cwd: &Path) -> Result<u8> {
    if args.worker {
        nanprobe::probe::serve(std::io::stdin().lock(), std::io::stdout().lock())?;
        return Ok(exit::CLEAN);
    }
    let settings = Settings::resolve(&args.job, None, cwd)?;
    let mut stream = Stream(Progress::new(false));
    let lab = nanprobe::probe::measure(&settings, &mut stream)?;
    nanprobe::probe::controls(&lab, &mut stream)?;
    Ok(exit::CLEAN)
}

#[cfg(not(feature = "engine"))]
fn run_measure(_: &Measure, _: &Path) -> Result<u8> {
    anyhow::bail!("this nanprobe was built without its engine and cannot measure; build it with `cargo build --release`")
}

fn run_judge(args: &Judge, cwd: &Path) -> Result<u8> {
    let settings = GateSettings::resolve(Some(&args.report), args.config.as_deref(), cwd)?;
    let diagnosis = nanprobe::diagnose::judge_stored(&stored(&args.file)?, &settings.gate, &settings.limits);
    give(&diagnosis, &args.report, settings.gate.fail_on)
}

fn run_report(args: &Report) -> Result<u8> {
    let text = read(&args.file)?;
    let diagnosis = serde_json::from_str(&text).with_context(|| {
        format!("{} is no report of this version; write one with `nanprobe diagnose --format json`", args.file.display())
    })?;
    give(&diagnosis, &args.report, args.report.fail_on.unwrap_or_default())
}

/// The text of a file; `-` is standard input.
fn read(path: &Path) -> Result<String> {
    if path.as_os_str() == "-" {
        std::io::read_to_string(std::io::stdin()).context("cannot read standard input")
    } else {
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
    }
}

/// The evidence in a file.
fn stored(path: &Path) -> Result<Evidence> {
    let text = read(path)?;
    nanprobe::diagnose::stored(&text).map_err(|(line, error)| anyhow::anyhow!("{} line {line}: {error}", path.display()))
}

fn run_explain(args: &Explain, cwd: &Path) -> Result<u8> {
    let check = nanprobe_checks::find(&args.check).with_context(|| {
        let nearest = nanprobe_checks::checks()
            .map(nanprobe_checks::AnyCheck::name)
            .min_by_key(|name| strsim::damerau_levenshtein(name, &args.check));
        format!("unknown check `{}`; did you mean `{}`? `nanprobe checks` lists them", args.check, nearest.unwrap_or_default())
    })?;
    let settings = GateSettings::resolve(None, args.config.as_deref(), cwd)?;
    show(&report::explain(check, settings.limits.get(check.name()), report::terminal_width(), color()))
}

#[cfg(feature = "engine")]
fn run_model(args: &Model) -> Result<u8> {
    let contents = nanprobe::inspect::inspect(&args.file)?;
    show(&report::model(&contents, report::terminal_width(), color()))
}

#[cfg(not(feature = "engine"))]
fn run_model(_: &Model) -> Result<u8> {
    anyhow::bail!("this nanprobe was built without its engine and cannot run a model; build it with `cargo build --release`")
}

fn run_demo(args: &Demo) -> Result<u8> {
    if args.list {
        let lines: Vec<String> = demo::faults()?.iter().map(|fault| format!("{:<28} {}\n", fault.name, fault.about)).collect();
        return show(&lines.concat());
    }
    let fault = demo::find(args.fault.as_deref().unwrap_or("unshuffled-batches"))?;
    let temporary = tempfile::tempdir().context("cannot make a temporary folder")?;
    let folder = args.keep.as_deref().unwrap_or(temporary.path());
    let settings = fault.prepare(folder, 0)?;
    eprintln!("planted: {} ({})", fault.name, fault.about);
    if args.keep.is_some() {
        eprintln!("the data and its nanprobe.toml are in {}", folder.display());
    }
    let diagnosis = diagnose(&settings, Evidence::default(), false)?;
    give(&diagnosis, &ReportArgs::default(), settings.gate.fail_on)
}

/// Writes the report where it is wanted and answers the exit code.
fn give(diagnosis: &Diagnosis, args: &ReportArgs, fail_on: FailOn) -> Result<u8> {
    let text = match args.format {
        Format::Json => report::json(diagnosis)? + "\n",
        Format::Table => {
            let color = args.output.is_none() && color();
            report::table(diagnosis, &TableOptions { width: report::terminal_width(), color, all: args.all, quiet: args.quiet })
        }
    };
    match &args.output {
        Some(path) => std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?,
        None => match show(&text) {
            // The reader is gone; the finding still stands.
            Err(error) if is_closed_pipe(&error) => {}
            shown => drop(shown?),
        },
    }
    Ok(exit::of(diagnosis, fail_on))
}

fn show(text: &str) -> Result<u8> {
    let mut out = anstream::stdout();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).context("cannot write to standard output")?;
    Ok(exit::CLEAN)
}

/// Whether the terminal takes colours; `anstream` strips them where it does not, and where `NO_COLOR` says so.
fn color() -> bool {
    std::io::stdout().is_terminal()
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.chain().filter_map(|cause| cause.downcast_ref::<std::io::Error>()).any(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}
