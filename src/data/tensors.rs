//! Batches in a safetensors file, as a user's own loader gave them: any inputs, not only pictures.
//!
//! `inputs` (or `inputs.0`, `inputs.1`, ... for a model that takes several) are [N, ...] of any float, whole number or uint8 type; `targets` are
//! class indices [N] of a whole number type, or floats [N], [N, 1] or one-hot [N, C]. `held_out.inputs` and `held_out.targets` are the held-out
//! samples, where there are any. The samples stand in the loader's order. Metadata may give `classes`, a JSON list of names.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use safetensors::{Dtype, SafeTensors};

use super::error::DataError;
use super::listing::Listing;

/// More than this is not held in memory.
const MAX_BYTES: u64 = 4 << 30;
/// Classes: a larger index is no class but a value to regress on.
const MAX_CLASSES: i64 = 100_000;
/// Begins the names of the held-out samples' tensors.
const HELD_OUT: &str = "held_out.";

/// How the bytes of one input of a sample are to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Type of the values.
    pub dtype: Dtype,
    /// Shape of one sample's input, such as [C, H, W].
    pub shape: Vec<usize>,
}

impl Layout {
    /// Pixels, [channels, size, size].
    pub fn pixels(channels: usize, size: usize) -> Self {
        Self { dtype: Dtype::U8, shape: vec![channels, size, size] }
    }

    /// Bytes of one sample's input.
    pub fn bytes(&self) -> usize {
        self.shape.iter().product::<usize>() * self.dtype.bitsize() / 8
    }
}

/// An open file: the samples' inputs, one after the other.
#[derive(Debug)]
pub(super) struct TensorFile {
    /// The file.
    pub path: PathBuf,
    content: Vec<u8>,
    parts: HashMap<&'static str, Part>,
    classes: Vec<String>,
}

/// Training or held-out samples.
#[derive(Debug)]
struct Part {
    /// How each input is read, and where it begins.
    inputs: Vec<(Layout, usize)>,
    labels: Vec<u32>,
    rule: String,
}

/// A tensor of the file.
struct Entry {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Range<usize>,
}

impl TensorFile {
    fn read(path: &Path) -> Result<Self, DataError> {
        let wrong = |problem: String| DataError::Tensors { path: path.to_owned(), problem };
        let file = fs::File::open(path).map_err(|error| wrong(error.to_string()))?;
        let mut content = Vec::new();
        file.take(MAX_BYTES + 1).read_to_end(&mut content).map_err(|error| wrong(error.to_string()))?;
        if content.len() as u64 > MAX_BYTES {
            return Err(wrong(format!("it has more than the {MAX_BYTES} bytes that are read; keep a few thousand samples")));
        }
        let (entries, metadata) = entries(&content).map_err(|error| wrong(error.to_string()))?;
        let classes = metadata.get("classes").and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        let mut parts = HashMap::new();
        for prefix in ["", HELD_OUT] {
            if prefix.is_empty() || entries.keys().any(|name| name.starts_with(prefix)) {
                parts.insert(prefix, part(&entries, &content, prefix).map_err(wrong)?);
            }
        }
        Ok(Self { path: path.to_owned(), content, parts, classes })
    }

    /// How each input of a sample is read.
    pub fn layout(&self, part: &str) -> Vec<Layout> {
        self.parts[part].inputs.iter().map(|(layout, _)| layout.clone()).collect()
    }

    /// The bytes of a sample's inputs, one input after the other; `record` is below the number of samples.
    pub fn row(&self, part: &str, record: u32) -> Vec<u8> {
        let one = |(layout, start): &(Layout, usize)| {
            let begin = start + record as usize * layout.bytes();
            &self.content[begin..begin + layout.bytes()]
        };
        self.parts[part].inputs.iter().flat_map(one).copied().collect()
    }
}

/// Tensors by name.
type Entries = BTreeMap<String, Entry>;

/// The tensors, and the metadata. All ranges lie within `content`.
fn entries(content: &[u8]) -> Result<(Entries, HashMap<String, String>), safetensors::SafeTensorError> {
    let file = SafeTensors::deserialize(content)?;
    let (_, header) = SafeTensors::read_metadata(content)?;
    let start = |data: &[u8]| data.as_ptr() as usize - content.as_ptr() as usize;
    let entry = |(name, view): (String, safetensors::tensor::TensorView)| {
        let begin = start(view.data());
        (name, Entry { dtype: view.dtype(), shape: view.shape().to_vec(), bytes: begin..begin + view.data().len() })
    };
    Ok((file.tensors().into_iter().map(entry).collect(), header.metadata().clone().unwrap_or_default()))
}

