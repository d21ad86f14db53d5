//! How a label is found in a file's name or path.

use std::ops::Range;
use std::path::{MAIN_SEPARATOR, Path};

use regex::Regex;

use super::error::DataError;
use super::words::{Case, words};

/// A rule that finds a label in a file's path below the folder.
#[derive(Clone, Debug)]
pub(super) enum Naming {
    /// A place in the file's stem, inferred.
    Place(Place),
    /// `--labels`.
    Pattern(Regex),
}

/// A place in the stem of a file name; words are counted from 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Place {
    /// A word, counted from the left.
    FromLeft(usize),
    /// A word, counted from the right.
    FromRight(usize),
    /// All that stands before the only number, which is the last word: `american_bulldog_100`.
    BeforeNumber,
    /// All that stands after the only number, which is the first word: `100_american_bulldog`.
    AfterNumber,
}

/// A label that was found.
#[derive(Debug, PartialEq)]
pub(super) struct Found<'a> {
    /// The label.
    pub label: &'a str,
    /// Whether it stands in the file's own name, not in that of a folder.
    pub in_file_name: bool,
}

impl Naming {
    /// The rule that `--labels` states: its group `label`, or its first.
    pub fn pattern(pattern: &str) -> Result<Self, DataError> {
        let regex = Regex::new(pattern).map_err(|source| DataError::BadPattern { pattern: pattern.to_owned(), source })?;
        if regex.captures_len() < 2 {
            return Err(DataError::PatternWithoutGroup { pattern: pattern.to_owned() });
        }
        Ok(Self::Pattern(regex))
    }

    /// The label in a path below the folder, its parts separated by `/`.
    pub fn find<'a>(&self, path: &'a str) -> Option<Found<'a>> {
        let name = path.rfind('/').map_or(0, |slash| slash + 1);
        let range = match self {
            Self::Place(place) => {
                let stem = stem(&path[name..]);
                let range = place.find(stem, &words(stem, Case::Ignore))?;
                name + range.start..name + range.end
            }
            Self::Pattern(regex) => {
                let captures = regex.captures(path)?;
                captures.name("label").or_else(|| captures.get(1)).filter(|group| !group.is_empty())?.range()
            }
        };
        Some(Found { in_file_name: range.start >= name, label: &path[range] })
    }
}

impl Place {
    /// The place in a stem that has these words.
    pub fn find(self, stem: &str, words: &[Range<usize>]) -> Option<Range<usize>> {
        let is_number = |word: &Range<usize>| stem[word.clone()].starts_with(|c: char| c.is_ascii_digit());
        let text = |words: &[Range<usize>]| {
            let (first, last) = (words.first()?, words.last()?);
            (!words.iter().any(is_number)).then_some(first.start..last.end)
        };
        match self {
            Self::FromLeft(position) => words.get(position).cloned(),
            Self::FromRight(position) => words.iter().nth_back(position).cloned(),
            Self::BeforeNumber => words.split_last().filter(|(last, _)| is_number(last)).and_then(|(_, rest)| text(rest)),
            Self::AfterNumber => words.split_first().filter(|(first, _)| is_number(first)).and_then(|(_, rest)| text(rest)),
        }
    }
}

/// A file name without its extension.
pub(super) fn stem(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}

/// A path as text, its parts separated by `/` on every system.
pub(super) fn slashed(path: &Path) -> String {
    let text = path.to_string_lossy();
    if MAIN_SEPARATOR == '/' { text.into_owned() } else { text.replace(MAIN_SEPARATOR, "/") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(place: Place, path: &str) -> Option<&str> {
        Naming::Place(place).find(path).map(|found| found.label)
    }

    #[test]
    fn a_place_is_counted_in_words_of_the_file_name() {
        assert_eq!(label(Place::FromLeft(0), "cat.0.jpg"), Some("cat"));
        assert_eq!(label(Place::FromRight(0), "sub/0001_cat.jpg"), Some("cat"));
        assert_eq!(label(Place::FromLeft(2), "cat.0.jpg"), None);
        assert_eq!(label(Place::BeforeNumber, "american_bulldog_100.jpg"), Some("american_bulldog"));
        assert_eq!(label(Place::AfterNumber, "100-pug.jpg"), Some("pug"));
        assert_eq!(label(Place::BeforeNumber, "100.jpg"), None);
    }

    #[test]
    fn a_pattern_takes_its_group_named_label_or_its_first() {
        let find =
            |pattern: &str, path: &'static str| Naming::pattern(pattern).unwrap().find(path).map(|found| (found.label, found.in_file_name));
        assert_eq!(find("^([a-z]+)", "cat.0.jpg"), Some(("cat", true)));
        assert_eq!(find("^([a-z]+)/", "dog/cat.0.jpg"), Some(("dog", false)));
        assert_eq!(find(r"(\d+)_(?P<label>[a-z]+)", "12_cat.jpg"), Some(("cat", true)));
        assert_eq!(find("^([A-Z]*)", "cat.0.jpg"), None);
    }

    #[test]
    fn a_bad_pattern_is_an_error_that_shows_it() {
        let message = Naming::pattern("([a-z").unwrap_err().to_string();
        assert!(message.starts_with("--labels `([a-z` is not a regular expression: unclosed character class;"), "{message}");
        let message = Naming::pattern("[a-z]+").unwrap_err().to_string();
        assert!(message.contains("no capture group"), "{message}");
    }
}
