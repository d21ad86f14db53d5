//! Where a finding stands in a repository, for tools that show it beside the line.
//!
//! Code scanning shows a result at a file and line only, so each finding gets one: the user's own line where it is known, else
//! the line of `nanprobe.toml` that describes what is wrong, else the data.

use std::path::{Component, Path, PathBuf};

use nanprobe_checks::Remedy;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use toml::Spanned;
use toml::de::DeTable;

use crate::config::FILE_NAME;
use crate::diagnosis::{Diagnosis, Verdict};

/// What may stand in a URI's path as it is (RFC 3986, 2.3), and the slash between its segments.
const UNESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// What a report is written for.
#[derive(Clone, Debug, Default)]
pub struct Repository {
    /// The root, to which the tools' paths are relative.
    pub root: PathBuf,
    /// The working directory, to which the report's paths are relative.
    pub folder: PathBuf,
    /// The text of the `nanprobe.toml` that the report names, where it is still there.
    pub config: Option<String>,
}

/// A file, and a line in it from 1.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Place {
    /// Relative to the repository's root, with forward slashes, where it lies in it; else absolute.
    pub file: String,
    /// The line, where there is one to speak of.
    pub line: Option<u32>,
}

impl Repository {
    /// Where a verdict stands: the user's line, else the configuration, else the data. What is in none of them is the configuration's
    /// that could be written.
    pub(super) fn place(&self, diagnosis: &Diagnosis, verdict: &Verdict) -> Place {
        let data = diagnosis.job.as_ref().map(|job| Place { file: self.relative(&job.data), line: None });
        let unwritten = || Place { file: self.relative(FILE_NAME), line: None };
        self.line(diagnosis, verdict).or(data).unwrap_or_else(unwritten)
    }

    /// Where a verdict stands, if that is a line of a text file.
    pub(super) fn line(&self, diagnosis: &Diagnosis, verdict: &Verdict) -> Option<Place> {
        let own = verdict.location.as_ref().and_then(|location| {
            // A notebook's cell or a line typed at a prompt is no file.
            let file = location.file.as_ref().filter(|file| !file.starts_with('<') && !file.starts_with("In["))?;
            Some(Place { file: self.relative(file), line: location.line })
        });
        own.or_else(|| {
            let file = self.relative(diagnosis.run.config.as_ref()?);
            Some(Place { file, line: Some(self.config_line(verdict)) })
        })
    }

    /// The line of the key that the verdict's remedy would change; the first where it is not there.
    fn config_line(&self, verdict: &Verdict) -> u32 {
        let described = verdict.edit.as_ref().and_then(|edit| key_of(edit, &verdict.check));
        let text = self.config.as_deref().unwrap_or_default();
        described.and_then(|(table, key)| key_line(text, table, key)).unwrap_or(1)
    }

    fn relative(&self, path: &str) -> String {
        let path = normal(&self.folder.join(path));
        let within = path.strip_prefix(normal(&self.root)).unwrap_or(&path);
        let text = within.to_string_lossy().replace('\\', "/");
        if text.is_empty() { ".".to_owned() } else { text }
    }
}

/// Without `.` and `..`, as the tools compare text.
fn normal(path: &Path) -> PathBuf {
    let mut parts = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if matches!(parts.components().next_back(), Some(Component::Normal(_))) => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts
}

impl Place {
    /// As a URI: relative to the root, or absolute.
    pub fn uri(&self) -> String {
        let path = utf8_percent_encode(&self.file, UNESCAPED).to_string();
        if self.is_relative() { path } else { format!("file://{}{path}", if path.starts_with('/') { "" } else { "/" }) }
    }

    /// Whether it lies within the repository.
    pub fn is_relative(&self) -> bool {
        !Path::new(&self.file).is_absolute()
    }
}

/// The table and the key that describe what an edit changes.
fn key_of(edit: &Remedy, check: &str) -> Option<(&'static str, &'static str)> {
    Some(match edit {
        Remedy::Shuffle => ("train", "shuffle"),
        Remedy::BalanceClasses | Remedy::DropSamples { .. } => ("data", "data"),
        Remedy::Normalize { .. } => ("train", "normalize"),
        Remedy::Optimizer { .. } if check.starts_with("learning-rate") => ("train", "lr"),
        Remedy::Optimizer { .. } => ("train", "optimizer"),
        Remedy::Unfreeze => ("train", "trainable"),
        Remedy::Reattach => ("model", "detach"),
        Remedy::DropOutputActivation => ("model", "output-activation"),
        Remedy::LoadWeights { .. } => ("model", "weights"),
        Remedy::Reinitialize { .. } => ("model", "init"),
        Remedy::Loss { .. } => ("train", "loss"),
        Remedy::SetModes => ("train", "training-mode"),
        Remedy::Backward | Remedy::Step | Remedy::ClearGradients | Remedy::Unclip | Remedy::KeepLearningRate => ("train", "loop"),
        _ => return None,
    })
}

