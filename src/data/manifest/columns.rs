//! Which column holds the path, which the label: by their names, else by what is in them.

use std::collections::HashSet;

use super::table::{Row, Table};
use crate::data::error::EXTENSIONS;
use crate::data::folder::{HELD_OUT, TRAIN};

/// Usual names of the column of paths, the likeliest first; in lower case, without separators.
const PATHS: [&str; 13] = [
    "path",
    "filepath",
    "filepaths",
    "file",
    "filename",
    "imagepath",
    "imgpath",
    "imagefile",
    "imagename",
    "image",
    "img",
    "imageid",
    "id",
];
/// Usual names of the column of labels, the likeliest first.
const LABELS: [&str; 10] = ["label", "labels", "class", "target", "category", "y", "classname", "labelname", "classid", "diagnosis"];
/// Usual names of the column that says which part a row belongs to.
const SPLITS: [&str; 5] = ["split", "subset", "partition", "set", "dataset"];

/// The columns that are read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Columns {
    /// Whether the first row names them.
    pub header: bool,
    /// Position of the path.
    pub path: usize,
    /// Position of the label.
    pub label: usize,
    /// Position of the part.
    pub split: Option<usize>,
    names: Vec<String>,
}

impl Columns {
    /// Recognises the columns of a table.
    pub fn find(table: &Table) -> Result<Self, String> {
        let (_, first) = &table.head[0];
        let by_keys = !table.keys.is_empty();
        let header = by_keys || is_header(first, &table.head[1..]);
        let names = if by_keys { table.keys.clone() } else { first.clone() };
        let rows = &table.head[usize::from(header && !by_keys)..];
        if rows.is_empty() {
            return Err("it has a header and no rows; it needs a row for each image".to_owned());
        }
        let named = |known: &[&str], not: Option<usize>| {
            let position = |name: &&str| names.iter().enumerate().position(|(at, own)| plain(own) == **name && Some(at) != not);
            known.iter().find_map(position).filter(|_| header)
        };
        let shown = |columns: &[usize]| columns.iter().map(|&column| shown(&names, header, column)).collect::<Vec<_>>().join(", ");
        let all: Vec<usize> = (0..names.len()).collect();
        let Some(path) = of_images(rows, names.len()).or_else(|| named(&PATHS, None)) else {
            return Err(format!("none of its columns ({}) holds paths of images; name the one that does `path`", shown(&all)));
        };
        let split = named(&SPLITS, Some(path)).filter(|&column| says_parts(rows, column));
        let label = named(&LABELS, Some(path)).map_or_else(
            || match of_classes(rows, names.len(), &[Some(path), split])[..] {
                [only] => Ok(only),
                [] => Err(format!("none of its columns ({}) holds labels; name the one that does `label`", shown(&all))),
                ref several => Err(format!("its columns {} may each be the label; name the one that is `label`", shown(several))),
            },
            Ok,
        )?;
        Ok(Self { header: header && !by_keys, path, label, split, names: if header { names } else { Vec::new() } })
    }

    /// A column for a message: by name, or by number from 1.
    pub fn name(&self, column: usize) -> String {
        shown(&self.names, !self.names.is_empty(), column)
    }
}

fn shown(names: &[String], header: bool, column: usize) -> String {
    if header { format!("`{}`", names[column]) } else { format!("{}", column + 1) }
}

/// The key that usually names a label, the likeliest of those given.
pub(in crate::data) fn label_key(keys: &[&str]) -> Option<String> {
    LABELS.iter().find_map(|label| keys.iter().find(|key| plain(key) == *label)).map(|key| (*key).to_owned())
}

/// A name without what people separate words by: `Image_Path`, `image path` and `imagePath` are one.
fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

fn is_header(first: &[String], others: &[Row]) -> bool {
    let is_known = |name: &String| [&PATHS[..], &LABELS[..], &SPLITS[..]].iter().any(|names| names.contains(&plain(name).as_str()));
    let any_image = |row: &[String]| row.iter().any(|value| is_image(value));
    !any_image(first) && (first.iter().any(is_known) || others.iter().any(|(_, row)| any_image(row)))
}

fn is_image(value: &str) -> bool {
    value.rsplit_once('.').is_some_and(|(_, ending)| EXTENSIONS.iter().any(|known| ending.eq_ignore_ascii_case(known)))
}

/// The first column of which most values end as image files do.
fn of_images(rows: &[Row], columns: usize) -> Option<usize> {
    let images = |column: usize| rows.iter().filter(|(_, row)| row.get(column).is_some_and(|value| is_image(value))).count();
    (0..columns).find(|&column| images(column) * 2 > rows.len())
}

/// Columns of a few values that come again and again.
fn of_classes(rows: &[Row], columns: usize, not: &[Option<usize>]) -> Vec<usize> {
    let values = |column: usize| rows.iter().filter_map(|(_, row)| row.get(column)).collect::<HashSet<_>>();
    let few = |column: &usize| (2..=rows.len().div_ceil(2).max(2)).contains(&values(*column).len());
    let others: Vec<usize> = (0..columns).filter(|column| !not.contains(&Some(*column))).collect();
    match others[..] {
        [only] => vec![only],
        _ => others.into_iter().filter(few).collect(),
    }
}

fn says_parts(rows: &[Row], column: usize) -> bool {
    let mut values = rows.iter().filter_map(|(_, row)| row.get(column));
    values.all(|value| part(value).is_some())
}

/// The place of a part among all, training first, then in the order in which they are taken to judge by.
pub(super) fn part(value: &str) -> Option<usize> {
    if TRAIN.iter().any(|name| value.eq_ignore_ascii_case(name)) {
        return Some(0);
    }
    HELD_OUT.iter().position(|name| value.eq_ignore_ascii_case(name)).map(|place| place + 1)
}
