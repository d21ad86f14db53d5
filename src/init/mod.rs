//! A first `nanprobe.toml`, commented, from what lies in a folder: data, an exported model, a training script.

use std::fs;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::config::FILE_NAME;
use crate::data::{DataOptions, HELD_OUT, Listing};

mod hints;

use hints::{Hint, hints};

/// Where data usually lies, the likeliest first.
const DATA: [&str; 7] = ["train", "data/train", "dataset/train", "data", "dataset", "images", "."];
/// Scripts that are looked into, the likeliest first.
const SCRIPTS: [&str; 4] = ["train.py", "main.py", "training.py", "finetune.py"];
/// A larger script is not read.
const MOST_SCRIPT: u64 = 1 << 20;
/// Class names that are shown.
const MOST_CLASSES: usize = 8;

const HEAD: &str = "\
# What nanprobe is to know of your training. Flags of the same names win over it; paths are relative to this file.
# docs/configuration.md has every key. What is in force, and from where: nanprobe config

[data]
";
const NO_DATA: &str = "\
# An image folder (one folder a class), or files with the class in their name.
# data = \"train\"
";
const NO_VAL: &str = "\
# Without it a share of the training data is held out.
# val = \"val\"
";
const NO_MODEL: &str = "# A file that torch.export.save wrote, or an architecture such as resnet18.\n";
const TRAIN: &str = "\
# Weights to start from: .pth or .safetensors.
# weights = \"weights.pth\"

[train]
# What your training does. A line that is commented out is at its default.
";
const REST: &str = "\
# Time for one diagnosis.
# budget = \"2m\"

[gate]
# From which severity on the exit code is 1: error, warning or never.
fail-on = \"error\"
# Families or checks to leave out; `nanprobe checks` lists them.
# ignore = [\"class-imbalance\"]

# Another limit of a check; `nanprobe explain NAME` shows them.
# [checks.unshuffled-batches]
# excess_dominance = 0.5

# A finding that you know of and accept; `nanprobe accept CHECK --reason WHY` writes such an entry.
# [[accept]]
# check = \"class-imbalance\"
# reason = \"the classes are as rare in use\"
# date = 2026-01-31

# A check of your own, a program: docs/writing-a-check.md.
# [[plugin]]
# name = \"house-rules\"
# command = [\"python3\", \"house_rules.py\"]
";

/// Why no file was written.
#[derive(Debug, Error)]
pub enum InitError {
    /// There is one.
    #[error(
        "{} is there already and stays as it is: change it by hand, or name another folder (`nanprobe init DIR`); `nanprobe config` shows what it comes to",
        path.display()
    )]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// It cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// What lies in a folder.
#[derive(Debug, Default)]
pub struct Seen {
    data: Option<(String, Listing)>,
    val: Option<String>,
    model: Option<String>,
    script: Option<(String, Vec<Hint>)>,
}

/// Writes the file into a folder that has none. Its path, and what was seen.
pub fn init(folder: &Path) -> Result<(PathBuf, Seen), InitError> {
    let path = if folder == Path::new(".") { FILE_NAME.into() } else { folder.join(FILE_NAME) };
    let failed = |source: std::io::Error| match source.kind() {
        std::io::ErrorKind::AlreadyExists => InitError::Exists { path: path.clone() },
        _ => InitError::Write { path: path.clone(), source },
    };
    if path.exists() {
        return Err(InitError::Exists { path });
    }
    let seen = Seen::of(folder);
    let mut file = fs::File::create_new(&path).map_err(failed)?;
    std::io::Write::write_all(&mut file, seen.file().as_bytes()).map_err(failed)?;
    Ok((path, seen))
}

