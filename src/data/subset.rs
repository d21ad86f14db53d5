//! The probe subset: a stratified, seeded sample of the listing, the only part that is decoded.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::vec;

use nanprobe_checks::evidence::{FileError, UnreadableFiles};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rayon::prelude::*;

use super::error::{DataError, show};
use super::listing::Listing;
use super::split::{apportion, train_and_held_out};
use super::tensors::Layout;

/// Failures kept as examples.
const MAX_EXAMPLES: usize = 20;

/// Samples in ascending order of their place in the listing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    /// The inputs of one sample after the other: pixels 0 to 255, [N, C, H, W], or what a file of tensors has.
    pub bytes: Vec<u8>,
    /// How one sample's bytes are read, input by input.
    pub layout: Vec<Layout>,
    /// One label a sample, by the training listing's classes.
    pub labels: Vec<i64>,
    /// One index a sample into the listing it comes from, ascending.
    pub indices: Vec<usize>,
}

impl Rows {
    /// N.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The bytes of one input of all samples.
    pub fn input(&self, index: usize) -> Vec<u8> {
        if self.layout.len() == 1 {
            return self.bytes.clone();
        }
        let sizes: Vec<usize> = self.layout.iter().map(Layout::bytes).collect();
        let (start, row) = (sizes[..index].iter().sum::<usize>(), sizes.iter().sum::<usize>().max(1));
        self.bytes.chunks(row).flat_map(|row| &row[start..start + sizes[index]]).copied().collect()
    }
}

/// What the probes train on and what they are judged by; disjoint.
#[derive(Clone, Debug, PartialEq)]
pub struct Subset {
    /// Training samples.
    pub train: Rows,
    /// Held-out samples.
    pub held_out: Rows,
    /// Where the held-out samples come from, in words: a path, or "a stratified split of the training data".
    pub held_out_from: String,
    /// Files that failed; each was replaced by another one of its class where there was one.
    pub unreadable: UnreadableFiles,
}

/// How much to decode, and to what.
#[derive(Clone, Debug, PartialEq)]
pub struct SubsetOptions {
    /// Training samples at most.
    pub train: usize,
    /// Held-out samples at most.
    pub held_out: usize,
    /// Side of the images, in pixels.
    pub size: usize,
    /// 1 for grey, 3 for RGB.
    pub channels: usize,
    /// What the choice of samples follows from.
    pub seed: u64,
}

impl Default for SubsetOptions {
    fn default() -> Self {
        Self { train: 1000, held_out: 400, size: 224, channels: 3, seed: 0 }
    }
}

/// A sample to be decoded.
struct Slot {
    held_out: bool,
    /// The pool that replacements come from.
    pool: usize,
    label: i64,
    index: usize,
}

/// A slot with its pixels.
type Filled = (Slot, Vec<u8>);

