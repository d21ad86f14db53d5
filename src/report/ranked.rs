//! In which order findings are shown, in every format.

use crate::diagnosis::{Diagnosis, Status, Verdict};

/// Findings by rank, each followed by what it explains; then what proved harmless. With the depth of explanation.
pub(super) fn ranked(diagnosis: &Diagnosis) -> Vec<(usize, &Verdict)> {
    let shown = |v: &&Verdict| v.status.is_finding() || v.status == Status::Harmless;
    let mut left: Vec<&Verdict> = diagnosis.verdicts.iter().filter(shown).collect();
    // Stable, so that the order of the diagnosis decides between equals.
    left.sort_by_key(|v| (v.status == Status::Harmless, v.rank.unwrap_or(u32::MAX)));
    let listed = |name: &str| left.iter().any(|v| v.check == name);
    let mut rows = Vec::new();
    let roots: Vec<&Verdict> = left.iter().copied().filter(|v| v.explained_by.as_deref().is_none_or(|by| !listed(by))).collect();
    for root in roots {
        descend(root, 0, &mut left, &mut rows);
    }
    // Only findings that explain each other in a circle remain.
    rows.extend(left.into_iter().map(|v| (0, v)));
    rows
}

fn descend<'a>(verdict: &'a Verdict, depth: usize, left: &mut Vec<&'a Verdict>, rows: &mut Vec<(usize, &'a Verdict)>) {
    rows.push((depth, verdict));
    left.retain(|v| v.check != verdict.check);
    let explained: Vec<&Verdict> = left.iter().copied().filter(|v| v.explained_by.as_deref() == Some(&verdict.check)).collect();
    for next in explained {
        descend(next, depth + 1, left, rows);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    fn order(diagnosis: &Diagnosis) -> Vec<(usize, &str)> {
        ranked(diagnosis).into_iter().map(|(depth, verdict)| (depth, verdict.check.as_str())).collect()
    }

    #[test]
    fn what_a_finding_explains_stands_below_it_and_harmless_ones_last() {
        let expected = [
            (0, "unshuffled-batches"),
            (1, "collapsed-predictions"),
            (0, "learning-rate-too-low"),
            (0, "labels-disagree-with-names"),
            (0, "unnormalized-inputs"),
        ];
        let mut diagnosis = samples::two_fixes();
        assert_eq!(order(&diagnosis), expected);
        diagnosis.verdicts.reverse();
        assert_eq!(order(&diagnosis), expected);
    }

    #[test]
    fn no_finding_is_lost_when_findings_explain_each_other_or_something_unlisted() {
        let mut diagnosis = samples::two_fixes();
        diagnosis.verdicts[0].explained_by = Some("learning-rate-too-low".to_owned());
        diagnosis.verdicts[1].explained_by = Some("unshuffled-batches".to_owned());
        diagnosis.verdicts[2].explained_by = Some("no-such-check".to_owned());
        diagnosis.verdicts[3].explained_by = Some("labels-disagree-with-names".to_owned());
        assert_eq!(order(&diagnosis).len(), 5);
    }
}
