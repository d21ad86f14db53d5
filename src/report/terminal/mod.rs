//! Text for people at a terminal: the ranked table, a check's page, a model's contents, progress.

mod checks;
mod comparison;
mod config;
mod confusion;
mod explain;
mod findings;
mod model;
mod page;
mod progress;
mod sparkline;
mod table;

pub use checks::list_checks;
pub use comparison::comparison;
pub use config::config;
pub use explain::explain;
pub use model::{ModelContents, model};
pub use progress::Progress;
pub use table::{TableOptions, table};

/// Lines longer than this are hard to read, however wide the terminal.
const WIDEST: usize = 120;
/// Columns where there is no terminal to ask.
const USUAL: usize = 80;

/// Columns to lay a report out for: the terminal's that standard output is connected to, at most 120.
pub fn width() -> usize {
    comfy_table::Table::new().width().map_or(USUAL, |width| usize::from(width).min(WIDEST))
}