impl Seen {
    /// Lists what is there; decodes and runs nothing.
    fn of(folder: &Path) -> Self {
        let options = DataOptions::default();
        let listed = |name: &str| Listing::open(&folder.join(name), &options).ok().filter(|listing| listing.classes.len() > 1);
        let data = DATA.iter().find_map(|name| Some(((*name).to_owned(), listed(name)?)));
        let beside = |name: &str| {
            let parent = Path::new(name).parent()?;
            let is_train = Path::new(name).file_name().is_some_and(|name| name == "train");
            let held_out = HELD_OUT.iter().map(|part| parent.join(part)).find(|part| folder.join(part).is_dir())?;
            is_train.then(|| slashed(&held_out))
        };
        let val = data.as_ref().and_then(|(name, _)| beside(name));
        let script = SCRIPTS.iter().find_map(|name| {
            let path = folder.join(name);
            let small = fs::metadata(&path).is_ok_and(|metadata| metadata.is_file() && metadata.len() <= MOST_SCRIPT);
            let text = small.then(|| fs::read_to_string(&path).ok()).flatten()?;
            Some(((*name).to_owned(), hints(&text)))
        });
        Self { data, val, model: exported(folder), script }
    }

    /// What was found, a line each.
    pub fn in_words(&self) -> Vec<String> {
        let mut lines = Vec::new();
        match &self.data {
            Some((name, listing)) => {
                let samples = listing.labels.len();
                lines.push(format!("data: {name} ({}, {samples} samples, classes {})", listing.kind, classes(&listing.classes)));
            }
            None => lines.push(format!("data: none in {}; set `data` under [data]", DATA.join(", "))),
        }
        lines.extend(self.val.iter().map(|val| format!("held out: {val}")));
        match (&self.model, self.hint("model")) {
            (Some(model), _) => lines.push(format!("model: {model}")),
            (None, Some(hint)) => lines.push(format!("model: {}", hint.value.trim_matches('"'))),
            (None, None) => lines.push("model: none; set `model` under [model] to an exported .pt2 file or an architecture".to_owned()),
        }
        if let Some((name, hints)) = &self.script {
            let keys: Vec<&str> = hints.iter().map(|hint| hint.key).collect();
            let keys = if keys.is_empty() { "nothing that could be read off it".to_owned() } else { keys.join(", ") };
            lines.push(format!("script: {name} ({keys})"));
        }
        lines
    }

    fn hint(&self, key: &str) -> Option<&Hint> {
        self.script.as_ref()?.1.iter().find(|hint| hint.key == key)
    }

    /// The line of a key that the script hints at, else a comment that shows how to set it.
    fn line(&self, key: &str, example: &str) -> String {
        match (self.hint(key), &self.script) {
            (Some(hint), Some((script, _))) => format!("{key} = {}  # {script}:{}\n", hint.value, hint.line),
            _ => format!("# {key} = {example}\n"),
        }
    }

    /// The file's text. What was not seen stands in a comment, so that the file is valid in any case.
    fn file(&self) -> String {
        let set = |key: &str, value: &str| format!("{key} = {}\n", toml::Value::String(value.to_owned()));
        let found = self.data.as_ref().map(|(name, listing)| {
            let seen = format!("# {}: {} samples, classes {}\n", listing.kind, listing.labels.len(), classes(&listing.classes));
            seen + &set("data", name)
        });
        let recipe = [
            ("loss", "\"cross-entropy\""),
            ("optimizer", "\"sgd\""),
            ("lr", "0.01"),
            ("batch-size", "32"),
            ("shuffle", "true"),
            ("normalize", "\"imagenet\""),
        ];
        let recipe: Vec<String> = recipe.iter().map(|(key, example)| self.line(key, example)).collect();
        [
            HEAD,
            &found.unwrap_or_else(|| NO_DATA.to_owned()),
            &self.val.as_ref().map_or_else(|| NO_VAL.to_owned(), |val| set("val", val)),
            "\n[model]\n",
            &self.model.as_ref().map_or_else(|| NO_MODEL.to_owned() + &self.line("model", "\"resnet18\""), |model| set("model", model)),
            TRAIN,
            &recipe.concat(),
            REST,
        ]
        .concat()
    }
}

