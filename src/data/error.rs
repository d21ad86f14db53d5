//! What can be wrong with the data, and the way out.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Extensions of the files that are read as images, in lower case.
pub(super) const EXTENSIONS: [&str; 8] = ["jpg", "jpeg", "png", "bmp", "gif", "webp", "tif", "tiff"];

/// Data that cannot be used.
#[derive(Debug, Error)]
pub enum DataError {
    /// The path is not there.
    #[error("`{}` does not exist; check the path given to --data or --val", show(path))]
    Missing {
        /// The path.
        path: PathBuf,
    },
    /// A file of another kind.
    #[error(
        "`{}` is not a data set: give a folder of images, a .csv or .jsonl file that lists them with their labels, a .tar or .npz file, an IDX \
         images file such as train-images-idx3-ubyte.gz, or a safetensors file of batches",
        show(path)
    )]
    NotADataset {
        /// The file.
        path: PathBuf,
    },
    /// Data that is not in the form that it seems to have, or that `--format-hint` names.
    #[error("`{}` is not read as {form}: {problem}", show(path))]
    Form {
        /// The file or folder.
        path: PathBuf,
        /// What it was read as, with its article.
        form: &'static str,
        /// What is wrong, and the way out.
        problem: String,
    },
    /// A safetensors file that holds no batches.
    #[error("`{}` is not read as batches: {problem}; it needs `inputs` and `targets`, see docs/your-own-data.md", show(path))]
    Tensors {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A folder that cannot be read.
    #[error("cannot read folder `{}`: {source}; make it readable or move it out of the data", show(path))]
    Directory {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Nothing is in it.
    #[error("folder `{}` is empty; give the folder that holds the class folders or the images", show(path))]
    EmptyFolder {
        /// The folder.
        path: PathBuf,
    },
    /// Something is in it, but nothing that is read as an image.
    #[error("no images in `{}`: found {found}; files ending in {} are read", show(path), EXTENSIONS.join(", "))]
    NoImages {
        /// The folder.
        path: PathBuf,
        /// What was found instead, in words.
        found: String,
    },
    /// No part of the file names can be the label.
    #[error(
        "cannot tell the labels of `{}` from file names such as `{first}` and `{last}`{hint}; \
             say where the label stands with --labels 'REGEX' and one capture group, such as --labels '^([a-z]+)', \
             or give each class a folder of its own",
        show(path)
    )]
    LabelsUnclear {
        /// The folder.
        path: PathBuf,
        /// One file name.
        first: String,
        /// Another one.
        last: String,
        /// A rule that nearly fits, in words, or nothing.
        hint: String,
    },
    /// `--labels` is not a pattern.
    #[error(
        "--labels `{pattern}` is not a regular expression: {}; quote it for the shell and escape what is meant literally with \\",
        last_line(source)
    )]
    BadPattern {
        /// The pattern.
        pattern: String,
        /// What the regex crate says of it.
        source: regex::Error,
    },
    /// `--labels` says that there is a label, but not which part it is.
    #[error("--labels `{pattern}` has no capture group; put parentheses around the part that is the label, such as '^([a-z]+)'")]
    PatternWithoutGroup {
        /// The pattern.
        pattern: String,
    },
    /// `--labels` leaves a file without a label.
    #[error("--labels `{pattern}` finds no label in `{file}` ({misses} of {files} files); widen the pattern or move those files away")]
    PatternMisses {
        /// The pattern.
        pattern: String,
        /// The first file without a label.
        file: String,
        /// Files without a label.
        misses: usize,
        /// Files in all.
        files: usize,
    },
    /// `--labels` with a source that has a label file.
    #[error("--labels applies to file names, but `{}` has its labels in `{labels}`; leave --labels out", show(path))]
    PatternUnused {
        /// The source.
        path: PathBuf,
        /// Its label file.
        labels: String,
    },
    /// `--classes` names a class that is not there.
    #[error("no class `{given}` in `{}`; did you mean `{nearest}`? (there: {})", show(path), crate::data::classes::some(known))]
    UnknownClass {
        /// The source.
        path: PathBuf,
        /// The name given.
        given: String,
        /// The nearest class.
        nearest: String,
        /// All classes.
        known: Vec<String>,
    },
    /// `--classes` names a class twice.
    #[error("--classes names `{given}` twice; name each class once, in the order of the labels")]
    RepeatedClass {
        /// The name.
        given: String,
    },
    /// The classes chosen have no samples.
    #[error("no samples of class {} in `{}`; choose other --classes", crate::data::classes::some(classes), show(path))]
    NoSamples {
        /// The source.
        path: PathBuf,
        /// The classes chosen.
        classes: Vec<String>,
    },
    /// The held-out data has a class that training does not have.
    #[error(
        "class `{class}` of `{}` is not among the training classes ({}); rename it, or choose classes of both with --classes",
        show(path),
        crate::data::classes::some(known)
    )]
    UnknownHeldOutClass {
        /// The held-out source.
        path: PathBuf,
        /// The class.
        class: String,
        /// The training classes.
        known: Vec<String>,
    },
    /// The held-out data is the training data.
    #[error("--val `{}` is the training data itself; give other data, or leave --val out to hold a part of it out", show(path))]
    HeldOutIsTraining {
        /// The source.
        path: PathBuf,
    },
    /// An IDX file that cannot be read.
    #[error("cannot read `{}`: {source}; download it again", show(path))]
    IdxRead {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Not an IDX file of the kind expected.
    #[error(
        "`{}` starts with {found:#010x}, not with {expected:#010x} as an IDX {what} file of unsigned bytes does; check that it is the right file",
        show(path)
    )]
    IdxMagic {
        /// The file.
        path: PathBuf,
        /// Its first four bytes.
        found: u32,
        /// What they should be.
        expected: u32,
        /// `images` or `labels`.
        what: &'static str,
    },
    /// An IDX file of another length than its header says.
    #[error("`{}` holds {found} bytes of {what}, its header promises {expected}; download it again", show(path))]
    IdxLength {
        /// The file.
        path: PathBuf,
        /// What its bytes are.
        what: &'static str,
        /// Bytes there (one more than expected means: at least so many).
        found: u64,
        /// Bytes promised.
        expected: u64,
    },
    /// An IDX header with a size that cannot be meant.
    #[error("`{}` declares {count} images of {height} x {width} pixels; nanprobe takes at least one pixel and at most 4 GiB", show(path))]
    IdxSize {
        /// The file.
        path: PathBuf,
        /// Images.
        count: u32,
        /// Rows of an image.
        height: u32,
        /// Columns of an image.
        width: u32,
    },
    /// Images and labels that do not belong together.
    #[error(
        "`{}` has {image_count} images but `{}` has {label_count} labels; they must come from the same download",
        show(images),
        show(labels)
    )]
    IdxCounts {
        /// The images file.
        images: PathBuf,
        /// Images in it.
        image_count: usize,
        /// The labels file.
        labels: PathBuf,
        /// Labels in it.
        label_count: usize,
    },
    /// No labels beside the images.
    #[error("no labels for `{}`: `{}` is not there; put it beside the images, plain or as .gz", show(images), show(labels))]
    IdxLabelsMissing {
        /// The images file.
        images: PathBuf,
        /// The labels file looked for.
        labels: PathBuf,
    },
    /// Not a single sample could be decoded.
    #[error("none of the {tried} files tried in `{}` can be decoded; the first, `{file}`: {reason}", show(path))]
    NothingReadable {
        /// The source.
        path: PathBuf,
        /// Files tried.
        tried: u64,
        /// The first of them.
        file: String,
        /// Why it failed.
        reason: String,
    },
    /// Not enough for one training and one held-out sample.
    #[error(
        "only {found} usable samples in `{}`, too few to train on some and hold others out; add samples, or hold others out with --val DIR",
        show(path)
    )]
    TooFewSamples {
        /// The source.
        path: PathBuf,
        /// Usable samples.
        found: usize,
    },
}

/// A path for a message.
pub(super) fn show(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// What is wrong with a pattern; the lines before repeat it and point at the place.
fn last_line(error: &regex::Error) -> String {
    error.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
}