/// Samples `listing`, and `val` for what is held out, else a split of `listing`; then decodes the sample in
/// parallel. `progress` is told how many of how many samples are done, from several threads.
///
/// The same seed and files give the same subset, whatever the number of threads.
pub fn subset(
    listing: &Listing,
    val: Option<&Listing>,
    options: &SubsetOptions,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Subset, DataError> {
    let (slots, pools) = plan(listing, val, options)?;
    let (filled, mut failures) = fill(listing, val.unwrap_or(listing), slots, pools, options, progress);
    let tried = (filled.len() + failures.len()) as u64;
    failures.sort_by_key(|(held_out, index, _)| (*held_out, *index));
    let (held_out, train): (Vec<Filled>, Vec<Filled>) = filled.into_iter().partition(|(slot, _)| slot.held_out);
    if train.is_empty() || held_out.is_empty() {
        return Err(too_few(
            if train.is_empty() { listing } else { val.unwrap_or(listing) },
            train.len() + held_out.len(),
            tried,
            failures,
        ));
    }
    let failed = failures.len() as u64;
    let examples = failures.into_iter().take(MAX_EXAMPLES).map(|(_, _, error)| error).collect();
    Ok(Subset {
        train: assemble(train, listing.layout(options.channels, options.size)),
        held_out: assemble(held_out, val.unwrap_or(listing).layout(options.channels, options.size)),
        held_out_from: val.map_or_else(|| "a stratified split of the training data".to_owned(), |val| show(&val.source())),
        unreadable: UnreadableFiles { tried, failed, examples },
    })
}

/// A failure: whether it is of the held-out part, its index in the listing, and why.
type Failure = (bool, usize, FileError);

fn too_few(source: &Listing, found: usize, tried: u64, failures: Vec<Failure>) -> DataError {
    match failures.into_iter().next() {
        Some((_, _, FileError { path: file, reason })) if found == 0 => {
            DataError::NothingReadable { path: source.source(), tried, file, reason }
        }
        _ => DataError::TooFewSamples { path: source.source(), found },
    }
}

/// The slots to fill, and each pool's samples that no slot has yet.
fn plan(listing: &Listing, val: Option<&Listing>, options: &SubsetOptions) -> Result<(Vec<Slot>, Vec<vec::IntoIter<usize>>), DataError> {
    let mut rng = StdRng::seed_from_u64(options.seed);
    let classes = listing.classes.len();
    let mut pools = by_class(listing.labels.iter().map(|&label| Some(label as usize)), classes, &mut rng);
    let counts: Vec<usize> = pools.iter().map(Vec::len).collect();
    let (train, held_out) = match val {
        None => train_and_held_out(&counts, options.train, options.held_out),
        Some(val) => {
            let labels = held_out_labels(listing, val)?;
            let held_out = by_class(val.labels.iter().map(|&label| labels[label as usize]), classes, &mut rng);
            let val_counts: Vec<usize> = held_out.iter().map(Vec::len).collect();
            pools.extend(held_out);
            (whole(&counts, options.train), whole(&val_counts, options.held_out))
        }
    };
    let mut pools: Vec<vec::IntoIter<usize>> = pools.into_iter().map(Vec::into_iter).collect();
    let mut slots = Vec::with_capacity(options.train.saturating_add(options.held_out).min(listing.len()));
    for (is_held_out, shares) in [(false, train), (true, held_out)] {
        for (class, share) in shares.into_iter().enumerate() {
            let pool = if is_held_out && val.is_some() { classes + class } else { class };
            slots.extend(pools[pool].by_ref().take(share).map(|index| Slot { held_out: is_held_out, pool, label: class as i64, index }));
        }
    }
    Ok((slots, pools))
}

/// Shares of a listing that only one part is taken from.
fn whole(counts: &[usize], total: usize) -> Vec<usize> {
    let one: Vec<usize> = counts.iter().map(|&count| count.min(1)).collect();
    apportion(counts, total.min(counts.iter().sum()), &one, counts)
}

/// The samples of each class in random order.
fn by_class(labels: impl Iterator<Item = Option<usize>>, classes: usize, rng: &mut StdRng) -> Vec<Vec<usize>> {
    let mut pools = vec![Vec::new(); classes];
    for (index, label) in labels.enumerate() {
        if let Some(label) = label {
            pools[label].push(index);
        }
    }
    for pool in &mut pools {
        pool.shuffle(rng);
    }
    pools
}

/// The training label of each held-out class, by name; none for an unknown one without samples.
fn held_out_labels(listing: &Listing, val: &Listing) -> Result<Vec<Option<usize>>, DataError> {
    let mut used = vec![false; val.classes.len()];
    val.labels.iter().for_each(|&label| used[label as usize] = true);
    let label_of = |(class, used): (&String, bool)| match listing.classes.iter().position(|known| known == class) {
        None if used => Err(DataError::UnknownHeldOutClass { path: val.source(), class: class.clone(), known: listing.classes.clone() }),
        label => Ok(label),
    };
    val.classes.iter().zip(used).map(label_of).collect()
}

/// Decodes in rounds: what failed in one round is replaced in the next, from its own pool, in order.
fn fill(
    listing: &Listing,
    val: &Listing,
    mut slots: Vec<Slot>,
    mut pools: Vec<vec::IntoIter<usize>>,
    options: &SubsetOptions,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> (Vec<Filled>, Vec<Failure>) {
    let (done, total) = (AtomicUsize::new(0), slots.len());
    let decode = |slot: &Slot| {
        let source = if slot.held_out { val } else { listing };
        let pixels = source.decode(slot.index, options.channels, options.size);
        if pixels.is_ok() {
            progress(done.fetch_add(1, Ordering::Relaxed) + 1, total);
        }
        pixels
    };
    let mut filled = Vec::with_capacity(total);
    let mut failures = Vec::new();
    while !slots.is_empty() {
        let decoded: Vec<_> = slots.par_iter().map(decode).collect();
        let mut replaced = Vec::new();
        for (slot, pixels) in slots.into_iter().zip(decoded) {
            match pixels {
                Ok(pixels) => filled.push((slot, pixels)),
                Err(error) => {
                    failures.push((slot.held_out, slot.index, error));
                    match pools[slot.pool].next() {
                        Some(index) => replaced.push(Slot { index, ..slot }),
                        None => progress(done.fetch_add(1, Ordering::Relaxed) + 1, total),
                    }
                }
            }
        }
        slots = replaced;
    }
    (filled, failures)
}

fn assemble(mut filled: Vec<Filled>, layout: Vec<Layout>) -> Rows {
    filled.sort_unstable_by_key(|(slot, _)| slot.index);
    let length: usize = layout.iter().map(Layout::bytes).sum();
    let mut rows = Rows { bytes: Vec::with_capacity(filled.len() * length), layout, ..Rows::default() };
    for (slot, bytes) in filled {
        rows.labels.push(slot.label);
        rows.indices.push(slot.index);
        rows.bytes.extend(bytes);
    }
    rows
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;
    use crate::data::DataOptions;
    use crate::data::testing::{Tree, idx_images, idx_labels};

    fn small(seed: u64) -> SubsetOptions {
        SubsetOptions { train: 20, held_out: 8, size: 4, channels: 3, seed }
    }

    fn listing(tree: &Tree, path: &str) -> Listing {
        Listing::open(&tree.path().join(path), &DataOptions::default()).unwrap()
    }

    fn idx(labels: &[u8]) -> Listing {
        let tree = Tree::of::<&str>(&[]);
        tree.write("train-images-idx3-ubyte", &idx_images(labels.len() as u32, 1, 1));
        tree.write("train-labels-idx1-ubyte", &idx_labels(labels));
        listing(&tree, "")
    }

    fn drawn(listing: &Listing, val: Option<&Listing>, options: &SubsetOptions) -> Result<Subset, String> {
        subset(listing, val, options, &|_, _| {}).map_err(|error| error.to_string())
    }

    fn count(images: &Rows, label: i64) -> usize {
        images.labels.iter().filter(|&&own| own == label).count()
    }

    fn of_class(labels: &[u8], class: u8) -> usize {
        labels.iter().map(|&label| usize::from(label == class)).sum()
    }

    proptest! {
        #[test]
        fn a_subset_is_disjoint_stratified_ascending_and_its_pixels_are_its_samples(labels in prop::collection::vec(0_u8..3, 30..250), seed in 0_u64..9) {
            prop_assume!((0..3).all(|class| of_class(&labels, class) >= 2));
            let listing = idx(&labels);
            let Subset { train, held_out, .. } = drawn(&listing, None, &small(seed)).unwrap();
            prop_assert!(train.indices.iter().collect::<HashSet<_>>().is_disjoint(&held_out.indices.iter().collect()));
            prop_assert_eq!((train.len(), held_out.len()), (20, 8));
            for part in [&train, &held_out] {
                prop_assert!(part.indices.is_sorted_by(|a, b| a < b));
                for (position, (&index, &label)) in part.indices.iter().zip(&part.labels).enumerate() {
                    prop_assert_eq!(i64::from(listing.labels[index]), label);
                    prop_assert!(part.bytes[position * 48..][..48].iter().all(|&pixel| usize::from(pixel) == index));
                }
                for class in 0..3_u8 {
                    let quota = of_class(&labels, class) as f64 * part.len() as f64 / labels.len() as f64;
                    let share = count(part, i64::from(class)) as f64;
                    prop_assert!((share - quota).abs() <= 2.0, "class {}: {} of {}", class, share, quota);
                }
            }
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_subset_and_another_seed_another() {
        let listing = idx(&(0..200).map(|i| i % 2).collect::<Vec<u8>>());
        let one = drawn(&listing, None, &small(1)).unwrap();
        let single = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        assert_eq!(one, single.install(|| drawn(&listing, None, &small(1)).unwrap()));
        assert_ne!(one.train.indices, drawn(&listing, None, &small(2)).unwrap().train.indices);
    }

    #[test]
    fn an_unreadable_file_is_counted_and_replaced_by_one_of_its_class() {
        let tree = Tree::of(&(0..20).flat_map(|i| [format!("cat/{i}.png"), format!("dog/{i}.png")]).collect::<Vec<_>>());
        (0..4).for_each(|i| tree.write(&format!("dog/{i}.png"), b"broken"));
        let dogs = |options: &SubsetOptions| {
            let subset = drawn(&listing(&tree, ""), None, options).unwrap();
            (count(&subset.train, 1), count(&subset.held_out, 1), subset.unreadable)
        };
        let (train, held_out, unreadable) = dogs(&small(0));
        assert_eq!((train, held_out), (10, 4));
        assert_eq!(unreadable.tried, 28 + unreadable.failed);
        let (train, held_out, unreadable) = dogs(&SubsetOptions { train: 28, held_out: 12, ..small(0) });
        assert_eq!((train + held_out, unreadable.failed, unreadable.examples.len()), (16, 4, 4));
        assert_eq!(unreadable.examples[0].reason, "not an image: the content is of no known format");
    }

    #[test]
    fn a_class_without_a_readable_file_is_survived_and_a_source_without_one_is_not() {
        let tree = Tree::of(&["cat/1.png", "cat/2.png", "cat/3.png", "dog/1.jpg", "dog/2.jpg"]);
        let subset = drawn(&listing(&tree, ""), None, &small(0)).unwrap();
        assert_eq!((count(&subset.train, 1), subset.unreadable.failed), (0, 2));
        let tree = Tree::of(&["cat/1.jpg", "dog/1.jpg"]);
        let message = drawn(&listing(&tree, ""), None, &small(0)).unwrap_err();
        assert!(message.starts_with("none of the 2 files tried in `") && message.contains("cat/1.jpg`: not an image"), "{message}");
        let tree = Tree::of(&["cat/1.png", "dog/1.png"]);
        assert!(drawn(&listing(&tree, ""), None, &small(0)).unwrap_err().contains("only 2 usable samples"));
    }

    #[test]
    fn held_out_classes_are_matched_by_name() {
        let tree = Tree::of(&["a/cat/1.png", "a/dog/1.png", "b/dog/7.png", "b/dog/8.png", "c/cow/1.png", "c/dog/1.png"]);
        let training = listing(&tree, "a");
        let subset = drawn(&training, Some(&listing(&tree, "b")), &small(0)).unwrap();
        assert_eq!((subset.train.len(), subset.held_out.labels.as_slice()), (2, &[1, 1][..]));
        assert_eq!(subset.held_out_from, show(&tree.path().join("b")));
        let message = drawn(&training, Some(&listing(&tree, "c")), &small(0)).unwrap_err();
        assert!(message.starts_with("class `cow` of `") && message.contains("training classes (cat, dog)"), "{message}");
    }

    #[test]
    fn progress_ends_at_its_total() {
        let tree = Tree::of(&["cat/1.png", "cat/2.png", "dog/1.png", "dog/2.jpg"]);
        let most = AtomicUsize::new(0);
        let progress = |done: usize, total: usize| {
            assert_eq!(total, 4);
            most.fetch_max(done, Ordering::Relaxed);
        };
        subset(&listing(&tree, ""), None, &small(0), &progress).unwrap();
        assert_eq!(most.into_inner(), 4);
    }
}
