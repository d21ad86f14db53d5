//! From a diagnosis to what a person or a program reads: one format a file.
//!
//! [`table`] is for a terminal, [`json`] for programs; [`explain`] and [`list_checks`] show the checks
//! themselves; [`Progress`] keeps company while measuring. Every format is made from a [`Diagnosis`]
//! alone, so a stored one can be reported anew without libtorch.

use crate::diagnosis::Diagnosis;

mod checks;
mod confusion;
mod explain;
mod figures;
mod findings;
mod model;
mod page;
mod progress;
#[cfg(test)]
pub(crate) mod samples;
mod table;

pub use checks::list_checks;
pub use explain::explain;
pub use model::{ModelContents, model};
pub use progress::Progress;
pub use table::{TableOptions, table};

/// Lines longer than this are hard to read, however wide the terminal.
const WIDEST: usize = 120;
/// Columns where there is no terminal to ask.
const USUAL: usize = 80;

/// Columns to lay a report out for: the terminal's that standard output is connected to, at most 120.
pub fn terminal_width() -> usize {
    comfy_table::Table::new().width().map_or(USUAL, |width| usize::from(width).min(WIDEST))
}

/// The diagnosis in its versioned form.
pub fn json(diagnosis: &Diagnosis) -> serde_json::Result<String> {
    serde_json::to_string_pretty(diagnosis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_versioned_and_can_be_read_back() {
        for diagnosis in [samples::two_fixes(), samples::healthy(), samples::many_classes(), samples::died_early()] {
            let text = json(&diagnosis).unwrap();
            let back: Diagnosis = serde_json::from_str(&text).unwrap();
            assert_eq!((back.schema.as_str(), back.headline), (crate::diagnosis::SCHEMA, diagnosis.headline));
            assert_eq!(back.verdicts.len(), diagnosis.verdicts.len());
        }
    }
}
