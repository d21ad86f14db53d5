//! The JSON Schemas (draft 2020-12) of what leaves nanprobe and of what plug-ins answer.
//!
//! They are made from the types themselves; titles and descriptions are the doc comments. Copies are checked in under `docs/schema/`.

use clap::ValueEnum;
use nanprobe_checks::evidence;
use nanprobe_checks::plugin::{Hello, Verdicts};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};

use crate::diagnosis::Diagnosis;

/// A format that has a schema.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// The report that `--format json` writes
    #[default]
    Diagnosis,
    /// One line of the evidence that `nanprobe measure` writes
    Evidence,
    /// The first line that a plug-in reads
    Plugin,
    /// What a plug-in answers
    Verdicts,
}

impl Format {
    /// Its name on the command line and of its file in `docs/schema/`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Diagnosis => "diagnosis",
            Self::Evidence => "evidence",
            Self::Plugin => "plugin",
            Self::Verdicts => "verdicts",
        }
    }

    /// Its schema.
    pub fn schema(self) -> Schema {
        match self {
            Self::Diagnosis => of::<Diagnosis>(),
            Self::Evidence => evidence::schema(),
            Self::Plugin => of::<Hello>(),
            Self::Verdicts => of::<Verdicts>(),
        }
    }

    /// Its schema as text.
    pub fn text(self) -> serde_json::Result<String> {
        Ok(serde_json::to_string_pretty(&self.schema())? + "\n")
    }
}

fn of<T: JsonSchema>() -> Schema {
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accept::{self, Accept};
    use crate::report::{json, samples};

    #[test]
    fn hand_made_reports_with_experiments_keep_to_the_schema() {
        let schema = serde_json::to_value(Format::Diagnosis.schema()).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let mut accepted = samples::two_fixes();
        let [reason, date, place] = ["known", "2026-01-31", "nanprobe.toml:1"].map(str::to_owned);
        let entry = |check: &str| {
            let (reason, date, place) = (reason.clone(), date.clone(), place.clone());
            Accept { check: check.to_owned(), reason, date, module: None, file: None, place }
        };
        accept::apply(&mut accepted, &["unshuffled-batches", "dead-relu"].map(entry));
        let whole = [samples::two_fixes(), samples::healthy(), samples::many_classes(), samples::ten_classes(), samples::died_early()];
        for diagnosis in whole.iter().chain([&accepted]) {
            let value = serde_json::from_str(&json(diagnosis).unwrap()).unwrap();
            let errors: Vec<String> = validator.iter_errors(&value).map(|error| format!("{}: {error}", error.instance_path())).collect();
            assert!(errors.is_empty(), "{}\n{}", diagnosis.headline, errors.join("\n"));
        }
    }
}
