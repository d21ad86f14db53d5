//! `nanprobe completions` and `nanprobe man`: made from the definition of the command line.

use std::path::Path;

use anyhow::{Context, Result};
use clap::CommandFactory;
use nanprobe::cli::{Cli, Completions, Man};

use super::show;

pub fn completions(args: &Completions) -> Result<u8> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "nanprobe", &mut script);
    show(&String::from_utf8(script).context("the completions are no text")?)
}

pub fn man(args: &Man) -> Result<u8> {
    let Some(folder) = &args.dir else {
        let mut page = Vec::new();
        clap_mangen::Man::new(Cli::command()).render(&mut page).context("cannot make the page")?;
        return show(&String::from_utf8(page).context("the page is no text")?);
    };
    write_pages(folder).with_context(|| format!("cannot write the pages into {}", folder.display()))?;
    show(&format!("wrote the pages of nanprobe and its subcommands to {}\n", folder.display()))
}

fn write_pages(folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    clap_mangen::generate_to(Cli::command(), folder)
}
