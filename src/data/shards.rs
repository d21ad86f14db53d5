//! WebDataset: tar files in which a sample's image and label are members of one name, `000017.jpg` and `000017.cls`.
//!
//! Format: <https://github.com/webdataset/webdataset>. A name's part up to the first dot is the sample's, the rest says what the member is; a
//! sample's members stand next to each other. Members are read where they lie: no name in an archive is ever used on disk.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use serde_json::Value;
use tar::Archive;

use super::error::{DataError, EXTENSIONS};
use super::folder::{HELD_OUT, TRAIN};
use super::label_values::LabelValues;
use super::listing::{self, Listing};
use super::manifest::label_key;
use super::recognise::{Part, files_ending};

/// Members that may be the label, the likeliest first.
const LABELS: [&str; 7] = ["cls", "cls.txt", "label", "label.txt", "class", "json", "txt"];
/// A larger member is no label.
const MAX_LABEL: u64 = 1 << 20;
/// Where a tar header has its magic word, and what it is in all forms since 1988.
const MAGIC: (usize, &[u8]) = (257, b"ustar");

/// The images of the samples of some tar files.
#[derive(Debug)]
pub(super) struct Shards {
    files: Vec<PathBuf>,
    members: Vec<Member>,
}

/// Where an image lies.
#[derive(Clone, Debug)]
struct Member {
    file: u32,
    start: u64,
    size: u64,
    name: String,
}

impl Shards {
    /// An image's name for messages: `train-0003.tar#000017.jpg`.
    pub fn name_of(&self, record: u32) -> String {
        let member = &self.members[record as usize];
        format!("{}#{}", file_name(&self.files[member.file as usize]), member.name)
    }

    /// An image's bytes.
    pub fn read(&self, record: u32) -> Result<Vec<u8>, String> {
        let Member { file, start, size, .. } = &self.members[record as usize];
        let mut file = File::open(&self.files[*file as usize]).map_err(|error| error.to_string())?;
        file.seek(SeekFrom::Start(*start)).map_err(|error| error.to_string())?;
        let bytes = listing::read_all(file.take(*size))?;
        if bytes.len() as u64 == *size { Ok(bytes) } else { Err("truncated: the tar file ends within it".to_owned()) }
    }
}

/// Whether a file that begins so is a tar file.
pub(super) fn is_tar(begin: &[u8]) -> bool {
    begin.get(MAGIC.0..).is_some_and(|rest| rest.starts_with(MAGIC.1))
}

/// Whether a folder has tar files.
pub(super) fn in_folder(folder: &Path) -> bool {
    !files_ending(folder, &["tar"]).is_empty()
}

/// Lists the samples of a tar file, or of a folder of them.
pub(super) fn open(path: &Path, part: Part) -> Result<Listing, DataError> {
    read(path, part).map_err(|problem| DataError::Form { path: path.to_owned(), form: "WebDataset shards", problem })
}

fn read(path: &Path, part: Part) -> Result<Listing, String> {
    let (files, name) = files_of(path, part)?;
    let mut found = Samples::default();
    for (number, file) in files.iter().enumerate() {
        members(file, number as u32, &mut found).map_err(|problem| format!("`{}`: {problem}", file_name(file)))?;
    }
    let Some(label) = &found.label else {
        return Err(format!("no sample has an image and a label; labels are members ending in .{}", LABELS.join(", .")));
    };
    let key = found.key.as_ref().map_or_else(String::new, |key| format!("key `{key}` in the "));
    let of = if files.len() == 1 { format!("`{}`", file_name(&files[0])) } else { format!("{} tar files", files.len()) };
    let rule = format!("{key}.{label} member of each sample in {of}");
    let (classes, labels) = found.values.classes()?;
    let mut source = path.to_owned();
    if let Some(name) = name {
        source.as_mut_os_string().push(format!(":{name}"));
    }
    Ok(Listing::of_shards(&source, rule, classes, labels, Shards { files, members: found.images }))
}

/// The tar files of a part; for the held-out one also its name.
fn files_of(path: &Path, part: Part) -> Result<(Vec<PathBuf>, Option<&'static str>), String> {
    if !path.is_dir() {
        let packed =
            ["gz", "tgz", "zst", "bz2", "xz"].iter().any(|ending| path.extension().is_some_and(|own| own.eq_ignore_ascii_case(ending)));
        return match part {
            _ if packed => {
                Err("it is compressed, and members are read where they lie; unpack it to a .tar, images hardly shrink anyway".to_owned())
            }
            Part::Training => Ok((vec![path.to_owned()], None)),
            Part::HeldOut => Err("it is one file".to_owned()),
        };
    }
    let files = files_ending(path, &["tar"]);
    let word = |path: &PathBuf| file_name(path).split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default().to_lowercase();
    let of = |parts: &[&str]| files.iter().filter(|file| parts.contains(&word(file).as_str())).cloned().collect::<Vec<_>>();
    let training = of(&TRAIN);
    match part {
        _ if files.is_empty() => Err("it has no .tar files".to_owned()),
        Part::Training if training.is_empty() => Ok((files, None)),
        Part::Training => Ok((training, None)),
        Part::HeldOut if training.is_empty() => Err("its files have no parts".to_owned()),
        Part::HeldOut => {
            let found = HELD_OUT.iter().map(|name| (of(&[name]), Some(*name))).find(|(files, _)| !files.is_empty());
            found.ok_or_else(|| "all its files are for training".to_owned())
        }
    }
}

