//! How a check's answer changed.

use nanprobe_checks::stats::Interval;
use nanprobe_checks::{Location, Severity};
use serde::{Deserialize, Serialize};

use crate::config::FailOn;
use crate::diagnosis::{Criterion, Diagnosis, Status, Verdict};

/// A check whose answer changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// The check's name.
    pub check: String,
    /// The check's family.
    pub family: String,
    /// Which way.
    pub kind: Kind,
    /// Its answer before; none where it was not asked.
    pub before: Option<State>,
    /// Its answer after.
    pub after: Option<State>,
}

/// Which way a check's answer changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A finding that was none before.
    New,
    /// A finding of what was not measured before.
    Surfaced,
    /// Of a higher severity, no longer explained by another finding, or costing more.
    Worse,
    /// A finding before that is not measured now. It did not get better.
    Lost,
    /// Neither better nor worse: such as from suspected to confirmed.
    Changed,
    /// Of a lower severity, explained by another finding, or costing less.
    Better,
    /// No finding any more.
    Gone,
}

impl Kind {
    /// Every kind, what got worse first.
    pub const ALL: [Self; 7] = [Self::New, Self::Surfaced, Self::Worse, Self::Lost, Self::Changed, Self::Better, Self::Gone];

    /// The kind in words.
    pub fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Surfaced => "new, not measured before",
            Self::Worse => "worse",
            Self::Lost => "no longer measured",
            Self::Changed => "changed",
            Self::Better => "better",
            Self::Gone => "gone",
        }
    }

    /// The kind if the reports were given the other way round.
    #[must_use]
    pub fn reversed(self) -> Self {
        match self {
            Self::New => Self::Gone,
            Self::Gone => Self::New,
            Self::Surfaced => Self::Lost,
            Self::Lost => Self::Surfaced,
            Self::Worse => Self::Better,
            Self::Better => Self::Worse,
            Self::Changed => Self::Changed,
        }
    }
}

/// A check's answer in one of the reports.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// How sure it is.
    pub status: Status,
    /// How bad it is; none where it is no finding.
    pub severity: Option<Severity>,
    /// The finding that explains it.
    pub explained_by: Option<String>,
    /// 95% interval of what the fix bought, in balanced accuracy.
    pub gain: Option<Interval>,
    /// What is wrong, what cleared it, or what was missing.
    pub message: String,
    /// The numbers.
    pub measured: String,
    /// What to change.
    pub remedy: String,
    /// Where it stands.
    pub location: Option<Location>,
}

impl State {
    fn of(verdict: &Verdict) -> Self {
        Self {
            status: verdict.status,
            severity: verdict.severity.filter(|_| verdict.status.is_finding() && verdict.accepted.is_none()),
            explained_by: verdict.explained_by.clone(),
            gain: verdict.effect.as_ref().map(|effect| effect.interval),
            message: verdict.message.clone(),
            measured: verdict.measured.clone(),
            remedy: verdict.remedy.clone(),
            location: verdict.location.clone(),
        }
    }
}

impl Change {
    /// Whether it sets the exit code: a finding of its own at or above `--fail-on` that is new or worse.
    pub fn fails(&self, fail_on: FailOn) -> bool {
        let counts = matches!(self.kind, Kind::New | Kind::Surfaced | Kind::Worse);
        let own = self.after.as_ref().filter(|state| state.explained_by.is_none()).and_then(|state| state.severity);
        counts && fail_on.limit().zip(own).is_some_and(|(limit, severity)| severity >= limit)
    }
}

/// What an answer counts for. A finding that another explains counts less than any of its own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    Unknown,
    Fine,
    Explained,
    Own(Option<Severity>),
}

fn standing(verdict: Option<&Verdict>) -> Standing {
    match verdict {
        None => Standing::Unknown,
        Some(verdict) if verdict.status == Status::NotMeasured => Standing::Unknown,
        Some(verdict) if !verdict.status.is_finding() => Standing::Fine,
        Some(verdict) if verdict.explained_by.is_some() => Standing::Explained,
        Some(verdict) => Standing::Own(verdict.severity),
    }
}

/// The way from one answer to the other; none where it is the same.
fn kind(before: Option<&Verdict>, after: Option<&Verdict>) -> Option<Kind> {
    use Standing::{Explained, Fine, Own, Unknown};
    let status = |verdict: Option<&Verdict>| verdict.map(|verdict| verdict.status);
    // A check that is only in one of them was left out, or is of another version: that is no change of what it looks at.
    let asked_twice = before.is_some() && after.is_some();
    let other_word = (asked_twice && status(before) != status(after)).then_some(Kind::Changed);
    match (standing(before), standing(after)) {
        (Unknown | Fine, Unknown | Fine) => other_word,
        (Unknown, Explained | Own(_)) => Some(Kind::Surfaced),
        (Explained | Own(_), Unknown) => Some(Kind::Lost),
        (Fine, Explained | Own(_)) => Some(Kind::New),
        (Explained | Own(_), Fine) => Some(Kind::Gone),
        (from, to) if to > from => Some(Kind::Worse),
        (from, to) if to < from => Some(Kind::Better),
        _ => costs(before, after).or(other_word),
    }
}

/// Whether a finding costs more or less than before, beyond the intervals of both.
fn costs(before: Option<&Verdict>, after: Option<&Verdict>) -> Option<Kind> {
    let effect = |verdict: Option<&Verdict>| verdict?.effect.clone().filter(|effect| effect.decided_by == Criterion::HeldOut);
    let (before, after) = (effect(before)?, effect(after)?);
    if after.interval.low > before.interval.high {
        Some(Kind::Worse)
    } else if after.interval.high < before.interval.low {
        Some(Kind::Better)
    } else {
        None
    }
}

/// Every check that is in either report, with its answers, in the order of the second.
fn pairs<'a>(before: &'a Diagnosis, after: &'a Diagnosis) -> impl Iterator<Item = (Option<&'a Verdict>, Option<&'a Verdict>)> {
    let find = |report: &'a Diagnosis, check: &str| report.verdicts.iter().find(|verdict| verdict.check == check);
    let now = after.verdicts.iter().map(move |verdict| (find(before, &verdict.check), Some(verdict)));
    let only_before = before.verdicts.iter().filter(move |verdict| find(after, &verdict.check).is_none());
    now.chain(only_before.map(|verdict| (Some(verdict), None)))
}

/// The checks whose answer changed, what got worse first.
pub(super) fn changes(before: &Diagnosis, after: &Diagnosis) -> Vec<Change> {
    let change = |(old, new): (Option<&Verdict>, Option<&Verdict>)| {
        let named = new.or(old)?;
        let kind = kind(old, new)?;
        let (check, family) = (named.check.clone(), named.family.clone());
        Some(Change { check, family, kind, before: old.map(State::of), after: new.map(State::of) })
    };
    let mut changes: Vec<Change> = pairs(before, after).filter_map(change).collect();
    // Stable, so that the order of the report decides between equals.
    changes.sort_by_key(|change| change.kind);
    changes
}

/// The checks that found the same in both.
pub(super) fn remaining(before: &Diagnosis, after: &Diagnosis) -> Vec<String> {
    let same =
        |(old, new): &(Option<&Verdict>, Option<&Verdict>)| new.is_some_and(|new| new.status.is_finding()) && kind(*old, *new).is_none();
    pairs(before, after).filter(same).filter_map(|(_, new)| new.map(|new| new.check.clone())).collect()
}