fn part(entries: &Entries, content: &[u8], prefix: &str) -> Result<Part, String> {
    let names = input_names(entries, prefix)?;
    let targets = entries.get(&format!("{prefix}targets")).ok_or_else(|| {
        let has = entries.keys().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        format!("it has no `{prefix}targets`; it has {has}")
    })?;
    let (labels, rule) = labels(targets, &content[targets.bytes.clone()], &format!("{prefix}targets"))?;
    let mut inputs = Vec::with_capacity(names.len());
    for name in names {
        let entry = &entries[&name];
        if !matches!(
            entry.dtype,
            Dtype::U8 | Dtype::I8 | Dtype::I16 | Dtype::I32 | Dtype::I64 | Dtype::BOOL | Dtype::F16 | Dtype::BF16 | Dtype::F32 | Dtype::F64
        ) {
            return Err(format!("`{name}` is of type {:?}, which is not read", entry.dtype));
        }
        match entry.shape.split_first() {
            Some((&count, shape)) if count == labels.len() && !shape.contains(&0) => {
                inputs.push((Layout { dtype: entry.dtype, shape: shape.to_vec() }, entry.bytes.start));
            }
            _ => {
                return Err(format!(
                    "`{name}` has shape {:?} beside {} targets; the first dimension counts samples",
                    entry.shape,
                    labels.len()
                ));
            }
        }
    }
    Ok(Part { inputs, labels, rule })
}

/// `inputs`, or `inputs.0`, `inputs.1`, ... in the order of their numbers, other names in alphabetical order.
fn input_names(entries: &Entries, prefix: &str) -> Result<Vec<String>, String> {
    let single = format!("{prefix}inputs");
    if entries.contains_key(&single) {
        return Ok(vec![single]);
    }
    let begin = format!("{single}.");
    let mut names: Vec<String> = entries.keys().filter(|name| name.starts_with(&begin)).cloned().collect();
    names.sort_by_key(|name| (name[begin.len()..].parse::<usize>().unwrap_or(usize::MAX), name.clone()));
    if names.is_empty() {
        let has = entries.keys().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        return Err(format!("it has no `{single}`; it has {has}"));
    }
    Ok(names)
}

/// The class of each sample of an array that is called `name`.
pub(super) fn class_indices(dtype: Dtype, shape: &[usize], bytes: &[u8], name: &str) -> Result<Vec<u32>, String> {
    let entry = Entry { dtype, shape: shape.to_vec(), bytes: 0..bytes.len() };
    labels(&entry, bytes, name).map(|(labels, _)| labels)
}

/// The class of each sample, and in words how it was found.
fn labels(entry: &Entry, bytes: &[u8], name: &str) -> Result<(Vec<u32>, String), String> {
    let values = numbers(entry.dtype, bytes).ok_or_else(|| format!("`{name}` is of type {:?}, which no class is of", entry.dtype))?;
    let (width, rule) = match entry.shape[..] {
        [_] | [_, 1] => (1, "class indices"),
        [_, width] if width > 1 => (width, "largest of each row"),
        _ => return Err(format!("`{name}` has shape {:?}; one class for each sample is read", entry.shape)),
    };
    let label = |(sample, row): (usize, &[f64])| {
        let value = if width == 1 {
            row[0]
        } else {
            row.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).map_or(0.0, |(index, _)| index as f64)
        };
        let class = value as i64;
        if value.fract() != 0.0 || !(0..MAX_CLASSES).contains(&class) {
            return Err(format!("`{name}` is {value} at sample {sample}, which is no class index: they are whole numbers from 0"));
        }
        Ok(class as u32)
    };
    let labels = values.chunks(width).enumerate().map(label).collect::<Result<_, _>>()?;
    Ok((labels, format!("`{name}`, {rule}")))
}

/// Values as float64.
fn numbers(dtype: Dtype, bytes: &[u8]) -> Option<Vec<f64>> {
    fn each<const N: usize>(bytes: &[u8], read: impl Fn([u8; N]) -> f64) -> Vec<f64> {
        bytes.as_chunks::<N>().0.iter().map(|chunk| read(*chunk)).collect()
    }
    Some(match dtype {
        Dtype::BOOL | Dtype::U8 => bytes.iter().map(|&b| f64::from(b)).collect(),
        Dtype::I8 => each(bytes, |b| f64::from(i8::from_le_bytes(b))),
        Dtype::I16 => each(bytes, |b| f64::from(i16::from_le_bytes(b))),
        Dtype::I32 => each(bytes, |b| f64::from(i32::from_le_bytes(b))),
        Dtype::I64 => each(bytes, |b| i64::from_le_bytes(b) as f64),
        Dtype::F32 => each(bytes, |b| f64::from(f32::from_le_bytes(b))),
        Dtype::F64 => each(bytes, f64::from_le_bytes),
        // The upper half of a float32.
        Dtype::BF16 => each(bytes, |[low, high]: [u8; 2]| f64::from(f32::from_le_bytes([0, 0, low, high]))),
        _ => return None,
    })
}