/// Samples as they are read.
#[derive(Default)]
struct Samples {
    /// The member that is the label in all of them, and its key where it is JSON; settled by the first sample.
    label: Option<&'static str>,
    key: Option<String>,
    images: Vec<Member>,
    values: LabelValues,
}

/// A sample in reading.
#[derive(Default)]
struct Sample {
    name: String,
    image: Option<Member>,
    labels: Vec<(&'static str, String)>,
}

/// Reads the directory of a tar file, and its labels.
fn members(path: &Path, number: u32, samples: &mut Samples) -> Result<(), String> {
    let unreadable = |error: std::io::Error| format!("cannot be read ({error}); download it again");
    let file = File::open(path).map_err(unreadable)?;
    let length = file.metadata().map_err(unreadable)?.len();
    let mut archive = Archive::new(BufReader::new(file));
    let mut sample = Sample::default();
    for entry in archive.entries_with_seek().map_err(unreadable)? {
        let mut entry = entry.map_err(unreadable)?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let (start, size) = (entry.raw_file_position(), entry.size());
        if start.checked_add(size).is_none_or(|end| end > length) {
            return Err(format!("its member `{name}` declares {size} bytes, more than the file has left; download it again"));
        }
        let base = name.rfind('/').map_or(0, |slash| slash + 1);
        let Some(dot) = name[base..].find('.').map(|dot| base + dot).filter(|dot| *dot > base) else { continue };
        if sample.name != name[..dot] {
            samples.add(std::mem::take(&mut sample))?;
            name[..dot].clone_into(&mut sample.name);
        }
        let ending = name[dot + 1..].to_lowercase();
        let last = ending.rsplit('.').next().unwrap_or_default();
        if EXTENSIONS.contains(&last) {
            sample.image.get_or_insert(Member { file: number, start, size, name });
        } else if let Some(label) = LABELS.into_iter().find(|label| *label == ending)
            && samples.label.is_none_or(|known| known == label)
            && size <= MAX_LABEL
        {
            let mut text = Vec::new();
            entry.by_ref().take(MAX_LABEL).read_to_end(&mut text).map_err(unreadable)?;
            sample.labels.push((label, String::from_utf8_lossy(&text).into_owned()));
        }
    }
    samples.add(sample)
}

impl Samples {
    /// Adds a sample, unless it has no image. The first one with a label settles which member that is.
    fn add(&mut self, sample: Sample) -> Result<(), String> {
        let Sample { name, image: Some(image), labels } = sample else { return Ok(()) };
        let rank = |label: &str| LABELS.iter().position(|known| *known == label);
        let Some((label, text)) = labels.into_iter().min_by_key(|(label, _)| rank(label)) else {
            let wanted = self.label.map_or_else(|| LABELS.join(", ."), str::to_owned);
            let folders = if name.contains('/') { "; if the folders in the tar file are the classes, unpack it" } else { "" };
            return Err(format!("sample `{name}` has no label; it needs a member ending in .{wanted} next to its image{folders}"));
        };
        let value = if label == "json" { self.of_json(&text).map_err(|problem| format!("`{name}.json` {problem}"))? } else { text };
        if value.trim().is_empty() {
            return Err(format!("the label of sample `{name}` is empty"));
        }
        self.label = Some(label);
        self.values.push(&value)?;
        self.images.push(image);
        Ok(())
    }

    /// The label in a JSON member: the value itself, or that of the usual key.
    fn of_json(&mut self, text: &str) -> Result<String, String> {
        let words = |value: &Value| match value {
            Value::String(text) => Some(text.clone()),
            Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
            _ => None,
        };
        let value: Value = serde_json::from_str(text).map_err(|error| format!("is no JSON: {error}"))?;
        let Some(object) = value.as_object() else { return words(&value).ok_or_else(|| "has no key that names the label".to_owned()) };
        let key = self.key.clone().or_else(|| label_key(&object.keys().map(String::as_str).collect::<Vec<_>>()));
        let has = || object.keys().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
        let found = key.as_ref().and_then(|key| words(object.get(key)?));
        self.key = key;
        found.ok_or_else(|| format!("has no label; it needs a key such as `label`, and has {}", has()))
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests;