/// The first exported model in a folder, by name.
fn exported(folder: &Path) -> Option<String> {
    let entries = fs::read_dir(folder).ok()?.flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| Path::new(name).extension().is_some_and(|extension| extension == "pt2")).min()
}

/// The first class names, fit for a comment.
fn classes(names: &[String]) -> String {
    let plain = |name: &String| name.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>();
    let more = names.len().saturating_sub(MOST_CLASSES);
    let shown = names.iter().take(MOST_CLASSES).map(plain).collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{shown} and {more} more") } else { shown }
}

fn slashed(path: &Path) -> String {
    path.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::JobArgs;
    use crate::config::Settings;

    fn touch(folder: &Path, names: &[&str]) {
        for name in names {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
    }

    #[test]
    fn what_lies_there_becomes_a_file_that_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        touch(folder.path(), &["data/train/cat/1.jpg", "data/train/dog/1.jpg", "data/val/cat/2.jpg", "net.pt2", "notes.txt"]);
        fs::write(folder.path().join("train.py"), "opt = optim.Adam(p, lr=1e-3)\n").unwrap();
        let (path, seen) = init(folder.path()).unwrap();
        let job = JobArgs { config: Some(path.clone()), ..JobArgs::default() };
        let settings = Settings::resolve(&job, None, Path::new("")).unwrap();
        assert_eq!((settings.data.path, settings.data.val), (folder.path().join("data/train"), Some(folder.path().join("data/val"))));
        assert_eq!(settings.recipe.model.name, folder.path().join("net.pt2").display().to_string());
        assert_eq!((settings.recipe.optimizer.kind.name(), settings.recipe.optimizer.lr), ("adam", 1e-3));
        let words = seen.in_words().join("\n");
        assert!(
            words.contains("data/train (image folder, 2 samples, classes cat, dog)") && words.contains("train.py (optimizer, lr)"),
            "{words}"
        );
        let text = fs::read_to_string(path).unwrap();
        assert!(text.contains("lr = 0.001  # train.py:1\n") && text.contains("# batch-size = 32\n"), "{text}");
    }

    #[test]
    fn an_empty_folder_gets_a_file_that_is_valid_and_says_what_to_set() {
        let folder = tempfile::tempdir().unwrap();
        let (path, seen) = init(folder.path()).unwrap();
        let job = JobArgs { config: Some(path), data: Some("d".into()), model: Some("mlp".into()), ..JobArgs::default() };
        Settings::resolve(&job, None, Path::new("")).unwrap();
        assert!(seen.in_words().iter().all(|line| line.contains("none")), "{:?}", seen.in_words());
    }

    #[test]
    fn what_is_commented_out_is_valid_too() {
        let folder = tempfile::tempdir().unwrap();
        let (path, _) = init(folder.path()).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let is_code =
            |line: &str| line.starts_with('[') || (line.contains(" = ") && line.split(' ').next().is_some_and(|key| !key.contains(':')));
        let code: Vec<&str> = text.lines().map(|line| line.trim_start_matches("# ")).filter(|line| is_code(line)).collect();
        fs::write(&path, code.join("\n")).unwrap();
        let settings = Settings::resolve(&JobArgs { config: Some(path), ..JobArgs::default() }, None, Path::new("")).unwrap();
        assert_eq!((settings.plugins.len(), settings.accepts.len(), settings.limits.len()), (1, 1, 1), "{code:#?}");
    }

    #[test]
    fn a_file_that_is_there_stays() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE_NAME), "mine").unwrap();
        let error = init(folder.path()).unwrap_err().to_string();
        assert!(error.contains("is there already") && error.contains("nanprobe config"), "{error}");
        assert_eq!(fs::read_to_string(folder.path().join(FILE_NAME)).unwrap(), "mine");
    }

    #[test]
    fn class_names_cannot_break_out_of_their_comment() {
        assert_eq!(classes(&["a\nb = 1".to_owned(), "c".to_owned()]), "a b = 1, c");
        assert!(classes(&vec!["x".to_owned(); 10]).ends_with("and 2 more"));
    }
}
