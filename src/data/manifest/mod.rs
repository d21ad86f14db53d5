//! Manifests: a CSV or JSONL file that lists image files with their labels.
//!
//! The columns are recognised ([`columns`]) and said in the listing's rule. Paths are read as the manifest's folder gives them; they may
//! be absolute or lead out of it, for it is the user's own list. A file that is not there is an unreadable file like any other.

use std::path::{Path, PathBuf};

use super::error::{DataError, show};
use super::folder::{HELD_OUT, TRAIN};
use super::kind::SourceKind;
use super::label_values::LabelValues;
use super::listing::Listing;
use super::recognise::{Part, files_ending};

mod columns;
mod place;
mod table;
#[cfg(test)]
mod tests;

pub(super) use columns::label_key;

use columns::Columns;
use place::Place;
use table::Table;

const ENDINGS: [&str; 4] = ["csv", "tsv", "jsonl", "ndjson"];
/// Names of a table that lists a folder's images, the likeliest first. `metadata` is Hugging Face's.
const NAMES: [&str; 9] = ["metadata", "labels", "train", "train_labels", "training", "annotations", "manifest", "index", "data"];

/// Whether a file is a table by its name.
pub(super) fn is_table(path: &Path) -> bool {
    path.extension().is_some_and(|own| ENDINGS.iter().any(|ending| own.eq_ignore_ascii_case(ending)))
}

/// The table that lists a folder's images: one of the usual names, else the only one there. A competition's sample submission lists images
/// too, with labels that are no labels.
pub(super) fn in_folder(folder: &Path) -> Option<PathBuf> {
    let mut tables = files_ending(folder, &ENDINGS);
    tables.retain(|table| !table.to_string_lossy().to_lowercase().ends_with("submission.csv"));
    let named = |name: &&str| tables.iter().position(|table| table.file_stem().is_some_and(|stem| stem.eq_ignore_ascii_case(name)));
    let found = NAMES.iter().find_map(named).or_else(|| (tables.len() == 1).then_some(0));
    found.map(|position| tables.swap_remove(position))
}

/// The table of held-out images beside one of training images: `val.csv` beside `train.csv`.
pub(super) fn held_out_beside(table: &Path) -> Option<PathBuf> {
    let name = table.file_name()?.to_str()?.to_lowercase();
    let train = TRAIN.iter().rev().find(|train| name.contains(**train))?;
    let beside = files_ending(table.parent()?, &ENDINGS);
    let called = |path: &PathBuf, part: &str| {
        path.file_name().is_some_and(|own| own.to_string_lossy().to_lowercase() == name.replacen(train, part, 1))
    };
    HELD_OUT.iter().find_map(|part| beside.iter().find(|path| called(path, part)).cloned())
}

/// Lists the images of a table, or of one part where a column says which row belongs to which.
pub(super) fn open(path: &Path, part: Part) -> Result<Listing, DataError> {
    read(path, part).map_err(|problem| DataError::Form { path: path.to_owned(), form: "a manifest", problem })
}

fn read(path: &Path, wanted: Part) -> Result<Listing, String> {
    let table = Table::open(path)?;
    let columns = Columns::find(&table)?;
    let root = path.parent().unwrap_or(Path::new(""));
    let skip = usize::from(columns.header);
    let names: Vec<&str> = table.head[skip..].iter().filter_map(|(_, row)| row.get(columns.path).map(String::as_str)).collect();
    let place = Place::find(root, &names)?;

    let mut labels = LabelValues::default();
    let mut files = Vec::new();
    for row in table.rows()?.skip(skip) {
        let (line, row) = row?;
        let value = |column: usize| {
            let value = row.get(column).filter(|value| !value.is_empty());
            value.ok_or_else(|| format!("line {line} has nothing in column {}; fill it in or take the line out", columns.name(column)))
        };
        let unknown = |value: &str| format!("line {line} belongs to `{value}`, which is no part; known: train, {}", HELD_OUT.join(", "));
        let part = columns.split.map_or(Ok(0), |column| columns::part(value(column)?).ok_or_else(|| unknown(&row[column])))?;
        labels.push(value(columns.label)?).map_err(|problem| format!("column {}: {problem}", columns.name(columns.label)))?;
        files.push((place.path(value(columns.path)?), part));
    }
    let (classes, labels) = labels.classes().map_err(|problem| format!("column {}: {problem}", columns.name(columns.label)))?;
    let part = match wanted {
        Part::Training => files.iter().map(|(_, part)| *part).min(),
        Part::HeldOut if files.iter().all(|(_, part)| *part > 0) => None,
        Part::HeldOut => files.iter().map(|(_, part)| *part).filter(|part| *part > 0).min(),
    };
    let part = part.ok_or("no column says which rows are held out")?;
    let samples = files.into_iter().zip(labels).filter(|((_, own), _)| *own == part).map(|((file, _), label)| (file, label)).collect();
    let mut listing = Listing::of_files(root, SourceKind::Manifest, rule(path, &columns, &place, part), classes, samples);
    path.clone_into(&mut listing.source);
    if wanted == Part::HeldOut {
        listing.source.as_mut_os_string().push(format!(":{}", part_name(part)));
    }
    Ok(listing)
}

fn part_name(part: usize) -> &'static str {
    if part == 0 { TRAIN[0] } else { HELD_OUT[part - 1] }
}

/// How the labels were found, in words.
fn rule(path: &Path, columns: &Columns, place: &Place, part: usize) -> String {
    let (label, file) = (columns.name(columns.label), columns.name(columns.path));
    let table = show(Path::new(path.file_name().unwrap_or_default()));
    let header = if label.starts_with('`') { "" } else { ", which has no header" };
    let part = columns.split.map_or_else(String::new, |column| format!(", rows whose {} is `{}`", columns.name(column), part_name(part)));
    format!("column {label} of `{table}`{header}; files from column {file}{}{part}", place.in_words())
}
