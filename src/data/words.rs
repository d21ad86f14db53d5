//! Words in a name: the runs of letters and the runs of digits.

use std::ops::Range;

/// Where a run of letters or digits ends.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Case {
    /// `catDog` is one word.
    Ignore,
    /// `catDog` is two words, and so is `TShirt`.
    Splits,
}

/// Byte ranges of the words of a text: split at all but letters and digits, and between the two.
pub(super) fn words(text: &str, case: Case) -> Vec<Range<usize>> {
    let mut words: Vec<Range<usize>> = Vec::new();
    let mut previous: Option<char> = None;
    let mut characters = text.char_indices().peekable();
    while let Some((at, c)) = characters.next() {
        let next = characters.peek().map(|&(_, c)| c);
        if c.is_alphanumeric() {
            match (previous, words.last_mut()) {
                (Some(before), Some(word)) if !is_boundary(before, c, next, case) => word.end = at + c.len_utf8(),
                _ => words.push(at..at + c.len_utf8()),
            }
            previous = Some(c);
        } else {
            previous = None;
        }
    }
    words
}

fn is_boundary(before: char, c: char, next: Option<char>, case: Case) -> bool {
    let ends_acronym = before.is_uppercase() && c.is_uppercase() && next.is_some_and(char::is_lowercase);
    before.is_ascii_digit() != c.is_ascii_digit() || case == Case::Splits && (before.is_lowercase() && c.is_uppercase() || ends_acronym)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str, case: Case) -> Vec<&str> {
        words(text, case).into_iter().map(|word| &text[word]).collect()
    }

    #[test]
    fn words_end_at_punctuation_and_where_letters_meet_digits() {
        assert_eq!(split("cat.0", Case::Ignore), ["cat", "0"]);
        assert_eq!(split("IMG-dog12 (3)", Case::Ignore), ["IMG", "dog", "12", "3"]);
        assert_eq!(split("n01440764_10026", Case::Ignore), ["n", "01440764", "10026"]);
        assert_eq!(split("__", Case::Ignore), [""; 0]);
        assert_eq!(split("köter_ß1", Case::Ignore), ["köter", "ß", "1"]);
    }

    #[test]
    fn case_splits_words_only_where_asked() {
        assert_eq!(split("goldenRetriever", Case::Ignore), ["goldenRetriever"]);
        assert_eq!(split("goldenRetriever", Case::Splits), ["golden", "Retriever"]);
        assert_eq!(split("TShirt", Case::Splits), ["T", "Shirt"]);
        assert_eq!(split("CAT", Case::Splits), ["CAT"]);
    }
}
