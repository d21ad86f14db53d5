//! A summary in GitHub's Markdown, for a job's page or a comment.

use std::fmt::{self, Write};

use super::escape::{code, markdown as text};
use super::numbers::{count, loss, percent, plural, share_interval};
use super::ranked;
use crate::diagnosis::{Diagnosis, Status};

/// The headline, the fixes with what each buys, the ranked table, what was cleared and how it was measured.
pub fn markdown(diagnosis: &Diagnosis) -> String {
    let mut page = String::new();
    // Writing to a string cannot fail.
    let _: fmt::Result = write(&mut page, diagnosis);
    page
}

fn write(page: &mut String, diagnosis: &Diagnosis) -> fmt::Result {
    writeln!(page, "## nanprobe\n\n**{}**\n", text(&diagnosis.headline))?;
    symptom(page, diagnosis)?;
    fixes(page, diagnosis)?;
    if !diagnosis.run.problems.is_empty() {
        writeln!(page, "What went wrong while measuring:\n")?;
        for problem in &diagnosis.run.problems {
            writeln!(page, "- {}", text(problem))?;
        }
        writeln!(page)?;
    }
    findings(page, diagnosis)?;
    cleared(page, diagnosis)?;
    unmeasured(page, diagnosis)?;
    reproduce(page, diagnosis)
}

fn symptom(page: &mut String, diagnosis: &Diagnosis) -> fmt::Result {
    let Some(symptom) = &diagnosis.symptom else { return Ok(()) };
    writeln!(
        page,
        "Accuracy {} on {} held-out samples ({}); chance is {}. Loss {} after {} x {} steps; ln(classes) is {}.\n",
        percent(symptom.accuracy.0),
        count(symptom.samples),
        share_interval(symptom.interval),
        percent(symptom.chance.0),
        loss(symptom.loss.0),
        plural(symptom.seeds as usize, "seed"),
        symptom.steps,
        loss(symptom.ln_classes.0)
    )
}

fn fixes(page: &mut String, diagnosis: &Diagnosis) -> fmt::Result {
    let Some(start) = diagnosis.start().filter(|_| !diagnosis.fixes.is_empty()) else { return Ok(()) };
    let of = if diagnosis.by_heart() { "of a few samples learned by heart" } else { "balanced accuracy" };
    writeln!(page, "### What to change\n\nFrom {} {of}:\n", percent(start.0))?;
    for (number, fix) in (1..).zip(&diagnosis.fixes) {
        writeln!(page, "{number}. {} → **{}**", text(&fix.remedy), percent(fix.accuracy.0))?;
    }
    writeln!(page)
}

fn findings(page: &mut String, diagnosis: &Diagnosis) -> fmt::Result {
    let rows = ranked::ranked(diagnosis);
    if rows.is_empty() {
        return Ok(());
    }
    writeln!(page, "| | fault | status | measured | effect of the fix | what to do |\n| ---: | --- | --- | --- | --- | --- |")?;
    for (depth, verdict) in rows {
        let rank = verdict.rank.filter(|_| verdict.explained_by.is_none()).map(|rank| rank.to_string()).unwrap_or_default();
        let branch = if depth > 0 { "↳ " } else { "" };
        let cells = [
            rank,
            format!("{branch}{}", code(&verdict.check)),
            ranked::status(verdict, ", "),
            text(&verdict.measured),
            text(&ranked::effect(diagnosis, verdict)),
            text(&ranked::advice(diagnosis, verdict)),
        ];
        writeln!(page, "| {} |", cells.join(" | "))?;
    }
    writeln!(page)
}

fn cleared(page: &mut String, diagnosis: &Diagnosis) -> fmt::Result {
    let clear = ranked::with_status(diagnosis, Status::Clear);
    if clear.is_empty() {
        return Ok(());
    }
    writeln!(page, "<details><summary>{} clear</summary>\n", plural(clear.len(), "check"))?;
    for verdict in clear {
        writeln!(page, "- {}: {}", code(&verdict.check), text(&verdict.measured))?;
    }
    writeln!(page, "\n</details>\n")
}

fn unmeasured(page: &mut String, diagnosis: &Diagnosis) -> fmt::Result {
    let reasons = ranked::unmeasured(diagnosis, false);
    if reasons.is_empty() {
        return Ok(());
    }
    let checks: usize = reasons.iter().map(|(_, checks)| checks.len()).sum();
    writeln!(page, "<details><summary>{} not measured, which is not a pass</summary>\n", plural(checks, "check"))?;
    for (reason, checks) in reasons {
        let checks: Vec<String> = checks.into_iter().map(code).collect();
        writeln!(page, "- {}: {}", text(reason), checks.join(", "))?;
    }
    writeln!(page, "\n</details>\n")
}

fn reproduce(page: &mut String, diagnosis: &Diagnosis) -> fmt::Result {
    writeln!(page, "<details><summary>How to reproduce</summary>\n")?;
    if !diagnosis.run.command.is_empty() {
        writeln!(page, "- command: {}", code(&diagnosis.run.command))?;
    }
    if let Some(job) = &diagnosis.job {
        writeln!(page, "- model: {}", text(&job.model))?;
        let [listed, probed, held_out] = job.samples.map(count);
        writeln!(page, "- data: {}, {listed} samples, {probed} probed, {held_out} held out", code(&job.data))?;
    }
    if let Some(config) = &diagnosis.run.config {
        writeln!(page, "- configuration: {}", code(config))?;
    }
    let run = &diagnosis.run.conditions;
    let versions: Vec<String> = run.versions.iter().map(|(name, version)| text(&format!("{name} {version}"))).collect();
    writeln!(page, "- seed {}, device {}, {}", run.seed, text(&run.device), plural(run.threads as usize, "thread"))?;
    if !versions.is_empty() {
        writeln!(page, "- versions: {}", versions.join(", "))?;
    }
    for lowered in &run.lowered {
        writeln!(page, "- to keep the budget of {:.0} s: {}", run.budget, text(lowered))?;
    }
    writeln!(page, "\n</details>")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    #[test]
    fn two_fixes_as_a_summary() {
        let mut diagnosis = samples::two_fixes();
        diagnosis.run.config = Some("nanprobe.toml".to_owned());
        insta::assert_snapshot!(markdown(&diagnosis));
    }

    #[test]
    fn measuring_died_early_as_a_summary() {
        insta::assert_snapshot!(markdown(&samples::died_early()));
    }

    #[test]
    fn every_row_has_six_cells_and_no_tag_of_its_own_whatever_files_say() {
        let mut diagnosis = samples::two_fixes();
        let evil = "a|b\n|c| </details><script>alert(1)</script> `x|y` @team";
        for verdict in &mut diagnosis.verdicts {
            (verdict.measured, verdict.remedy, verdict.message) = (evil.to_owned(), evil.to_owned(), evil.to_owned());
        }
        (diagnosis.headline, diagnosis.job.as_mut().unwrap().data) = (evil.to_owned(), evil.to_owned());
        diagnosis.run.problems = vec![evil.to_owned()];
        let page = markdown(&diagnosis);
        let rows: Vec<&str> = page.lines().filter(|line| line.starts_with('|')).collect();
        assert_eq!(rows.len(), 2 + 5, "{page}");
        assert!(rows.iter().all(|row| row.matches('|').count() == 7), "{page}");
        assert!(!page.contains("<script") && !page.contains("@team"), "{page}");
        assert_eq!(page.matches("<details>").count(), page.matches("</details>").count());
    }
}
