//! The ranked table: what is wrong, what fixing it buys, what to do.

use comfy_table::{CellAlignment, ContentArrangement, Row, Table, TableStyle, presets};
use nanprobe_checks::{Location, Severity};

use super::page::{Page, Tone, break_word, clean};
use crate::diagnosis::{Diagnosis, Status, Verdict};
use crate::report::numbers;

/// From this width on every column stands on its own.
const ROOMY: usize = 100;
/// Below this width the effect stands under what was measured.
const NARROW: usize = 72;
const GAP: usize = 2;

/// Adds the table, if there is a finding or one that proved harmless.
pub(super) fn put(page: &mut Page, diagnosis: &Diagnosis) {
    let rows = ranked(diagnosis);
    if rows.is_empty() {
        return;
    }
    let columns = Columns::fitting(page.width, diagnosis);
    let mut table = Table::new();
    table.load_style(lines()).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(columns.titles().map(|title| Tone::Dim.cell(title)));
    for (depth, verdict) in rows {
        table.add_row(columns.row(depth, verdict));
    }
    if let Some(rank) = table.column_mut(0) {
        rank.set_cell_alignment(CellAlignment::Right);
    }
    page.blank();
    page.table(table, &columns.widths, GAP);
}

/// One rule below the header and air between the rows.
fn lines() -> TableStyle {
    use comfy_table::LineStyle;
    presets::NOTHING.header_separator(LineStyle::none().fill('─')).row_separator(LineStyle::none().fill(' '))
}

/// Findings by rank, each followed by what it explains; then what proved harmless. With the depth of explanation.
fn ranked(diagnosis: &Diagnosis) -> Vec<(usize, &Verdict)> {
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

/// Which columns there are, and how wide.
struct Columns<'a> {
    diagnosis: &'a Diagnosis,
    width: usize,
    widths: Vec<usize>,
}

impl<'a> Columns<'a> {
    fn fitting(width: usize, diagnosis: &'a Diagnosis) -> Self {
        let rank = diagnosis.verdicts.iter().filter_map(|v| v.rank).max().unwrap_or(0).to_string().len();
        let rest = |fixed: &[usize], columns: usize| width - fixed.iter().sum::<usize>() - GAP * (columns - 1);
        let widths = if width >= ROOMY {
            let fixed = [rank, 12, 26];
            let rest = rest(&fixed, 6);
            vec![rank, 12, 26, rest * 3 / 10, rest * 3 / 10, rest - 2 * (rest * 3 / 10)]
        } else if width >= NARROW {
            let rest = rest(&[rank, 19, 12], 5);
            vec![rank, 19, rest * 2 / 5, 12, rest - rest * 2 / 5]
        } else {
            let fault = (width / 4).max(12);
            let rest = rest(&[rank, fault], 4);
            vec![rank, fault, rest / 2, rest - rest / 2]
        };
        Self { diagnosis, width, widths }
    }

