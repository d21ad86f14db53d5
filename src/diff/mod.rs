//! Two reports of what should be the same training, compared: for a pull request, or before and after a fix.
//!
//! A difference of accuracy counts only beyond the noise of both; a finding counts by what it is now. What was measured before and is
//! not any more is named: it did not get better.

use serde::{Deserialize, Serialize};

mod accuracy;
mod change;
mod conditions;

pub use accuracy::{AccuracyChange, Direction};
pub use change::{Change, Kind, State};
pub use conditions::Difference;

use crate::config::FailOn;
use crate::diagnosis::Diagnosis;
use crate::exit;

/// Version of the comparison's format; changes when an old reader would misread it.
pub const SCHEMA: &str = "nanprobe.diff/1";

/// What changed from one report to another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// [`SCHEMA`].
    pub schema: String,
    /// What got worse and what got better, in a sentence.
    pub headline: String,
    /// The accuracy without any fix; none where either report has none.
    pub accuracy: Option<AccuracyChange>,
    /// The checks whose answer changed, what got worse first.
    pub changes: Vec<Change>,
    /// Checks that found the same in both.
    pub remaining: Vec<String>,
    /// What differs between the two trainings and how they were measured: the more, the less the comparison says.
    pub differences: Vec<Difference>,
    /// The reports of which too little was measured to compare them.
    pub too_little: Vec<Side>,
}

/// One of the two reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// The first.
    Before,
    /// The second.
    After,
}

impl Comparison {
    /// Compares two reports.
    pub fn of(before: &Diagnosis, after: &Diagnosis) -> Self {
        let accuracy = before.symptom.as_ref().zip(after.symptom.as_ref()).map(|(before, after)| AccuracyChange::of(before, after));
        let sides = [(Side::Before, before), (Side::After, after)];
        let mut comparison = Self {
            schema: SCHEMA.to_owned(),
            headline: String::new(),
            accuracy,
            changes: change::changes(before, after),
            remaining: change::remaining(before, after),
            differences: conditions::differences(before, after),
            too_little: sides.into_iter().filter(|(_, report)| exit::is_too_little(report)).map(|(side, _)| side).collect(),
        };
        comparison.headline = comparison.in_a_sentence();
        comparison
    }

    /// The exit code: 1 where something is new or worse at or above `--fail-on`, 3 where too little was measured to say so.
    ///
    /// A fall of the accuracy beyond the noise counts as an error. What got worse outweighs what is missing.
    pub fn exit_code(&self, fail_on: FailOn) -> u8 {
        let fell = fail_on != FailOn::Never && self.accuracy.as_ref().is_some_and(|accuracy| accuracy.direction == Direction::Worse);
        if fell || self.changes.iter().any(|change| change.fails(fail_on)) {
            exit::FINDING
        } else if self.too_little.is_empty() {
            exit::CLEAN
        } else {
            exit::TOO_LITTLE
        }
    }

    fn in_a_sentence(&self) -> String {
        let named = |kinds: &[Kind]| {
            let names: Vec<&str> = self.changes.iter().filter(|c| kinds.contains(&c.kind)).map(|c| c.check.as_str()).collect();
            (!names.is_empty()).then(|| names.join(", "))
        };
        let fell = self.accuracy.as_ref().filter(|accuracy| accuracy.direction == Direction::Worse).map(|_| "the accuracy fell".to_owned());
        let rose =
            self.accuracy.as_ref().filter(|accuracy| accuracy.direction == Direction::Better).map(|_| "the accuracy rose".to_owned());
        let said = |what: &str, names: Option<String>| names.map(|names| format!("{what} {names}"));
        let worse = [fell, said("new", named(&[Kind::New, Kind::Surfaced])), said("worse", named(&[Kind::Worse]))];
        let better = [rose, said("gone", named(&[Kind::Gone])), said("better", named(&[Kind::Better]))];
        let lost = said("no longer measured", named(&[Kind::Lost]));
        let worse: Vec<String> = worse.into_iter().flatten().collect();
        let better: Vec<String> = better.into_iter().flatten().chain(lost).collect();
        let incomplete = match self.too_little.as_slice() {
            [] => None,
            [Side::Before] => Some("too little was measured before to compare with"),
            [Side::After] => Some("too little was measured now to compare"),
            _ => Some("too little was measured in either to compare them"),
        };
        let first = match (worse.is_empty(), incomplete) {
            (false, _) => format!("worse than before: {}", worse.join("; ")),
            (true, Some(incomplete)) => incomplete.to_owned(),
            (true, None) if better.is_empty() => "nothing changed that counts".to_owned(),
            (true, None) => "nothing got worse".to_owned(),
        };
        [first].into_iter().chain(better).collect::<Vec<_>>().join("; ")
    }
}

#[cfg(test)]
mod tests;
