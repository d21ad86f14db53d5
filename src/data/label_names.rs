//! The measurement `label-names`: does a file's own name speak of another class than its label?

use std::collections::HashMap;

use nanprobe_checks::evidence::{LabelNames, NameDisagreement};

use super::listing::Listing;
use super::naming::stem;
use super::words::{Case, words};

/// Disagreements kept as examples.
const MAX_EXAMPLES: usize = 20;
/// A shorter class name turns up in file names by chance.
const MIN_NAME_LENGTH: usize = 2;

/// Compares labels with class names that stand in file names (not in folder names) as whole words.
/// Class names that are numbers or a single letter do not count: a file's number is not its class.
pub fn label_names(listing: &Listing) -> LabelNames {
    let named = NamedClasses::of(&listing.classes);
    let mut result = LabelNames {
        independent: !listing.labels_in_names,
        files: listing.paths().len() as u64,
        naming: 0,
        disagreeing: 0,
        examples: vec![],
    };
    for (index, (path, &label)) in listing.paths().iter().zip(&listing.labels).enumerate() {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let Some(class) = named.only_one_in(stem(&name)) else { continue };
        result.naming += 1;
        if class != label as usize {
            result.disagreeing += 1;
            if result.examples.len() < MAX_EXAMPLES {
                let (named, labelled) = (listing.classes[class].clone(), listing.classes[label as usize].clone());
                result.examples.push(NameDisagreement { path: listing.path_of(index), named, labelled });
            }
        }
    }
    result
}

/// Class names as words in lower case, by their first word.
struct NamedClasses {
    by_first_word: HashMap<String, Vec<(usize, Vec<String>)>>,
}

impl NamedClasses {
    fn of(classes: &[String]) -> Self {
        let mut by_first_word: HashMap<String, Vec<(usize, Vec<String>)>> = HashMap::new();
        for (class, name) in classes.iter().enumerate() {
            let words = lower_words(name);
            if name.chars().count() >= MIN_NAME_LENGTH && name.chars().any(char::is_alphabetic) && !words.is_empty() {
                by_first_word.entry(words[0].clone()).or_default().push((class, words));
            }
        }
        Self { by_first_word }
    }

    /// The class that a stem names, if it names exactly one. `T-shirt` does not name `shirt` as well.
    fn only_one_in(&self, stem: &str) -> Option<usize> {
        let words = lower_words(stem);
        let mut matches: Vec<(usize, usize, usize)> = Vec::new();
        for (start, word) in words.iter().enumerate() {
            for (class, name) in self.by_first_word.get(word).into_iter().flatten() {
                if words[start..].starts_with(name) {
                    matches.push((*class, start, start + name.len()));
                }
            }
        }
        let within = |inner: &(usize, usize, usize), outer: &(usize, usize, usize)| {
            inner.0 != outer.0 && outer.1 <= inner.1 && inner.2 <= outer.2 && outer.2 - outer.1 > inner.2 - inner.1
        };
        let mut classes = matches.iter().filter(|one| !matches.iter().any(|other| within(one, other))).map(|one| one.0);
        let first = classes.next()?;
        classes.all(|class| class == first).then_some(first)
    }
}

fn lower_words(text: &str) -> Vec<String> {
    words(text, Case::Splits).into_iter().map(|word| text[word].to_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::DataOptions;
    use crate::data::testing::Tree;

    fn measured(files: &[&str]) -> LabelNames {
        label_names(&Listing::open(Tree::of(files).path(), &DataOptions::default()).unwrap())
    }

    #[test]
    fn a_file_named_after_another_class_disagrees() {
        let names =
            measured(&["cat/cat.1.jpg", "cat/dog12.jpg", "dog/IMG_Dog_3.jpg", "dog/photo.jpg", "dog/cat-and-dog.jpg", "dog/category.jpg"]);
        assert!(names.independent);
        assert_eq!((names.files, names.naming, names.disagreeing), (6, 3, 1));
        assert_eq!(names.examples, [NameDisagreement { path: "cat/dog12.jpg".into(), named: "dog".into(), labelled: "cat".into() }]);
    }

    #[test]
    fn a_longer_class_name_hides_a_shorter_one_within_it() {
        let names = measured(&["Shirt/t_shirt_1.jpg", "Shirt/shirt2.jpg", "T-shirt/TShirt3.jpg"]);
        assert_eq!((names.naming, names.disagreeing), (3, 1));
    }

    #[test]
    fn numbers_and_single_letters_are_not_names() {
        let names = measured(&["0/img_1.jpg", "1/img_0.jpg", "a/a_1.jpg", "17/17.jpg"]);
        assert_eq!((names.files, names.naming), (4, 0));
    }

    #[test]
    fn labels_read_from_the_names_are_no_independent_evidence() {
        let names = measured(&["cat.1.jpg", "cat.2.jpg", "dog.1.jpg", "dog.2.jpg"]);
        assert_eq!((names.independent, names.naming, names.disagreeing), (false, 4, 0));
    }
}
