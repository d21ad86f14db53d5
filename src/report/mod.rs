//! From a diagnosis to what a person or a program reads: one format a file.
//!
//! Every format is made from a [`Diagnosis`] alone, so a stored one can be reported anew without libtorch.
//! [`terminal`] also shows the checks themselves, and keeps company while measuring.

use crate::diagnosis::Diagnosis;

mod comparison;
mod escape;
mod github;
mod html;
mod junit;
mod markdown;
mod numbers;
mod place;
mod plain;
mod ranked;
#[cfg(test)]
pub(crate) mod samples;
mod sarif;
mod svg;
pub mod terminal;

pub use comparison::comparison_markdown;
pub use github::github;
pub use html::html;
pub use junit::junit;
pub use markdown::markdown;
pub use place::Repository;
pub use plain::plain;
pub use sarif::sarif;

/// The diagnosis in its versioned form.
pub fn json(diagnosis: &Diagnosis) -> serde_json::Result<String> {
    serde_json::to_string_pretty(diagnosis).map(|text| text + "\n")
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