/// Whether a file is one of tensors: it begins with the length of a JSON object.
pub(super) fn is_tensors(path: &Path) -> bool {
    let mut begin = [0; 9];
    let read = fs::File::open(path).and_then(|mut file| file.read_exact(&mut begin));
    read.is_ok()
        && begin[8] == b'{'
        && u64::from_le_bytes([begin[0], begin[1], begin[2], begin[3], begin[4], begin[5], begin[6], begin[7]]) < 1 << 32
}

/// Lists the training samples of a file.
pub(super) fn open(path: &Path) -> Result<Listing, DataError> {
    let file = Arc::new(TensorFile::read(path)?);
    if file.parts[""].labels.is_empty() {
        return Err(DataError::TooFewSamples { path: path.to_owned(), found: 0 });
    }
    Ok(list(&file, ""))
}

/// Lists the samples of one array of inputs, read by that layout from that place in `content` on, one a label.
pub(super) fn of_array(
    source: &Path,
    input: (Layout, usize),
    content: Vec<u8>,
    classes: Vec<String>,
    labels: &[u32],
    rule: String,
) -> Listing {
    let part = Part { inputs: vec![input], labels: labels.to_vec(), rule: rule.clone() };
    let file = TensorFile { path: source.to_owned(), content, parts: HashMap::from([("", part)]), classes: Vec::new() };
    Listing::of_tensors(Arc::new(file), "", classes, labels, rule)
}

/// Lists the held-out samples of the same file, where it has any.
pub(super) fn held_out(file: &Arc<TensorFile>) -> Option<Listing> {
    file.parts.get(HELD_OUT).filter(|part| !part.labels.is_empty()).map(|_| list(file, HELD_OUT))
}

