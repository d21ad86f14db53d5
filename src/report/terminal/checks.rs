//! The list of all checks.

use super::page::{Page, Tone};

/// Name and summary of every check, family by family.
pub fn list_checks(width: usize, color: bool) -> String {
    let mut page = Page::new(width, color);
    let column = nanprobe_checks::checks().map(|check| check.name().len()).max().unwrap_or(0).min(width / 2) + 4;
    let mut family = "";
    for check in nanprobe_checks::checks() {
        if check.family() != family {
            family = check.family();
            page.blank();
            page.paragraph(Tone::Strong, family);
        }
        page.hanging(Tone::Plain, &format!("  {}", check.name()), column, check.summary());
    }
    page.blank();
    page.paragraph(Tone::Dim, "nanprobe explain NAME says what a check looks for, why it matters and what to do");
    page.finish()
}

#[cfg(test)]
mod tests {
    use super::list_checks;

    #[test]
    fn every_check_is_listed_under_its_family() {
        let text = list_checks(80, false);
        for check in nanprobe_checks::checks() {
            assert!(text.contains(&format!("  {}", check.name())) && text.lines().any(|line| line == check.family()), "{}", check.name());
        }
    }
}
