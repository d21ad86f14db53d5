//! `nanprobe init`.

use anyhow::Result;
use nanprobe::cli::Init;

use super::show;

pub fn run(args: &Init) -> Result<u8> {
    let (path, seen) = nanprobe::init::init(&args.dir)?;
    let lines = seen.in_words().join("\n  ");
    show(&format!("wrote {}\n  {lines}\nlook through it, then: nanprobe diagnose\n", path.display()))
}
