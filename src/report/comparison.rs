//! Two reports compared, in GitHub's Markdown, for a comment on a pull request.

use std::fmt::{self, Write};

use super::escape::{code, markdown as text};
use super::numbers::{accuracy_change, plural};
use super::ranked;
use crate::diff::Comparison;

/// The headline, what changed as a table, and what makes the two hard to compare.
pub fn comparison_markdown(comparison: &Comparison) -> String {
    let mut page = String::new();
    // Writing to a string cannot fail.
    let _: fmt::Result = write(&mut page, comparison);
    page
}

fn write(page: &mut String, comparison: &Comparison) -> fmt::Result {
    writeln!(page, "## nanprobe: what changed\n\n**{}**\n", text(&comparison.headline))?;
    if let Some(accuracy) = &comparison.accuracy {
        writeln!(page, "Accuracy without any fix: {}\n", text(&accuracy_change(accuracy)))?;
    }
    if !comparison.changes.is_empty() {
        writeln!(page, "| change | check | before → after | measured now | what to do |\n| --- | --- | --- | --- | --- |")?;
        for change in &comparison.changes {
            let now = change.after.as_ref();
            let measured = now.map(|state| if state.measured.is_empty() { state.message.clone() } else { state.measured.clone() });
            let to_do = now.filter(|state| state.explained_by.is_none()).map(|state| {
                let place = state.location.as_ref().and_then(ranked::place).filter(|_| !state.remedy.is_empty());
                place.map_or_else(|| state.remedy.clone(), |place| format!("{} ({place})", state.remedy))
            });
            let cells = [
                change.kind.name().to_owned(),
                code(&change.check),
                text(&ranked::transition(change)),
                text(&measured.unwrap_or_default()),
                text(&to_do.unwrap_or_default()),
            ];
            writeln!(page, "| {} |", cells.join(" | "))?;
        }
        writeln!(page)?;
    }
    if !comparison.remaining.is_empty() {
        let names: Vec<String> = comparison.remaining.iter().map(|check| code(check)).collect();
        writeln!(page, "{} as before: {}\n", plural(names.len(), "finding"), names.join(", "))?;
    }
    if !comparison.differences.is_empty() {
        writeln!(page, "<details><summary>Not the same in both, so that the comparison says less</summary>\n")?;
        for difference in &comparison.differences {
            writeln!(page, "- {}: {} → {}", text(&difference.what), text(&difference.before), text(&difference.after))?;
        }
        writeln!(page, "\n</details>")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    #[test]
    fn a_training_that_broke_for_a_comment() {
        insta::assert_snapshot!(comparison_markdown(&Comparison::of(&samples::healthy(), &samples::two_fixes())));
    }

    #[test]
    fn text_from_files_cannot_break_the_table() {
        let mut after = samples::two_fixes();
        after.verdicts[0].measured = "a|b\n| <b>".to_owned();
        after.job.as_mut().unwrap().data = "<script>".to_owned();
        let page = comparison_markdown(&Comparison::of(&samples::healthy(), &after));
        assert!(page.lines().filter(|line| line.starts_with('|')).all(|row| row.matches('|').count() == 6), "{page}");
        assert!(!page.contains("<script") && !page.contains("<b>"), "{page}");
    }
}
