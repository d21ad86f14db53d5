//! Two reports compared: what got worse first, then what got better, then what makes them hard to compare.

use nanprobe_checks::Severity;

use super::page::{Page, Tone};
use crate::diff::{Change, Comparison, Direction, Kind, State};
use crate::report::numbers::{accuracy_change, plural};
use crate::report::ranked;

/// The comparison as text; no line is longer than the width.
pub fn comparison(comparison: &Comparison, width: usize, color: bool) -> String {
    let mut page = Page::new(width, color);
    page.paragraph(Tone::Strong, &comparison.headline);
    page.blank();
    if let Some(accuracy) = &comparison.accuracy {
        let tone = match accuracy.direction {
            Direction::Better => Tone::Good,
            Direction::Worse => Tone::Error,
            Direction::WithinNoise => Tone::Plain,
        };
        page.fact("accuracy", tone, &accuracy_change(accuracy));
    }
    for kind in Kind::ALL {
        let changes: Vec<&Change> = comparison.changes.iter().filter(|change| change.kind == kind).collect();
        if changes.is_empty() {
            continue;
        }
        page.blank();
        page.paragraph(Tone::Strong, kind.name());
        for change in changes {
            put(&mut page, change);
        }
    }
    if !comparison.remaining.is_empty() {
        page.blank();
        page.paragraph(Tone::Plain, &format!("{} as before", plural(comparison.remaining.len(), "finding")));
        page.hanging(Tone::Dim, "", 2, &comparison.remaining.join(", "));
    }
    if !comparison.differences.is_empty() {
        page.blank();
        page.paragraph(Tone::Warning, "not the same in both, so that the comparison says less");
        for difference in &comparison.differences {
            page.hanging(Tone::Plain, "", 2, &format!("{}: {} -> {}", difference.what, difference.before, difference.after));
        }
    }
    page.finish()
}

fn put(page: &mut Page, change: &Change) {
    page.hanging(tone(change), "", 2, &format!("{}  {}", change.check, ranked::transition(change)));
    let Some(state) = change.after.as_ref().filter(|_| change.kind != Kind::Changed) else { return };
    for text in [&state.message, &state.measured] {
        if !text.is_empty() {
            page.hanging(Tone::Dim, "", 4, text);
        }
    }
    if !state.remedy.is_empty() && state.explained_by.is_none() {
        let place = state.location.as_ref().and_then(ranked::place).map(|place| format!(" ({place})")).unwrap_or_default();
        page.hanging(Tone::Plain, "", 4, &format!("-> {}{place}", state.remedy));
    }
}

fn tone(change: &Change) -> Tone {
    let severity = |state: &Option<State>| state.as_ref().and_then(|state| state.severity);
    match (change.kind, severity(&change.after)) {
        (Kind::New | Kind::Surfaced | Kind::Worse, Some(Severity::Error)) => Tone::Error,
        (Kind::New | Kind::Surfaced | Kind::Worse | Kind::Lost, _) => Tone::Warning,
        (Kind::Better | Kind::Gone, _) => Tone::Good,
        (Kind::Changed, _) => Tone::Plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;
    use crate::report::terminal::page::text_width;

    #[test]
    fn a_training_that_broke_at_80_columns() {
        insta::assert_snapshot!(comparison(&Comparison::of(&samples::healthy(), &samples::two_fixes()), 80, false));
    }

    #[test]
    fn no_line_is_longer_than_the_width() {
        let samples = [samples::two_fixes(), samples::healthy(), samples::many_classes(), samples::died_early()];
        for (before, after) in samples.iter().flat_map(|before| samples.iter().map(move |after| (before, after))) {
            for line in comparison(&Comparison::of(before, after), 60, false).lines() {
                assert!(text_width(line) <= 60, "{line}");
            }
        }
    }
}
