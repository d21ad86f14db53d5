//! Inferring which part of flat file names is the label: the word that takes few values, each in
//! several files, as `cat` and `dog` do in `cat.0.jpg` and `dog.0.jpg`.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::classes::some;
use super::error::DataError;
use super::naming::{Place, stem};
use super::words::{Case, words};

/// More distinct values than this are not classes (ImageNet has so many).
const MAX_CLASSES: usize = 1000;
/// A value in fewer files than this is not a class.
const MIN_FILES: usize = 2;
/// Words counted from either end.
const MAX_POSITION: usize = 16;
/// A rule that all but one file in so many follow is worth a hint.
const STRAYS_ONE_IN: usize = 100;

/// Infers the place of the label and says it in words; `files` are file names, sorted.
pub(super) fn infer(folder: &Path, files: &[PathBuf]) -> Result<(Place, String), DataError> {
    let names: Vec<String> = files.iter().map(|file| file.to_string_lossy().into_owned()).collect();
    let stems: Vec<Stem> = names.iter().map(|name| Stem::of(name)).collect();
    let fits = fits(&stems);
    let whole = |fit: &&Fit| fit.strays == 0;
    if let Some(fit) = best(fits.iter().filter(whole)) {
        let others: Vec<String> = fits
            .iter()
            .filter(|other| whole(other) && !other.numeric && !fit.decides(other) && !other.decides(fit))
            .map(|other| format!("{} ({})", describe(other.place, &stems), some(&other.classes())))
            .collect();
        let also =
            if others.is_empty() { String::new() } else { format!("; it could also be {}: choose with --labels", others.join(" or ")) };
        return Ok((fit.place, format!("{}{also}", describe(fit.place, &stems))));
    }
    let hint = best(fits.iter().filter(|fit| fit.strays * STRAYS_ONE_IN <= stems.len())).map_or(String::new(), |fit| {
        let (rule, stray) = (describe(fit.place, &stems), &names[fit.first_stray]);
        format!(
            " (the {rule} would do for all but {} of {} files; move them away to use it: the first is `{stray}`)",
            fit.strays,
            stems.len()
        )
    });
    let (first, last) = (names.first().cloned().unwrap_or_default(), names.last().cloned().unwrap_or_default());
    Err(DataError::LabelsUnclear { path: folder.to_owned(), first, last, hint })
}

/// A file name's stem and its words.
struct Stem<'a> {
    text: &'a str,
    words: Vec<Range<usize>>,
}

impl<'a> Stem<'a> {
    fn of(name: &'a str) -> Self {
        let text = stem(name);
        Self { text, words: words(text, Case::Ignore) }
    }
}

/// How a place divides the files.
struct Fit<'a> {
    place: Place,
    /// The values found, one a file; none for a stray.
    values: Vec<Option<&'a str>>,
    /// Whether the values are numbers.
    numeric: bool,
    /// Files without a usable value, and the first of them.
    strays: usize,
    first_stray: usize,
}

impl Fit<'_> {
    fn classes(&self) -> Vec<String> {
        self.values.iter().flatten().collect::<BTreeSet<_>>().into_iter().map(|&value| value.to_owned()).collect()
    }

    /// Whether the other's value follows from this one's: the same classes, or coarser ones.
    fn decides(&self, other: &Self) -> bool {
        let pairs: HashSet<_> = self.values.iter().zip(&other.values).collect();
        let own: HashSet<_> = self.values.iter().collect();
        pairs.len() == own.len()
    }
}

/// All places that could be the label, in the order of preference within their kind.
fn fits<'a>(stems: &[Stem<'a>]) -> Vec<Fit<'a>> {
    let counts = || stems.iter().map(|stem| stem.words.len());
    let (fewest, most) = (counts().min().unwrap_or(0), counts().max().unwrap_or(0));
    let mut places = Vec::new();
    if fewest != most {
        // A varying number of words: the label may have several, as in `american_bulldog_100`.
        places.extend([Place::BeforeNumber, Place::AfterNumber]);
    }
    places.extend((0..most.min(MAX_POSITION)).map(Place::FromLeft));
    if fewest != most {
        places.extend((0..most.min(MAX_POSITION)).map(Place::FromRight));
    }
    places.into_iter().filter_map(|place| fit(place, stems)).collect()
}

fn fit<'a>(place: Place, stems: &[Stem<'a>]) -> Option<Fit<'a>> {
    let is_number = |value: &str| value.starts_with(|c: char| c.is_ascii_digit());
    let mut values: Vec<Option<&str>> =
        stems.iter().map(|stem| place.find(stem.text, &stem.words).map(|range| &stem.text[range])).collect();
    let numbers = values.iter().flatten().filter(|value| is_number(value)).count();
    let numeric = 2 * numbers > values.iter().flatten().count();
    let mut files: HashMap<&str, usize> = HashMap::new();
    for value in values.iter().flatten().filter(|value| is_number(value) == numeric) {
        *files.entry(value).or_default() += 1;
    }
    files.retain(|_, count| *count >= MIN_FILES);
    for value in &mut values {
        *value = value.filter(|value| files.contains_key(value));
    }
    let strays = values.iter().filter(|value| value.is_none()).count();
    let first_stray = values.iter().position(Option::is_none).unwrap_or(0);
    (2..=MAX_CLASSES).contains(&files.len()).then_some(Fit { place, values, numeric, strays, first_stray })
}

/// The first place with words, else the place with the fewest distinct numbers.
fn best<'a, 'b: 'a>(fits: impl Iterator<Item = &'a Fit<'b>> + Clone) -> Option<&'a Fit<'b>> {
    fits.clone().find(|fit| !fit.numeric).or_else(|| fits.min_by_key(|fit| fit.classes().len()))
}