    fn titles(&self) -> impl Iterator<Item = &'static str> {
        let titles: &[&'static str] = match self.widths.len() {
            6 => &["#", "status", "fault", "measured", "effect", "what to do"],
            5 => &["#", "fault", "measured", "effect", "what to do"],
            _ => &["#", "fault", "measured, effect", "what to do"],
        };
        titles.iter().copied()
    }

    fn row(&self, depth: usize, verdict: &Verdict) -> Row {
        let tone = tone(verdict);
        // What is explained away or harmless stays in the background.
        let body = if tone == Tone::Dim { Tone::Dim } else { Tone::Plain };
        let rank = tone.cell(verdict.rank.map(|rank| rank.to_string()).unwrap_or_default());
        let last = self.widths.len() - 1;
        let advice = body.cell(fitted(&self.advice(verdict), self.widths[last]));
        let effect = self.effect(verdict);
        if self.width < NARROW {
            let fault = self.fault_with_status(depth, verdict);
            let measured = format!("{}\n{effect}", clean(&verdict.measured));
            return Row::from(vec![rank, tone.cell(fault), body.cell(fitted(&measured, self.widths[2])), advice]);
        }
        let effect = effect_tone(verdict).cell(fitted(&effect, self.widths[last - 1]));
        let measured = body.cell(fitted(&clean(&verdict.measured), self.widths[last - 2]));
        if self.width < ROOMY {
            return Row::from(vec![rank, tone.cell(self.fault_with_status(depth, verdict)), measured, effect, advice]);
        }
        Row::from(vec![rank, tone.cell(status(verdict, "\n")), tone.cell(self.fault(depth, verdict, 2)), measured, effect, advice])
    }

    /// The check's name in the column of that index, behind a branch where another finding explains it.
    fn fault(&self, depth: usize, verdict: &Verdict, column: usize) -> String {
        let indent = 2 * depth.min(2);
        let name = break_word(&clean(&verdict.check), self.widths[column] - indent);
        if depth == 0 { name } else { format!("{:>indent$}{}", "└ ", name.replace('\n', &format!("\n{:indent$}", ""))) }
    }

    fn fault_with_status(&self, depth: usize, verdict: &Verdict) -> String {
        let indent = 2 * depth.min(2);
        let status = status(verdict, if self.width >= NARROW { " " } else { "\n" });
        let below = status.lines().map(|line| format!("{:indent$}{line}", ""));
        [self.fault(depth, verdict, 1)].into_iter().chain(below).collect::<Vec<_>>().join("\n")
    }

    /// Another finding in few letters: its rank where it has one.
    fn short(&self, check: &str) -> String {
        let rank = self.diagnosis.verdicts.iter().find(|v| v.check == check).and_then(|v| v.rank);
        rank.map_or_else(|| clean(check), |rank| format!("#{rank}"))
    }

    fn effect(&self, verdict: &Verdict) -> String {
        if let Some(cause) = verdict.explained_by.as_ref().filter(|_| verdict.effect.is_none()) {
            return format!("gone with {}", self.short(cause));
        }
        let with = verdict.effect.iter().flat_map(|effect| &effect.with).map(|check| self.short(check)).collect::<Vec<_>>();
        let effect = numbers::effect(verdict);
        if with.is_empty() { effect } else { format!("{effect} with {} fixed", with.join(" and ")) }
    }

    /// What to do, and where.
    fn advice(&self, verdict: &Verdict) -> String {
        if let Some(cause) = verdict.explained_by.as_ref().filter(|_| verdict.status.is_finding()) {
            return format!("nothing of its own: fix {}", self.short(cause));
        }
        if verdict.status == Status::Harmless {
            return "nothing: changing it does not help".to_owned();
        }
        if let Some(accepted) = &verdict.accepted {
            return clean(&format!("nothing, accepted {}: {}", accepted.date, accepted.reason));
        }
        match verdict.location.as_ref().and_then(place) {
            Some(place) => clean(&format!("{} ({place})", verdict.remedy)),
            None => clean(&verdict.remedy),
        }
    }
}

/// A text whose words all fit into `width` columns: longer ones are broken where code and names can be.
fn fitted(text: &str, width: usize) -> String {
    let line = |line: &str| line.split(' ').map(|word| break_word(word, width)).collect::<Vec<_>>().join(" ");
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

fn effect_tone(verdict: &Verdict) -> Tone {
    match verdict.status {
        Status::Confirmed | Status::Contributing if verdict.effect.is_some() => Tone::Good,
        _ => Tone::Dim,
    }
}

fn tone(verdict: &Verdict) -> Tone {
    if !verdict.status.is_finding() || verdict.explained_by.is_some() || verdict.accepted.is_some() {
        return Tone::Dim;
    }
    match verdict.severity {
        Some(Severity::Error) => Tone::Error,
        Some(Severity::Warning) => Tone::Warning,
        _ => Tone::Note,
    }
}

fn status(verdict: &Verdict, between: &str) -> String {
    let severity = match verdict.severity.filter(|_| verdict.status.is_finding()) {
        Some(Severity::Error) => "error",
        Some(Severity::Warning) => "warning",
        Some(Severity::Note) => "note",
        None => return verdict.status.name().to_owned(),
    };
    let accepted = if verdict.accepted.is_some() { format!("{between}(accepted)") } else { String::new() };
    format!("{}{between}{severity}{accepted}", verdict.status.name())
}

/// The user's file and line, and the module, as far as they are known.
fn place(location: &Location) -> Option<String> {
    let file = location.file.as_ref().map(|file| location.line.map_or_else(|| format!("in {file}"), |line| format!("at {file}:{line}")));
    let module = (!location.module.is_empty()).then(|| format!("in `{}`", location.module));
    let places: Vec<String> = file.into_iter().chain(module).collect();
    (!places.is_empty()).then(|| places.join(", "))
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
