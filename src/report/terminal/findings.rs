//! The ranked table: what is wrong, what fixing it buys, what to do.

use comfy_table::{CellAlignment, ContentArrangement, Row, Table, TableStyle, presets};
use nanprobe_checks::Severity;

use super::page::{Page, Tone, break_word, clean};
use crate::diagnosis::{Diagnosis, Status, Verdict};
use crate::report::ranked;

/// From this width on every column stands on its own.
const ROOMY: usize = 100;
/// Below this width the effect stands under what was measured.
const NARROW: usize = 72;
const GAP: usize = 2;

/// Adds the table, if there is a finding or one that proved harmless.
pub(super) fn put(page: &mut Page, diagnosis: &Diagnosis) {
    let rows = ranked::ranked(diagnosis);
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
        let advice = body.cell(fitted(&clean(&ranked::advice(self.diagnosis, verdict)), self.widths[last]));
        let effect = clean(&ranked::effect(self.diagnosis, verdict));
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
        Row::from(vec![rank, tone.cell(ranked::status(verdict, "\n")), tone.cell(self.fault(depth, verdict, 2)), measured, effect, advice])
    }

    /// The check's name in the column of that index, behind a branch where another finding explains it.
    fn fault(&self, depth: usize, verdict: &Verdict, column: usize) -> String {
        let indent = 2 * depth.min(2);
        let name = break_word(&clean(&verdict.check), self.widths[column] - indent);
        if depth == 0 { name } else { format!("{:>indent$}{}", "└ ", name.replace('\n', &format!("\n{:indent$}", ""))) }
    }

    fn fault_with_status(&self, depth: usize, verdict: &Verdict) -> String {
        let indent = 2 * depth.min(2);
        let status = ranked::status(verdict, if self.width >= NARROW { " " } else { "\n" });
        let below = status.lines().map(|line| format!("{:indent$}{line}", ""));
        [self.fault(depth, verdict, 1)].into_iter().chain(below).collect::<Vec<_>>().join("\n")
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
