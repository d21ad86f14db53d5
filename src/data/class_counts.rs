//! The measurement `class-counts`.

use nanprobe_checks::evidence::{ClassCount, ClassCounts};

use super::listing::Listing;
use super::subset::Subset;

/// How many samples each class has, in the whole training listing and in the probe subset.
pub fn class_counts(listing: &Listing, subset: &Subset) -> ClassCounts {
    let blank = |name: &String| ClassCount { name: name.clone(), listed: 0, train: 0, held_out: 0 };
    let mut classes: Vec<ClassCount> = listing.classes.iter().map(blank).collect();
    listing.labels.iter().for_each(|&label| classes[label as usize].listed += 1);
    subset.train.labels.iter().for_each(|&label| classes[label as usize].train += 1);
    subset.held_out.labels.iter().for_each(|&label| classes[label as usize].held_out += 1);
    ClassCounts { classes }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::testing::Tree;
    use crate::data::{DataOptions, SubsetOptions, subset};

    #[test]
    fn classes_are_counted_in_the_listing_and_in_the_subset() {
        let tree = Tree::of(&["cat/1.png", "cat/2.png", "cat/3.png", "dog/1.png", "dog/2.png", "empty/notes.txt"]);
        let listing = Listing::open(tree.path(), &DataOptions::default()).unwrap();
        let options = SubsetOptions { train: 2, held_out: 2, size: 2, ..SubsetOptions::default() };
        let counts = class_counts(&listing, &subset(&listing, None, &options, &|_, _| {}).unwrap());
        let numbers: Vec<_> = counts.classes.iter().map(|class| (class.name.as_str(), class.listed, class.train, class.held_out)).collect();
        assert_eq!(numbers, [("cat", 3, 1, 1), ("dog", 2, 1, 1), ("empty", 0, 0, 0)]);
    }
}
