//! What a check says.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::remedy::Remedy;

/// How bad a fault is if it is real.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// Costs accuracy or time.
    Warning,
    /// Keeps the model from learning.
    Error,
}

/// Where in the user's files a fault stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Location {
    /// The module's dotted path, such as `layer2.0.conv1`; empty where it is not about a module.
    #[serde(default)]
    pub module: String,
    /// Source file, where known.
    pub file: Option<String>,
    /// Line in it, from 1.
    pub line: Option<u32>,
}

impl Location {
    /// A module of the model.
    pub fn module(path: &str) -> Self {
        Self { module: path.to_owned(), file: None, line: None }
    }

    /// Behind a noun: ` in `layer1` at train.py:12`, as far as it is known.
    pub fn in_words(&self) -> String {
        let module = if self.module.is_empty() { String::new() } else { format!(" in `{}`", self.module) };
        let line = self.line.map_or_else(String::new, |line| format!(":{line}"));
        let file = self.file.as_ref().map_or_else(String::new, |file| format!(" at {file}{line}"));
        format!("{module}{file}")
    }

    /// A finding's own place, or where its file is not known a line of the user's loop, with the module of its own place.
    pub fn or_line(own: Option<Self>, line: Option<Self>) -> Option<Self> {
        match (own, line) {
            (Some(own), Some(line)) if own.file.is_none() => Some(Self { module: own.module, ..line }),
            (own, line) => own.or(line),
        }
    }
}

/// A fault that a rule suspects.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// How bad it is if real.
    pub severity: Severity,
    /// How far beyond the limit the measurement is, from 0 (at the limit) to 1 (cannot be otherwise).
    pub strength: f64,
    /// One sentence: what is wrong and why that matters.
    pub message: String,
    /// The numbers, with units and what they are compared with; short enough for a table cell.
    pub measured: String,
    /// What to change, in the user's terms.
    pub fix: String,
    /// The edit that an experiment can try, where there is one.
    pub remedy: Option<Remedy>,
    /// Where it stands.
    pub location: Option<Location>,
}

/// A check's answer to the evidence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Judgement {
    /// The measurement is within its limits.
    Clear {
        /// The numbers that say so.
        measured: String,
    },
    /// The rule fires.
    Suspect(Box<Finding>),
}

impl Judgement {
    /// Within limits.
    pub fn clear(measured: impl Into<String>) -> Self {
        Self::Clear { measured: measured.into() }
    }

    /// The finding, if the rule fired.
    pub fn finding(&self) -> Option<&Finding> {
        match self {
            Self::Clear { .. } => None,
            Self::Suspect(finding) => Some(finding),
        }
    }
}

impl From<Finding> for Judgement {
    fn from(finding: Finding) -> Self {
        Self::Suspect(Box::new(finding))
    }
}

/// A judgement, or why there is none: absence of evidence is never a pass.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The evidence was there.
    Judged(Judgement),
    /// A measurement was missing.
    NotMeasured {
        /// Names of the missing measurements.
        missing: Vec<String>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_loop_stands_in_where_a_place_has_no_file() {
        let at = |module: &str, file: Option<&str>| Location {
            file: file.map(str::to_owned),
            line: file.map(|_| 7),
            ..Location::module(module)
        };
        let line = Some(at("", Some("train.py")));
        assert_eq!(Location::or_line(None, line.clone()), line);
        assert_eq!(Location::or_line(Some(at("fc", None)), line.clone()), Some(at("fc", Some("train.py"))));
        assert_eq!(Location::or_line(Some(at("fc", Some("net.py"))), line), Some(at("fc", Some("net.py"))));
        assert_eq!(Location::or_line(Some(at("fc", None)), None), Some(at("fc", None)));
    }
}
