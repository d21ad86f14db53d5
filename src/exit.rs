//! Exit codes, so that a script or a pipeline can tell a finding from a failure.
//!
//! | code | meaning |
//! | --- | --- |
//! | 0 | no finding at or above `--fail-on` |
//! | 1 | a finding at or above `--fail-on` |
//! | 2 | wrong usage, unreadable input or an internal error: nothing was diagnosed |
//! | 3 | too little could be measured to say anything |
//!
//! The table that users read, with what Ctrl-C does, is in `docs/ci.md`.

use clap::ValueEnum;
use nanprobe_checks::Severity;
use serde::{Deserialize, Serialize};

use crate::diagnosis::{Diagnosis, Status, Verdict};

/// No finding at or above `--fail-on`.
pub const CLEAN: u8 = 0;
/// A finding at or above `--fail-on`.
pub const FINDING: u8 = 1;
/// Wrong usage, unreadable input or an internal error. clap exits with the same code.
pub const USAGE: u8 = 2;
/// No symptom and more than half of the checks without their measurements.
pub const TOO_LITTLE: u8 = 3;

/// The severity from which a finding sets the exit code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum FailOn {
    /// A finding that keeps the model from learning
    #[default]
    Error,
    /// Also one that costs accuracy or time
    Warning,
    /// No finding, whatever it is
    Never,
}

impl FailOn {
    /// Every accepted name.
    pub const NAMES: &'static [&'static str] = &["error", "warning", "never"];

    /// The least severity that counts.
    pub fn limit(self) -> Option<Severity> {
        match self {
            Self::Error => Some(Severity::Error),
            Self::Warning => Some(Severity::Warning),
            Self::Never => None,
        }
    }
}

/// Whether a verdict sets the exit code: a finding of its own at or above `--fail-on`. One that another explains does not
/// count, for its cause does; nor does one that the user accepted.
pub fn fails(verdict: &Verdict, fail_on: FailOn) -> bool {
    let own = verdict.status.is_finding() && verdict.explained_by.is_none() && verdict.accepted.is_none();
    own && fail_on.limit().is_some_and(|limit| verdict.severity.is_some_and(|severity| severity >= limit))
}

/// Whether next to nothing was measured.
pub fn is_too_little(diagnosis: &Diagnosis) -> bool {
    let unmeasured = diagnosis.verdicts.iter().filter(|v| v.status == Status::NotMeasured).count();
    diagnosis.symptom.is_none() && 2 * unmeasured > diagnosis.verdicts.len()
}

/// The exit code of a diagnosis.
///
/// A finding outweighs missing measurements: it stands, whatever else could not be looked at.
pub fn of(diagnosis: &Diagnosis, fail_on: FailOn) -> u8 {
    if diagnosis.verdicts.iter().any(|verdict| fails(verdict, fail_on)) {
        FINDING
    } else if is_too_little(diagnosis) {
        TOO_LITTLE
    } else {
        CLEAN
    }
}

/// What an exit code says, in words.
pub fn meaning(code: u8) -> &'static str {
    match code {
        CLEAN => "no finding at or above --fail-on",
        FINDING => "a finding at or above --fail-on",
        TOO_LITTLE => "too little could be measured to say anything",
        _ => "wrong usage, unreadable input or an internal error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    #[test]
    fn a_finding_counts_from_its_severity_on() {
        let mut diagnosis = samples::two_fixes();
        for (fail_on, code) in [(FailOn::Error, FINDING), (FailOn::Warning, FINDING), (FailOn::Never, CLEAN)] {
            assert_eq!(of(&diagnosis, fail_on), code, "{fail_on:?}");
        }
        diagnosis.verdicts.iter_mut().filter(|v| v.severity.is_some()).for_each(|v| v.severity = Some(Severity::Warning));
        assert_eq!(of(&diagnosis, FailOn::Error), CLEAN);
        assert_eq!(of(&diagnosis, FailOn::Warning), FINDING);
    }

    #[test]
    fn harmless_and_explained_findings_do_not_count() {
        let mut diagnosis = samples::two_fixes();
        for verdict in diagnosis.verdicts.iter_mut().filter(|v| v.status.is_finding() && v.explained_by.is_none()) {
            verdict.status = Status::Harmless;
        }
        assert_eq!(of(&diagnosis, FailOn::Warning), CLEAN);
    }

    #[test]
    fn a_run_that_measured_next_to_nothing_is_no_pass() {
        let died = samples::died_early();
        assert_eq!(of(&died, FailOn::Error), TOO_LITTLE);
        assert_eq!(of(&died, FailOn::Never), TOO_LITTLE);
        assert_eq!(of(&samples::healthy(), FailOn::Warning), CLEAN);
    }

    #[test]
    fn an_empty_diagnosis_is_too_little_only_if_something_was_to_be_measured() {
        let mut diagnosis = samples::died_early();
        diagnosis.verdicts.clear();
        assert_eq!(of(&diagnosis, FailOn::Error), CLEAN);
    }
}
