//! Findings that the user has looked at and accepted: they stay visible with their reason and no longer count.

use std::path::Path;

use nanprobe_checks::Location;
use nanprobe_checks::recipe::matches;

use crate::diagnosis::{Accepted, Diagnosis, Status, Verdict};
use crate::headline;

/// An entry under `[[accept]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accept {
    /// The check.
    pub check: String,
    /// Why its finding is accepted.
    pub reason: String,
    /// Since when, as `YYYY-MM-DD`.
    pub date: String,
    /// Only at these modules, a pattern.
    pub module: Option<String>,
    /// Only in this file, or one whose path ends with it.
    pub file: Option<String>,
    /// File and line of the entry.
    pub place: String,
}

impl Accept {
    fn covers(&self, verdict: &Verdict) -> bool {
        let location = verdict.location.as_ref();
        let within = |wanted: &Option<String>, found: &dyn Fn(&Location, &str) -> bool| {
            wanted.as_ref().is_none_or(|wanted| location.is_some_and(|location| found(location, wanted)))
        };
        let in_file = |location: &Location, wanted: &str| location.file.as_ref().is_some_and(|file| Path::new(file).ends_with(wanted));
        verdict.check == self.check
            && within(&self.module, &|location, wanted| matches(wanted, &location.module))
            && within(&self.file, &in_file)
    }

    /// The entry in words: the check, where it is narrowed to, and the place of the entry.
    fn in_words(&self) -> String {
        let module = self.module.as_ref().map_or_else(String::new, |module| format!(" in `{module}`"));
        let file = self.file.as_ref().map_or_else(String::new, |file| format!(" at {file}"));
        format!("{}{module}{file} ({}, accepted {})", self.check, self.place, self.date)
    }
}

