//! `nanprobe checks`.

use anyhow::Result;
use nanprobe::report::terminal;

use super::{color, show};

pub fn run() -> Result<u8> {
    show(&terminal::list_checks(terminal::width(), color()))
}
