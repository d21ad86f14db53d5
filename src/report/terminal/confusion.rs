//! The confusion matrix, whole while it is readable, else its largest confusions.

use comfy_table::{CellAlignment, Row, Table, presets};

use super::page::{Page, Tone, cut, text_width};
use crate::diagnosis::Diagnosis;
use crate::report::numbers::{count, percent};

/// More classes than this are not read as a matrix.
const MOST_CLASSES: usize = 10;
/// Confusions named where there are more.
const PAIRS: usize = 5;
/// Columns that class names may take in the matrix.
const MOST_NAME: usize = 24;
/// Fewer than these say too little.
const LEAST_NAME: usize = 8;
/// Columns that a line about a pair has beside the two names.
const PAIR_FRAME: usize = 40;

/// Adds the matrix, or the pairs of classes that are confused most often.
pub(super) fn put(page: &mut Page, diagnosis: &Diagnosis) {
    let Some(symptom) = &diagnosis.symptom else { return };
    let confusion = &symptom.confusion;
    if confusion.iter().flatten().sum::<u64>() == 0 {
        return;
    }
    let names = diagnosis.job.as_ref().map_or(&[][..], |job| &job.classes);
    let over = if symptom.seeds > 1 { format!(" over {} seeds", symptom.seeds) } else { String::new() };
    page.blank();
    if let Some(matrix) = Matrix::fitting(confusion, names, page.width) {
        page.paragraph(Tone::Plain, &format!("held-out answers{over} (row: true class, column: answer)"));
        matrix.put(page, confusion);
    } else {
        pairs(page, confusion, names, &over);
    }
}

fn label(names: &[String], class: usize) -> String {
    names.get(class).map_or_else(|| class.to_string(), |name| format!("{class} {name}"))
}

struct Matrix {
    labels: Vec<String>,
    widths: Vec<usize>,
    gap: usize,
}

impl Matrix {
    /// The layout, if the matrix is small enough to be read and to fit.
    fn fitting(confusion: &[Vec<u64>], names: &[String], width: usize) -> Option<Self> {
        let columns = confusion.iter().map(Vec::len).max().unwrap_or(0);
        if confusion.len() > MOST_CLASSES || columns > MOST_CLASSES {
            return None;
        }
        let number = confusion.iter().flatten().max().map_or(1, |most| most.to_string().len());
        // Close together before not at all. The first column is an indentation.
        let (gap, room) = [2, 1].into_iter().find_map(|gap| {
            let room = width.checked_sub((number + gap) * columns + 1 + gap)?;
            (room >= LEAST_NAME).then_some((gap, room.min(MOST_NAME)))
        })?;
        let labels: Vec<String> = (0..confusion.len()).map(|class| cut(&label(names, class), room)).collect();
        let name = labels.iter().map(|label| text_width(label)).max().unwrap_or(0);
        let widths = [1, name].into_iter().chain(std::iter::repeat_n(number, columns)).collect();
        Some(Self { labels, widths, gap })
    }

    fn put(&self, page: &mut Page, confusion: &[Vec<u64>]) {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        let columns = self.widths.len() - 2;
        let head = [String::new(), String::new()].into_iter().chain((0..columns).map(|class| class.to_string()));
        table.add_row(head.map(|text| Tone::Dim.cell(text).set_alignment(CellAlignment::Right)));
        for (class, row) in confusion.iter().enumerate() {
            let numbers = (0..columns).map(|column| {
                let n = row.get(column).copied().unwrap_or(0);
                let tone = match (n, column == class) {
                    (0, _) => Tone::Dim,
                    (_, true) => Tone::Good,
                    (_, false) => Tone::Plain,
                };
                tone.cell(n).set_alignment(CellAlignment::Right)
            });
            let cells = [Tone::Plain.cell(""), Tone::Plain.cell(&self.labels[class])].into_iter().chain(numbers);
            table.add_row(Row::from(cells.collect::<Vec<_>>()));
        }
        page.table(table, &self.widths, self.gap);
    }
}

fn pairs(page: &mut Page, confusion: &[Vec<u64>], names: &[String], over: &str) {
    let mut wrong: Vec<(u64, usize, usize)> = Vec::new();
    for (class, row) in confusion.iter().enumerate() {
        wrong.extend(row.iter().enumerate().filter(|(answer, n)| *answer != class && **n > 0).map(|(answer, n)| (*n, class, answer)));
    }
    wrong.sort_by_key(|&(n, class, answer)| (std::cmp::Reverse(n), class, answer));
    if wrong.is_empty() {
        return;
    }
    page.paragraph(Tone::Plain, &format!("most frequent confusions, held out{over}"));
    let name = |class: usize| cut(&label(names, class), (page.width.saturating_sub(PAIR_FRAME) / 2).max(MOST_NAME / 2));
    let lines: Vec<(String, String)> = wrong
        .into_iter()
        .take(PAIRS)
        .map(|(n, class, answer)| {
            let of: u64 = confusion[class].iter().sum();
            let text = format!("of {} taken for {} ({} of {})", name(class), name(answer), count(n), count(of));
            (percent(n as f64 / of as f64), text)
        })
        .collect();
    for (share, text) in lines {
        page.fact(&share, Tone::Plain, &text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matrix_that_is_too_large_to_read_or_to_fit_is_not_drawn() {
        let square = |classes: usize, n: u64| vec![vec![n; classes]; classes];
        assert!(Matrix::fitting(&square(10, 120), &[], 80).is_some());
        assert!(Matrix::fitting(&square(11, 1), &[], 200).is_none());
        assert!(Matrix::fitting(&square(10, 1_000_000), &[], 60).is_none());
    }
}
