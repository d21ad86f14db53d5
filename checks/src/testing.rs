//! Helpers for the checks' own tests: a check is run alone, on the measurements it needs.

use crate::{Check, Finding, Judgement, Needs};

/// The finding of a check that must fire.
pub fn suspects<C: Check>(needs: <C::Needs as Needs>::Ref<'_>) -> Finding {
    match C::judge(needs, &C::Limits::default()) {
        Judgement::Suspect(finding) => {
            assert!((0.0..=1.0).contains(&finding.strength), "{}: strength {}", C::NAME, finding.strength);
            assert!(finding.measured.len() <= 90, "{}: too long for a cell: {}", C::NAME, finding.measured);
            *finding
        }
        Judgement::Clear { measured } => panic!("{} did not fire: {measured}", C::NAME),
    }
}

/// Asserts that a check stays silent and says why.
pub fn clears<C: Check>(needs: <C::Needs as Needs>::Ref<'_>) {
    match C::judge(needs, &C::Limits::default()) {
        Judgement::Clear { measured } => assert!(!measured.is_empty(), "{} clears without saying what was measured", C::NAME),
        Judgement::Suspect(finding) => panic!("{} fired: {} ({})", C::NAME, finding.message, finding.measured),
    }
}