/// A place in words, such as ``file name up to the first `.` ``.
fn describe(place: Place, stems: &[Stem]) -> String {
    let common = |separator: fn(&Stem) -> Option<char>| {
        let first = separator(stems.first()?)?;
        stems.iter().all(|stem| separator(stem) == Some(first)).then_some(first)
    };
    match place {
        Place::FromLeft(0) => match common(|stem| stem.text[stem.words.first()?.end..].chars().next().filter(|c| !c.is_alphanumeric())) {
            Some(separator) if stems.iter().all(|stem| stem.text.find(separator) == stem.words.first().map(|word| word.end)) => {
                format!("file name up to the first `{separator}`")
            }
            _ => "first word of the file name".to_owned(),
        },
        Place::FromRight(0) => "last word of the file name".to_owned(),
        Place::FromLeft(position) => format!("word {} of the file name", position + 1),
        Place::FromRight(position) => format!("word {} from the end of the file name", position + 1),
        Place::BeforeNumber => "file name up to its number".to_owned(),
        Place::AfterNumber => "file name after its number".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inferred(files: &[&str]) -> Result<(Place, String), String> {
        let files: Vec<PathBuf> = files.iter().map(PathBuf::from).collect();
        infer(Path::new("data"), &files).map_err(|error| error.to_string())
    }

    fn place(files: &[&str]) -> Place {
        inferred(files).unwrap().0
    }

    #[test]
    fn the_label_is_the_word_that_takes_few_values() {
        let (place_of_cat, rule) = inferred(&["cat.0.jpg", "cat.1.jpg", "dog.0.jpg", "dog.1.jpg"]).unwrap();
        assert_eq!((place_of_cat, rule.as_str()), (Place::FromLeft(0), "file name up to the first `.`"));
        assert_eq!(place(&["cat_001.png", "cat_002.png", "dog_003.png", "dog_004.png"]), Place::FromLeft(0));
        assert_eq!(place(&["0001_cat.jpg", "0002_cat.jpg", "0003_dog.jpg", "0004_dog.jpg"]), Place::FromLeft(1));
        assert_eq!(place(&["IMG-cat-1.jpeg", "IMG-cat-12.jpeg", "IMG-dog-3.jpeg", "IMG-dog-4.jpeg"]), Place::FromLeft(1));
        assert_eq!(place(&["cat1.png", "cat2.png", "dog1.png", "dog2.png"]), Place::FromLeft(0));
    }

    #[test]
    fn a_label_of_several_words_is_kept_whole() {
        let files = [
            "american_bulldog_1.jpg",
            "american_bulldog_2.jpg",
            "american_terrier_1.jpg",
            "american_terrier_2.jpg",
            "pug_1.jpg",
            "pug_2.jpg",
        ];
        assert_eq!(place(&files), Place::BeforeNumber);
    }

    #[test]
    fn an_id_of_letters_and_digits_leaves_the_label_to_be_counted_from_the_right() {
        assert_eq!(place(&["a3f_cat.png", "77b1c_cat.png", "ff_dog.png", "9_dog.png", "e12_dog.png"]), Place::FromRight(0));
    }

    #[test]
    fn numbers_are_labels_only_where_no_word_is() {
        assert_eq!(place(&["7_00012.png", "7_00013.png", "2_00014.png", "2_00015.png"]), Place::FromLeft(0));
        assert_eq!(place(&["n01440764_1.png", "n01440764_2.png", "n01443537_3.png", "n01443537_4.png"]), Place::FromLeft(1));
    }

    #[test]
    fn another_reading_is_mentioned_and_a_synonym_is_not() {
        let (place, rule) =
            inferred(&["cat_in_1.png", "cat_out_2.png", "dog_in_3.png", "dog_out_4.png", "cat_in_5.png", "dog_out_6.png"]).unwrap();
        assert_eq!(place, Place::FromLeft(0));
        assert_eq!(rule, "file name up to the first `_`; it could also be word 2 of the file name (in, out): choose with --labels");
        let (_, rule) = inferred(&["cat_felis_1.png", "cat_felis_2.png", "dog_canis_3.png", "dog_canis_4.png"]).unwrap();
        assert_eq!(rule, "file name up to the first `_`");
    }

    #[test]
    fn names_without_a_label_are_an_error_that_shows_two_and_the_way_out() {
        let message = inferred(&["0001.jpg", "0002.jpg", "0003.jpg"]).unwrap_err();
        assert!(message.contains("such as `0001.jpg` and `0003.jpg`") && message.contains("--labels 'REGEX'"), "{message}");
        assert!(inferred(&["IMG_1.jpg", "IMG_2.jpg", "IMG_3.jpg"]).is_err());
        assert!(inferred(&["d41d8cd9.png", "d7fa12e4.png", "4f9a3b21.png", "a8b7c6d5.png"]).is_err());
        assert!(inferred(&[]).is_err());
    }

    #[test]
    fn a_stray_file_is_named_with_the_rule_that_the_others_follow() {
        let mut files: Vec<String> = (0..200).map(|i| format!("{}.{i}.jpg", if i % 2 == 0 { "cat" } else { "dog" })).collect();
        files.push("cover.jpg".to_owned());
        let message = inferred(&files.iter().map(String::as_str).collect::<Vec<_>>()).unwrap_err();
        assert!(message.contains("all but 1 of 201 files") && message.contains("the first is `cover.jpg`"), "{message}");
    }
}
