//! The program: parse, run, exit code.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use nanprobe::cli::{Cli, Command};
use nanprobe::exit;

mod command;

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(code) => ExitCode::from(code),
        Err(error) if command::is_closed_pipe(&error) => ExitCode::from(exit::CLEAN),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(exit::USAGE)
        }
    }
}

fn run(command: Command) -> Result<u8> {
    let cwd = std::env::current_dir().context("cannot tell the working directory")?;
    match command {
        Command::Diagnose(args) => command::diagnose::run(&args, &cwd),
        Command::Measure(args) => command::measure::run(&args, &cwd),
        Command::Judge(args) => command::judge::run(&args, &cwd),
        Command::Report(args) => command::report::run(&args, &cwd),
        Command::Diff(args) => command::diff::run(&args),
        Command::Checks => command::checks::run(),
        Command::Explain(args) => command::explain::run(&args, &cwd),
        Command::Model(args) => command::model::run(&args),
        Command::Demo(args) => command::demo::run(&args, &cwd),
        Command::Init(args) => command::init::run(&args),
        Command::Config(args) => command::config::run(&args, &cwd),
        Command::Accept(args) => command::accept::run(&args, &cwd),
        Command::Schema(args) => command::schema::run(&args),
        Command::Completions(args) => command::shell::completions(&args),
        Command::Man(args) => command::shell::man(&args),
    }
}