fn list(file: &Arc<TensorFile>, part: &'static str) -> Listing {
    let known = file.parts.values().flat_map(|part| &part.labels).max().map_or(0, |&max| max as usize + 1);
    let classes =
        (0..known.max(file.classes.len())).map(|class| file.classes.get(class).cloned().unwrap_or_else(|| class.to_string())).collect();
    let Part { labels, rule, .. } = &file.parts[part];
    Listing::of_tensors(Arc::clone(file), part, classes, labels, rule.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::testing::Tree;
    use crate::data::{DataOptions, SourceKind, SubsetOptions, companion, subset};

    /// A safetensors file of these tensors: name, type as the format writes it, shape, bytes.
    fn file(tensors: &[(&str, &str, &[usize], Vec<u8>)], metadata: &[(&str, &str)]) -> Vec<u8> {
        let (mut header, mut data) = (serde_json::Map::new(), Vec::new());
        if !metadata.is_empty() {
            let pairs: HashMap<&str, &str> = metadata.iter().copied().collect();
            header.insert("__metadata__".to_owned(), serde_json::json!(pairs));
        }
        for (name, dtype, shape, bytes) in tensors {
            let offsets = [data.len(), data.len() + bytes.len()];
            header.insert((*name).to_owned(), serde_json::json!({ "dtype": dtype, "shape": shape, "data_offsets": offsets }));
            data.extend(bytes);
        }
        let header = serde_json::to_vec(&header).unwrap();
        [(header.len() as u64).to_le_bytes().to_vec(), header, data].concat()
    }

    fn floats(values: &[f32]) -> Vec<u8> {
        values.iter().flat_map(|value| value.to_le_bytes()).collect()
    }

    fn whole(values: &[i64]) -> Vec<u8> {
        values.iter().flat_map(|value| value.to_le_bytes()).collect()
    }

    fn opened(content: &[u8]) -> Result<Listing, String> {
        let tree = Tree::of::<&str>(&[]);
        tree.write("batches.safetensors", content);
        Listing::open(&tree.path().join("batches.safetensors"), &DataOptions::default()).map_err(|error| error.to_string())
    }

    #[test]
    fn several_inputs_come_in_order_with_names_of_classes_and_held_out_samples() {
        let content = file(
            &[
                ("inputs.0", "I64", &[4, 2], whole(&[1, 2, 3, 4, 5, 6, 7, 8])),
                ("inputs.1", "F32", &[4, 1], floats(&[0.5, 1.5, 2.5, 3.5])),
                ("targets", "I64", &[4], whole(&[0, 1, 1, 0])),
                ("held_out.inputs.0", "I64", &[2, 2], whole(&[9, 9, 8, 8])),
                ("held_out.inputs.1", "F32", &[2, 1], floats(&[9.5, 8.5])),
                ("held_out.targets", "I64", &[2], whole(&[1, 0])),
            ],
            &[("classes", r#"["no", "yes"]"#)],
        );
        let listing = opened(&content).unwrap();
        assert_eq!(
            (listing.kind, &listing.labels[..], &listing.classes[..]),
            (SourceKind::Tensors, &[0, 1, 1, 0][..], &["no", "yes"].map(str::to_owned)[..])
        );
        let held_out = companion(&listing, &DataOptions::default()).unwrap().unwrap();
        assert_eq!((&held_out.labels[..], held_out.path_of(1).as_str()), (&[1, 0][..], "batches.safetensors#held_out.1"));
        let options = SubsetOptions { train: 4, held_out: 2, ..SubsetOptions::default() };
        let subset = subset(&listing, Some(&held_out), &options, &|_, _| {}).unwrap();
        assert_eq!(subset.train.layout[0], Layout { dtype: Dtype::I64, shape: vec![2] });
        assert_eq!((subset.train.input(0), subset.train.input(1)), (whole(&[1, 2, 3, 4, 5, 6, 7, 8]), floats(&[0.5, 1.5, 2.5, 3.5])));
        assert_eq!(subset.held_out.input(1), floats(&[9.5, 8.5]));
    }

    #[test]
    fn targets_may_be_floats_columns_or_one_hot_rows() {
        let with = |dtype: &str, shape: &[usize], bytes: Vec<u8>| {
            opened(&file(&[("inputs", "F32", &[3, 1], floats(&[1.0, 2.0, 3.0])), ("targets", dtype, shape, bytes)], &[])).map(|l| l.labels)
        };
        assert_eq!(with("F32", &[3], floats(&[0.0, 1.0, 1.0])), Ok(vec![0, 1, 1]));
        assert_eq!(with("F32", &[3, 1], floats(&[1.0, 0.0, 1.0])), Ok(vec![1, 0, 1]));
        assert_eq!(with("F32", &[3, 2], floats(&[0.0, 1.0, 1.0, 0.0, 0.0, 1.0])), Ok(vec![1, 0, 1]));
        assert_eq!(with("BOOL", &[3], vec![1, 0, 0]), Ok(vec![1, 0, 0]));
        for (values, part) in
            [([0.5, 1.0, 0.0], "is 0.5 at sample 0"), ([0.0, -1.0, 0.0], "is -1 at sample 1"), ([0.0, f32::NAN, 0.0], "is NaN at sample 1")]
        {
            let message = with("F32", &[3], floats(&values)).unwrap_err();
            assert!(message.contains(part) && message.contains("batches.safetensors"), "{message}");
        }
    }

    #[test]
    fn what_does_not_fit_together_is_named() {
        let message = |tensors: &[(&str, &str, &[usize], Vec<u8>)]| opened(&file(tensors, &[])).unwrap_err();
        let inputs = ("inputs", "F32", &[2, 1][..], floats(&[1.0, 2.0]));
        assert!(message(std::slice::from_ref(&inputs)).contains("it has no `targets`; it has `inputs`"));
        assert!(
            message(&[("targets", "I64", &[2], whole(&[0, 1])), ("x", "F32", &[2], floats(&[1.0, 2.0]))]).contains("it has no `inputs`")
        );
        let uneven = message(&[inputs, ("targets", "I64", &[3], whole(&[0, 1, 0]))]);
        assert!(uneven.contains("`inputs` has shape [2, 1] beside 3 targets"), "{uneven}");
    }

    #[test]
    fn a_file_cut_or_changed_anywhere_is_an_error_or_still_reads_within_itself() {
        let whole_file = file(&[("inputs", "F32", &[2, 1], floats(&[1.0, 2.0])), ("targets", "I64", &[2], whole(&[0, 1]))], &[]);
        for length in 0..whole_file.len() {
            assert!(opened(&whole_file[..length]).is_err(), "cut to {length}");
        }
        for place in 0..whole_file.len() {
            for bit in 0..8 {
                let mut changed = whole_file.clone();
                changed[place] ^= 1 << bit;
                if let Ok(listing) = opened(&changed) {
                    for sample in 0..listing.len() {
                        listing.decode(sample, 3, 8).unwrap();
                    }
                }
            }
        }
    }
}
