//! A table in a text file, row by row: separated values, or one JSON object a line.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use serde_json::{Map, Value};

/// A larger file is no list of images.
const MAX_BYTES: u64 = 1 << 30;
/// A longer line is no row.
const MAX_LINE: u64 = 1 << 20;
/// Rows by which the columns are recognised.
const HEAD: usize = 1000;
const BOM: &[u8] = b"\xef\xbb\xbf";

/// How the file is written.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Form {
    Separated(u8),
    JsonLines,
}

/// A row, and the line that it stands in.
pub(super) type Row = (u64, Vec<String>);

/// A table, opened.
#[derive(Debug)]
pub(super) struct Table<'a> {
    path: &'a Path,
    form: Form,
    /// Names of the columns where the form itself gives them: the keys of JSON objects.
    pub keys: Vec<String>,
    /// The first rows; of separated values this may begin with a header.
    pub head: Vec<Row>,
}

impl<'a> Table<'a> {
    /// Recognises how the file is written and reads its first rows.
    pub fn open(path: &'a Path) -> Result<Self, String> {
        let failed = |error: std::io::Error| format!("{error}; make it readable");
        let length = path.metadata().map_err(failed)?.len();
        if length > MAX_BYTES {
            return Err(format!("it has {length} bytes, more than the {MAX_BYTES} that are read; split it"));
        }
        let mut begin = Vec::new();
        File::open(path).map_err(failed)?.take(MAX_LINE).read_to_end(&mut begin).map_err(failed)?;
        if begin.starts_with(b"\xff\xfe") || begin.starts_with(b"\xfe\xff") {
            return Err("it is in UTF-16; save it as UTF-8".to_owned());
        }
        if begin.contains(&0) {
            return Err("it is no text; give a .csv or .jsonl file".to_owned());
        }
        let form = form_of(path, begin.strip_prefix(BOM).unwrap_or(&begin));
        let mut table = Self { path, form, keys: Vec::new(), head: Vec::new() };
        if form == Form::JsonLines {
            table.keys = table.keys_of_head()?;
        }
        let head = table.rows()?.take(HEAD).collect::<Result<_, _>>()?;
        table.head = head;
        if table.head.is_empty() {
            return Err("it is empty; it needs a row for each image".to_owned());
        }
        Ok(table)
    }

    /// All rows; those without a value are left out. All of a row's values are there, the missing ones empty.
    pub fn rows(&self) -> Result<Box<dyn Iterator<Item = Result<Row, String>> + '_>, String> {
        let file = File::open(self.path).map_err(|error| error.to_string())?;
        let is_filled = |row: &Result<Row, String>| !row.as_ref().is_ok_and(|(_, values)| values.iter().all(String::is_empty));
        Ok(match self.form {
            Form::Separated(separator) => Box::new(separated(file, separator).filter(is_filled)),
            Form::JsonLines => Box::new(objects(file).map(|object| object.map(|(line, object)| (line, self.values(&object))))),
        })
    }

    fn keys_of_head(&self) -> Result<Vec<String>, String> {
        let mut keys: Vec<String> = Vec::new();
        for object in objects(File::open(self.path).map_err(|error| error.to_string())?).take(HEAD) {
            let new: Vec<String> = object?.1.keys().filter(|key| !keys.contains(*key)).cloned().collect();
            keys.extend(new);
        }
        Ok(keys)
    }

    fn values(&self, object: &Map<String, Value>) -> Vec<String> {
        let text = |key: &String| match object.get(key) {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.trim().to_owned(),
            Some(other) => other.to_string(),
        };
        self.keys.iter().map(text).collect()
    }
}

fn form_of(path: &Path, begin: &[u8]) -> Form {
    let named = |endings: &[&str]| path.extension().is_some_and(|own| endings.iter().any(|ending| own.eq_ignore_ascii_case(ending)));
    if named(&["jsonl", "ndjson"]) || begin.trim_ascii_start().starts_with(b"{") {
        return Form::JsonLines;
    }
    let first = begin.split(|byte| *byte == b'\n').find(|line| !line.trim_ascii().is_empty()).unwrap_or_default();
    let count = |separator: &u8| first.split(|byte| byte == separator).count();
    // Of equally many the last counts: the comma.
    Form::Separated([b'\t', b';', b','].into_iter().max_by_key(count).unwrap_or(b','))
}

fn separated(file: File, separator: u8) -> impl Iterator<Item = Result<Row, String>> {
    let mut reader = csv::ReaderBuilder::new();
    let reader = reader.delimiter(separator).has_headers(false).trim(csv::Trim::All).from_reader(file);
    reader.into_records().map(|record| {
        let record = record.map_err(|error| in_words(&error))?;
        let line = record.position().map_or(0, csv::Position::line);
        Ok((line, record.iter().map(str::to_owned).collect()))
    })
}

fn in_words(error: &csv::Error) -> String {
    let line =
        |position: &Option<csv::Position>| position.as_ref().map_or_else(String::new, |position| format!("line {}: ", position.line()));
    match error.kind() {
        csv::ErrorKind::Utf8 { pos, .. } => format!("{}not in UTF-8; save the file as UTF-8", line(pos)),
        csv::ErrorKind::UnequalLengths { pos, expected_len, len } => {
            format!("{}{len} values where the first line has {expected_len}; quote values that hold a separator", line(pos))
        }
        _ => error.to_string(),
    }
}

fn objects(file: File) -> impl Iterator<Item = Result<(u64, Map<String, Value>), String>> {
    let mut reader = BufReader::new(file);
    let mut number = 0;
    let next = move || {
        loop {
            let mut line = Vec::new();
            number += 1;
            match reader.by_ref().take(MAX_LINE + 1).read_until(b'\n', &mut line) {
                Err(error) => return Some(Err(format!("line {number}: {error}"))),
                Ok(0) => return None,
                Ok(length) if length as u64 > MAX_LINE => return Some(Err(format!("line {number} has more than {MAX_LINE} bytes"))),
                Ok(_) => {}
            }
            let text = line.strip_prefix(BOM).filter(|_| number == 1).unwrap_or(&line).trim_ascii();
            if !text.is_empty() {
                let parsed = serde_json::from_slice(text);
                return Some(parsed.map(|object| (number, object)).map_err(|error| format!("line {number} is no JSON object: {error}")));
            }
        }
    };
    let mut next = next;
    let mut failed = false;
    // A line that is too long would be read on in its middle.
    std::iter::from_fn(move || if failed { None } else { next().inspect(|row| failed = row.is_err()) })
}
