//! `nanprobe model`.

use anyhow::Result;
use nanprobe::cli::Model;

#[cfg(feature = "engine")]
pub fn run(args: &Model) -> Result<u8> {
    use nanprobe::report::terminal;

    let contents = nanprobe::inspect::inspect(&args.file)?;
    super::show(&terminal::model(&contents, terminal::width(), super::color()))
}

#[cfg(not(feature = "engine"))]
pub fn run(_: &Model) -> Result<u8> {
    anyhow::bail!("this nanprobe was built without its engine and cannot run a model; build it with `cargo build --release`")
}
