//! `nanprobe schema`.

use anyhow::Result;
use nanprobe::cli::Schema;

use super::show;

pub fn run(args: &Schema) -> Result<u8> {
    show(&args.format.text()?)
}
