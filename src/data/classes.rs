//! Class names: choosing some, finding the nearest, showing a few.

use std::collections::HashMap;

use super::error::DataError;
use super::listing::Listing;

/// More names than this are not spelled out in a message.
const SHOWN: usize = 10;

/// What to do about a chosen class that the source does not have.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Absent {
    /// The user mistyped it.
    Error,
    /// It has no samples here.
    Keep,
}

/// Keeps the chosen classes and relabels them 0..k-1 in the order given; no choice keeps all.
pub(super) fn narrow(listing: Listing, chosen: &[String], absent: Absent) -> Result<Listing, DataError> {
    if chosen.is_empty() {
        return Ok(listing);
    }
    let mut label_of: HashMap<&str, u32> = HashMap::new();
    for (label, given) in chosen.iter().enumerate() {
        if absent == Absent::Error && !listing.classes.contains(given) {
            let (path, nearest) = (listing.source, nearest(given, &listing.classes));
            return Err(DataError::UnknownClass { path, given: given.clone(), nearest, known: listing.classes });
        }
        if label_of.insert(given, label as u32).is_some() {
            return Err(DataError::RepeatedClass { given: given.clone() });
        }
    }
    let new_label: Vec<Option<u32>> = listing.classes.iter().map(|class| label_of.get(class.as_str()).copied()).collect();
    let narrowed = listing.relabel(chosen.to_vec(), |label| new_label[label as usize]);
    if narrowed.is_empty() {
        return Err(DataError::NoSamples { path: narrowed.source, classes: narrowed.classes });
    }
    Ok(narrowed)
}

fn nearest(given: &str, known: &[String]) -> String {
    let distance = |name: &&String| strsim::damerau_levenshtein(&given.to_lowercase(), &name.to_lowercase());
    known.iter().min_by_key(distance).cloned().unwrap_or_default()
}

/// The names for a message: all of a few, or the first of many.
pub(crate) fn some(names: &[String]) -> String {
    match names.len() {
        0 => "none".to_owned(),
        count if count <= SHOWN => names.join(", "),
        count => format!("{}, ... ({count} in all)", names[..SHOWN - 2].join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::DataOptions;
    use crate::data::testing::Tree;

    fn narrowed(chosen: &[&str]) -> Result<Listing, String> {
        let tree = Tree::of(&["bird/1.png", "cat/1.png", "cat/2.png", "dog/1.png", "empty/notes.txt"]);
        let options = DataOptions { classes: chosen.iter().map(|&class| class.to_owned()).collect(), ..DataOptions::default() };
        Listing::open(tree.path(), &options).map_err(|error| error.to_string())
    }

    #[test]
    fn chosen_classes_are_labelled_in_the_order_given() {
        let listing = narrowed(&["dog", "cat"]).unwrap();
        assert_eq!(listing.classes, ["dog", "cat"]);
        assert_eq!(listing.labels, [1, 1, 0]);
        assert_eq!(listing.path_of(2), "dog/1.png");
    }

    #[test]
    fn an_unknown_class_is_answered_with_the_nearest() {
        let message = narrowed(&["cat", "Dgo"]).unwrap_err();
        assert!(
            message.starts_with("no class `Dgo` in `") && message.contains("did you mean `dog`? (there: bird, cat, dog, empty)"),
            "{message}"
        );
    }

    #[test]
    fn a_class_named_twice_or_without_samples_is_an_error() {
        assert!(narrowed(&["cat", "cat"]).unwrap_err().contains("names `cat` twice"));
        assert!(narrowed(&["empty"]).unwrap_err().starts_with("no samples of class empty in `"));
    }

    #[test]
    fn many_names_are_cut_short() {
        let names: Vec<String> = (0..37).map(|i| i.to_string()).collect();
        assert_eq!(some(&names), "0, 1, 2, 3, 4, 5, 6, 7, ... (37 in all)");
        assert_eq!(some(&names[..2]), "0, 1");
    }
}