/// The line of a key, from 1; of its table where the key is not written.
fn key_line(text: &str, table: &str, key: &str) -> Option<u32> {
    let root = DeTable::parse(text).map(Spanned::into_inner).ok()?;
    let (name, section) = root.iter().find(|(name, _)| name.get_ref() == table)?;
    let keys = section.get_ref().as_table().into_iter().flat_map(DeTable::iter);
    let start = keys.filter(|(name, _)| name.get_ref() == key).map(|(name, _)| name.span().start).next();
    let before = text.get(..start.unwrap_or(name.span().start))?;
    u32::try_from(before.matches('\n').count() + 1).ok()
}

#[cfg(test)]
mod tests {
    use nanprobe_checks::Location;

    use super::*;
    use crate::report::samples;

    fn repository(config: &str) -> Repository {
        Repository { root: "/repo".into(), folder: "/repo/models".into(), config: Some(config.to_owned()) }
    }

    fn described(check: &str, edit: Remedy) -> (Diagnosis, Verdict) {
        let mut diagnosis = samples::two_fixes();
        diagnosis.run.config = Some("nanprobe.toml".to_owned());
        let verdict = Verdict { check: check.to_owned(), edit: Some(edit), ..diagnosis.verdicts[0].clone() };
        (diagnosis, verdict)
    }

    #[test]
    fn a_line_of_ones_own_comes_before_the_configuration_and_that_before_the_data() {
        let (mut diagnosis, mut verdict) = described("unshuffled-batches", Remedy::Shuffle);
        let config = "[data]\ndata = \"train\"\n\n[train]\nlr = 0.1\nshuffle = false\n";
        let place = |file: &str, line| Place { file: file.to_owned(), line };
        let at = |diagnosis: &Diagnosis, verdict: &Verdict| repository(config).place(diagnosis, verdict);
        assert_eq!(at(&diagnosis, &verdict), place("models/nanprobe.toml", Some(6)));
        verdict.location = Some(Location { module: String::new(), file: Some("/repo/src/../train.py".to_owned()), line: Some(9) });
        assert_eq!(at(&diagnosis, &verdict), place("train.py", Some(9)));
        (verdict.location, diagnosis.run.config) = (None, None);
        assert_eq!(at(&diagnosis, &verdict), place("models/train", None));
        diagnosis.job = None;
        assert_eq!(at(&diagnosis, &verdict), place("models/nanprobe.toml", None));
    }

    #[test]
    fn a_key_that_is_not_written_is_found_at_its_table_or_on_the_first_line() {
        for (text, line) in [("[model]\n[train]\nlr = 1\n", 2), ("[model]\n", 1), ("train.shuffle = 3", 1), ("not toml at all [", 1)] {
            let (diagnosis, verdict) = described("unshuffled-batches", Remedy::Shuffle);
            assert_eq!(repository(text).line(&diagnosis, &verdict).and_then(|place| place.line), Some(line), "{text}");
        }
    }

    #[test]
    fn a_cell_of_a_notebook_is_no_file() {
        let (mut diagnosis, mut verdict) = described("unshuffled-batches", Remedy::Shuffle);
        diagnosis.run.config = None;
        for cell in ["In[3]", "<stdin>"] {
            verdict.location = Some(Location { module: String::new(), file: Some(cell.to_owned()), line: Some(9) });
            assert_eq!(repository("").line(&diagnosis, &verdict), None, "{cell}");
        }
    }

    #[test]
    fn uris_are_relative_and_encoded_within_the_repository_and_absolute_outside() {
        let uri = |file: &str| Place { file: file.to_owned(), line: None }.uri();
        assert_eq!(uri("src/my model:1/ü#?.py"), "src/my%20model%3A1/%C3%BC%23%3F.py");
        assert_eq!(uri("/data/cats & dogs"), "file:///data/cats%20%26%20dogs");
    }
}