/// Marks the findings that the entries cover, and names the entries that cover nothing any more.
///
/// What an experiment showed to be harmless is still there, so its entry is not stale; nor is one whose check could not be measured or
/// was not asked. Marks that a stored report carries stay.
pub fn apply(diagnosis: &mut Diagnosis, entries: &[Accept]) {
    let was_first = diagnosis.verdicts.iter().find(|verdict| verdict.rank == Some(1)).map(|verdict| verdict.check.clone());
    for verdict in diagnosis.verdicts.iter_mut().filter(|verdict| verdict.status.is_finding()) {
        if let Some(entry) = entries.iter().find(|entry| entry.covers(verdict)) {
            verdict.accepted = Some(Accepted { reason: entry.reason.clone(), date: entry.date.clone() });
        }
    }
    if !entries.is_empty() {
        let stale = |entry: &&Accept| {
            let mut of_check = diagnosis.verdicts.iter().filter(|verdict| verdict.check == entry.check).peekable();
            of_check.peek().is_some()
                && of_check.all(|verdict| match verdict.status {
                    Status::NotMeasured => false,
                    Status::Clear => true,
                    _ => !entry.covers(verdict),
                })
        };
        diagnosis.run.stale_accepts = entries.iter().filter(stale).map(Accept::in_words).collect();
    }
    // Of what is left the order stays. What an accepted fault brings about is accepted with it.
    let accepted: Vec<String> = diagnosis.verdicts.iter().filter(|v| v.accepted.is_some()).map(|v| v.check.clone()).collect();
    let counts = |v: &Verdict| v.accepted.is_none() && v.explained_by.as_ref().is_none_or(|cause| !accepted.contains(cause));
    let mut ranked: Vec<&mut Verdict> = diagnosis.verdicts.iter_mut().filter(|verdict| verdict.rank.is_some()).collect();
    ranked.sort_by_key(|verdict| verdict.rank);
    let mut ranks = 1..;
    for verdict in ranked {
        verdict.rank = if counts(verdict) { ranks.next() } else { None };
    }
    let first = diagnosis.verdicts.iter().find(|verdict| verdict.rank == Some(1)).map(|verdict| verdict.check.clone());
    if first != was_first {
        diagnosis.headline = headline::of_what_is_left(diagnosis);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::{self, FailOn};
    use crate::report::samples;

    fn accept(check: &str) -> Accept {
        let [reason, date, place] = ["known since the first paper", "2026-01-31", "nanprobe.toml:9"].map(str::to_owned);
        Accept { check: check.to_owned(), reason, date, module: None, file: None, place }
    }

    fn rank(diagnosis: &Diagnosis, check: &str) -> Option<u32> {
        diagnosis.verdicts.iter().find(|verdict| verdict.check == check).unwrap().rank
    }

    #[test]
    fn an_accepted_finding_keeps_its_status_and_loses_its_rank() {
        let mut diagnosis = samples::two_fixes();
        let before = diagnosis.clone();
        apply(&mut diagnosis, &[accept("unshuffled-batches")]);
        let (now, was) = (&diagnosis.verdicts[0], &before.verdicts[0]);
        assert_eq!((now.status, now.severity, now.rank), (was.status, was.severity, None));
        assert_eq!(now.accepted, Some(Accepted { reason: "known since the first paper".to_owned(), date: "2026-01-31".to_owned() }));
        assert_eq!((rank(&diagnosis, "learning-rate-too-low"), rank(&diagnosis, "labels-disagree-with-names")), (Some(1), Some(2)));
        assert!(!diagnosis.headline.contains("sorted by class") && diagnosis.headline.contains("learning rate"), "{}", diagnosis.headline);
        assert!(diagnosis.run.stale_accepts.is_empty());
    }

    #[test]
    fn when_all_is_accepted_the_headline_says_so_and_nothing_fails() {
        let mut diagnosis = samples::two_fixes();
        apply(&mut diagnosis, &["unshuffled-batches", "learning-rate-too-low", "labels-disagree-with-names"].map(accept));
        assert_eq!(exit::of(&diagnosis, FailOn::Warning), exit::CLEAN);
        assert!(diagnosis.headline.starts_with("Nothing new"), "{}", diagnosis.headline);
    }

    #[test]
    fn an_entry_can_be_narrowed_to_a_module_or_a_file() {
        let covers = |module: Option<&str>, file: Option<&str>| {
            let mut diagnosis = samples::many_classes();
            diagnosis.verdicts[0].location.as_mut().unwrap().file = Some("/home/me/net/blocks.py".to_owned());
            let entry = Accept { module: module.map(str::to_owned), file: file.map(str::to_owned), ..accept("bad-initialization") };
            apply(&mut diagnosis, &[entry]);
            (diagnosis.verdicts[0].accepted.is_some(), diagnosis.run.stale_accepts.len())
        };
        for (module, file) in [(None, None), (Some("features"), None), (Some("*.conv2"), Some("net/blocks.py")), (None, Some("blocks.py"))]
        {
            assert_eq!(covers(module, file), (true, 0), "{module:?} {file:?}");
        }
        for (module, file) in [(Some("classifier"), None), (Some("features"), Some("other.py")), (None, Some("locks.py"))] {
            assert_eq!(covers(module, file), (false, 1), "{module:?} {file:?}");
        }
    }

    #[test]
    fn only_an_entry_whose_fault_was_looked_for_and_is_gone_is_stale() {
        let mut diagnosis = samples::two_fixes();
        // Cleared, harmless, not measured, not judged.
        apply(&mut diagnosis, &["dead-relu", "unnormalized-inputs", "uninformative-labels", "batch-mixing"].map(accept));
        assert_eq!(diagnosis.run.stale_accepts, ["dead-relu (nanprobe.toml:9, accepted 2026-01-31)"]);
        assert_eq!(diagnosis.headline, samples::two_fixes().headline, "nothing that counted is accepted");
    }

    #[test]
    fn marks_of_a_stored_report_stay_without_their_entries() {
        let mut diagnosis = samples::two_fixes();
        apply(&mut diagnosis, &[accept("unshuffled-batches")]);
        let stored = diagnosis.clone();
        apply(&mut diagnosis, &[]);
        assert_eq!((&diagnosis.headline, &diagnosis.verdicts[0].accepted), (&stored.headline, &stored.verdicts[0].accepted));
        assert_eq!(rank(&diagnosis, "learning-rate-too-low"), Some(1));
    }
}
